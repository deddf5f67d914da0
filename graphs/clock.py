"""The clock of a run: seconds of work, written down while it works, so that a kill forgets few of them."""

from __future__ import annotations

import json
import threading
import time
from contextlib import suppress
from math import inf
from pathlib import Path

from sandbox.files import write_atomically

BEAT_SECONDS = 5.0
"""Between two notes of what was worked; so much a kill may forget."""


class Clock:
    """Counts the seconds in which a process works on the run: no downtime, and what a killed process did, too."""

    def __init__(self, file: Path | None = None, beat_seconds: float = BEAT_SECONDS) -> None:
        """`file` keeps the count from one process to the next; without one it begins at 0."""
        self._file, self._beat_seconds = file, beat_seconds
        self._worked, self._at = _read(file), time.monotonic()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._beating = threading.Thread(target=self._beat, daemon=True)
        if file is not None:
            self._beating.start()

    def worked(self, known: float) -> float:
        """Seconds of work so far; `known` is what this answered the last time, maybe to an earlier process."""
        with self._lock:
            self._worked = max(self._worked, known)
            self._tick()
            return self._worked

    def close(self) -> None:
        """Write down the count and stop."""
        self._closed.set()
        if self._beating.is_alive():
            self._beating.join()
        self._note()

    def _tick(self) -> None:
        now = time.monotonic()
        self._worked, self._at = self._worked + now - self._at, now

    def _beat(self) -> None:
        while not self._closed.wait(self._beat_seconds):
            self._note()

    def _note(self) -> None:
        with self._lock:
            self._tick()
            if self._file is not None:
                with suppress(OSError):  # a full disk, or a folder that is gone: the run itself will tell
                    write_atomically(self._file, json.dumps({"seconds": round(self._worked, 1)}).encode())


def _read(file: Path | None) -> float:
    """What an earlier process has noted; 0 where there is nothing that can be read."""
    try:
        noted = float(json.loads(file.read_bytes())["seconds"]) if file else 0.0
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0
    return noted if 0 <= noted < inf else 0.0
