"""The throughput of a batch: single runs one after the other, against the same tasks side by side.

`python -m benchmarks.batch TASKS --workers 2`: TASKS as agents.batch takes it. A single run has one script at a time
and one core for it; what it does outside of scripts may use all others, which a batch has to share. The last line is
one JSON object.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from agents.batch_tasks import find_tasks
from sandbox.image import ensure_image

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    tasks: Annotated[list[str], typer.Argument(help="Task files, folders or globs.")],
    workers: Annotated[int, typer.Option(help="As of agents.batch.")] = 2,
    attempts: Annotated[int, typer.Option(help="As of agents.run.")] = 2,
    minutes: Annotated[float, typer.Option(help="As of agents.run; enough, so that attempts end a run.")] = 60,
    ranker: Annotated[str, typer.Option(help="As of agents.run.")] = "shipped",
    out: Annotated[Path, typer.Option(help="Folder for the runs.")] = Path("runs/benchmark-batch"),
) -> None:
    """Solve the tasks one by one, then as a batch; print the seconds of both and their ratio."""
    out = out / time.strftime("%Y%m%d-%H%M%S")
    out.mkdir(parents=True)
    ensure_image()
    found = find_tasks(tasks, print)
    options = ["--attempts", str(attempts), "--minutes", str(minutes), "--ranker", ranker]
    single, valid = {}, 0
    for task in found:
        run = out / "single" / task.parent.name
        words = [str(task), "--out", str(run), "--parallel", "1", "--cpus", "1", "--memory-mb", "4096", *options]
        single[task.parent.name] = timed("agents.run", words, run.parent.parent / f"{task.parent.name}.log")
        valid += (run / "submission.csv").exists()
        print(f"{task.parent.name}: {single[task.parent.name]:.1f} s", flush=True)
    words = [*tasks, "--out", str(out / "batch"), "--workers", str(workers), *options]
    batch = timed("agents.batch", words, out / "batch.log")
    rows = json.loads((out / "batch/results.json").read_text())
    ratio = sum(single.values()) / batch
    print(f"{sum(single.values()):.0f} s one by one, {batch:.0f} s with {workers} workers: {ratio:.2f} times")
    summary = {"workers": workers, "attempts": attempts, "ranker": ranker, "tasks": len(found), "single": single}
    summary |= {"single_s": round(sum(single.values()), 1), "batch_s": round(batch, 1), "ratio": round(ratio, 3)}
    print(json.dumps(summary | {"valid_single": valid, "results": rows}))


def timed(module: str, words: list[str], log: Path) -> float:
    """Seconds that a command takes; what it says goes into a file."""
    began = time.monotonic()
    with log.open("w") as file:
        command = [sys.executable, "-m", module, *words]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, check=False)
    return round(time.monotonic() - began, 1)


if __name__ == "__main__":
    app()
