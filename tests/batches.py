"""Batches of made tasks for tests, and a command that runs one in a process of its own: `python tests/batches.py`."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from agents.batch_entries import Orders
from agents.batch_local import LocalRunner
from agents.batch_session import WHOLE, Call, Closing, run_batch
from agents.batch_share import Share
from agents.batch_tasks import Shard

SOLVER = (sys.executable, "-I", "-S", str(Path(__file__).with_name("batch_solver.py")))
SHARE = Share(1.0, 4096)
MODEL = "openai:m@http://127.0.0.1:1/v1"


def a_task(folder: Path, *steps: str, text: str = "", **plan: float) -> Path:
    """A task file with a small data folder, whose runs end as the steps say; see batch_solver.py."""
    folder.mkdir(parents=True)
    (folder / "train.csv").write_text("id,x,y\n1,2,3\n")
    (folder / "test.csv").write_text("id,x\n3,4\n")
    (folder / "plan.json").write_text(json.dumps({"steps": steps or ("ok",)} | plan))
    path = folder / "task.yaml"
    path.write_text(f"data: .\nmetric: rmse\n{text}")
    return path


def orders(out: Path, **changes: Any) -> Orders:
    """What the tasks of a test have in common."""
    return replace(Orders(out, SHARE, command=SOLVER), **changes)


def solve(out: Path, *paths: Path, workers: int = 1, shard: Shard = WHOLE, **changes: Any) -> Closing:
    """A call of the batch."""
    own = {name: changes.pop(name) for name in ("total_usd", "again", "retries", "say") if name in changes}
    call = Call(paths, orders(out, **changes), workers, shard, pause_s=0.01, quiet=True, **own)
    return run_batch(call, lambda: LocalRunner(workers))


def calls(out: Path) -> list[tuple[str, str]]:
    """What was begun and what was gone on with, in order."""
    lines = [json.loads(line) for line in (out / "calls.txt").read_text().splitlines()]
    return [(name, "resume" if resumed else "begin") for name, resumed, _ in lines]


def arguments(out: Path, name: str) -> list[str]:
    """What a task was begun with, the newest time."""
    lines = [json.loads(line) for line in (out / "calls.txt").read_text().splitlines()]
    return [line[2] for line in lines if line[0] == name][-1]


def results(out: Path) -> dict[str, dict[str, Any]]:
    """Name -> what results.json says of a task."""
    return {task["name"]: task for task in json.loads((out / "results.json").read_text())["tasks"]}


if __name__ == "__main__":
    closing = solve(Path(sys.argv[1]), *map(Path, sys.argv[3:]), workers=int(sys.argv[2]))
    sys.exit(130 if closing.interrupted else 0 if closing.all_done else 1)
