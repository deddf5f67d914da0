"""Stands in for `agents.run` in tests of the batch: does what the task file says, within a moment.

Beside the task file lies plan.json: {"steps": [...], "seconds": .., "usd": ..}. There is a step for each time the task
is begun or gone on with; the last one holds for all further times. Steps: "ok", "invalid", "refuse", "machine",
"crash", "kill", "wait" (until it is stopped, then exit code 130), "hold" (until there is a file OUT/go, then "ok").
Standard library only, so that it starts at once.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path


def main() -> None:
    """Play one step."""
    arguments = sys.argv[1:]
    resumed = arguments[0] == "--resume"
    folder = Path(arguments[1] if resumed else arguments[arguments.index("--out") + 1])
    if not resumed:
        folder.mkdir(parents=True)
        (folder / "task.json").write_text(json.dumps({"path": arguments[0], "arguments": arguments}))
    record = json.loads((folder / "task.json").read_text())
    plan = json.loads(Path(record["path"]).with_name("plan.json").read_text())
    with (folder.parent.parent / "calls.txt").open("a") as calls:
        calls.write(json.dumps([folder.name, resumed, arguments]) + "\n")
    done = len([line for line in (folder.parent.parent / "calls.txt").open() if json.loads(line)[0] == folder.name])
    spend(folder, plan.get("usd", 0.0))
    time.sleep(plan.get("seconds", 0.0))
    steps = plan["steps"]
    play(steps[min(done, len(steps)) - 1], folder)


def play(step: str, folder: Path) -> None:
    """End as the step says."""
    if step == "wait":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(130))
        (folder / "waits").touch()
        time.sleep(60)
    until = time.monotonic() + 60
    while step == "hold" and not (folder.parent.parent / "go").exists() and time.monotonic() < until:
        (folder / "holds").write_text(str(os.getppid()))
        time.sleep(0.05)
    if step == "kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if step == "crash":
        raise RuntimeError("a bug of ours")
    if step in ("refuse", "machine"):
        print(f"a sentence about {step}", file=sys.stderr)
        sys.exit({"refuse": 2, "machine": 3}[step])
    (folder / "submission.csv").write_text("id,y\n1,0\n")
    (folder / "report.json").write_text(json.dumps(report(step != "invalid")))
    sys.exit(1 if step == "invalid" else 0)


def spend(folder: Path, usd: float) -> None:
    """An answer of a model on record that cost `usd`."""
    if usd:
        exchange = {"messages": [], "usd": usd}
        record = {"key": "propose", "role": "propose", "model": "m", "privacy": "samples", "prompt": "p"}
        (folder / "llm").mkdir(exist_ok=True)
        (folder / "llm/propose.json").write_text(json.dumps(record | {"exchanges": [exchange]}))


def report(valid: bool) -> dict[str, object]:
    """What a run leaves."""
    return {
        "task": {"metric": "rmse", "direction": "minimize"},
        "valid": valid,
        "winner": {"0001": 1.0} if valid else {},
        "delivery": {"estimate": 1.5, "low": 1.0, "high": 2.0} if valid else None,
        "attempts": [{"id": "0001", "title": "A <b>plan</b>", "faults": [] if valid else ["timeout after 9 s"]}],
        "decision": "the refit is done" if valid else "nothing worked",
    }


if __name__ == "__main__":
    main()
