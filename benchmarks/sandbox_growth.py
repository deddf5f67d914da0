"""Whether many cells and many sessions leave something behind in this process: memory, file descriptors, threads."""

from __future__ import annotations

import gc
import os
import threading
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sandbox_contenders import FIRST, LIMITS, run
from sandbox.base import Sandbox

SETTLED_CELLS, SETTLED_SESSIONS = 50, 5
"""Done before the first look: libraries load and buffers grow to their size once."""


@dataclass(frozen=True)
class Held:
    """What this process holds."""

    rss_mb: float
    descriptors: int
    threads: int


@dataclass(frozen=True)
class Growth:
    """What has been held at first and at last."""

    times: int
    before: Held
    after: Held

    @property
    def rss_mb(self) -> float:
        """How much memory has been added."""
        return round(self.after.rss_mb - self.before.rss_mb, 2)

    @property
    def descriptors(self) -> int:
        """How many file descriptors have been added."""
        return self.after.descriptors - self.before.descriptors

    @property
    def threads(self) -> int:
        """How many threads have been added."""
        return self.after.threads - self.before.threads


def over_cells(sandbox: Sandbox, count: int) -> Growth:
    """`count` cells in one session. Raises: Failed, SandboxError."""
    with sandbox.session(limits=LIMITS) as session:
        for _ in range(SETTLED_CELLS):
            run(session, FIRST)
        before = held()
        for _ in range(count):
            run(session, FIRST)
        return Growth(count, before, held())


def over_sessions(sandbox: Sandbox, count: int) -> Growth:
    """`count` sessions of one cell, one after the other. Raises: Failed, SandboxError."""
    _sessions(sandbox, SETTLED_SESSIONS)
    before = held()
    _sessions(sandbox, count)
    return Growth(count, before, held())


def held() -> Held:
    """What this process holds now."""
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    descriptors = len(os.listdir("/proc/self/fd")) - 1  # the listing's own
    return Held(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, descriptors, threading.active_count())


def _sessions(sandbox: Sandbox, count: int) -> None:
    for _ in range(count):
        with sandbox.session(limits=LIMITS) as session:
            run(session, FIRST)
