"""A stand-in for `python -m ranker.child` that needs no library: it does what script.json in the ranker's folder says.

Each step is a frame to send, or a word: "read" a question (it is kept in asked.json), "hang", or "die" as Python dies.
Its own id is in the file `pid`, its environment in environment.json.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from sandbox.frames import read_frame, write_frame


def play(folder: Path, steps: list[Any]) -> None:
    """One step after the other."""
    for step in steps:
        if step == "read":
            (folder / "asked.json").write_text(json.dumps(read_frame(sys.stdin.buffer)))
        elif step == "hang":
            time.sleep(60)
        elif step == "die":
            raise MemoryError("no room for the weights")
        else:
            write_frame(sys.stdout.buffer, step)


def main() -> None:
    """Read the folder's name as the real one does, and play."""
    asked = read_frame(sys.stdin.buffer)
    if asked is None:
        return
    folder = Path(asked["folder"])
    (folder / "environment.json").write_text(json.dumps(dict(os.environ)))
    part = folder / "pid.part"
    part.write_text(str(os.getpid()))
    part.rename(folder / "pid")
    play(folder, json.loads((folder / "script.json").read_text()))


if __name__ == "__main__":
    main()
