"""`python -m tests.scripted_run ROOT [N]`: a scripted run in ROOT, begun or gone on with; killed at its Nth event.

At its end it prints what came out, and how many scripts this process ran.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

from agents.drive import solve
from tests.fakes import ok
from tests.test_graphs_pipeline import Stage
from tests.test_graphs_resume import VALUES, tried


def main() -> None:
    """Go to the end, or to the kill."""
    root, dies_at = Path(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 0
    stage = Stage(root, [ok()] * 30, VALUES, views=2, attempts=3)
    events = []

    def watch(event: dict[str, Any]) -> None:
        events.append(event)
        if len(events) == dies_at:
            os.kill(os.getpid(), signal.SIGKILL)

    report = solve(None, stage.folder.path, stage.context, watch).report
    print(json.dumps({"tried": tried(report), "scripts": len(stage.sandbox.codes)}))


if __name__ == "__main__":
    main()
