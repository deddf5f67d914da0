"""A scripted run, begun or gone on with; `python -m tests.scripted_run ROOT N` is killed at its Nth event."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

from agents.drive import solve
from tests.fakes import ok
from tests.test_graphs_pipeline import Stage
from tests.test_graphs_resume import VALUES, tried


def go_on(root: Path, dies_at: int = 0) -> dict[str, Any]:
    """Go to the end, or to the kill; what came out, and how many scripts this call ran."""
    stage = Stage(root, [ok()] * 30, VALUES, views=2, attempts=3)
    events = []

    def watch(event: dict[str, Any]) -> None:
        events.append(event)
        if len(events) == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    report = solve(None, stage.folder.path, stage.context, watch).report
    return {"tried": tried(report), "scripts": len(stage.sandbox.codes)}


if __name__ == "__main__":
    go_on(Path(sys.argv[1]), int(sys.argv[2]))
