"""Warm containers: started, the usual imports done, waiting for their one use.

Starting a container and importing pandas and scikit-learn takes a second and a half; a session that finds a warm one
starts within milliseconds. One thread refills the pool while others think or run.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sandbox.base import Limits, Mount, SandboxClosed, SandboxError
from sandbox.session import DockerSession

IDLE_MB = 200
"""What an idle warm container takes in MiB (measured: 140 without the page cache, which containers share)."""
MEMORY_SHARE = 0.1
"""All idle warm containers together take at most this share of the engine's memory."""
MOST = 8

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Kind:
    """What a container is started with; only a session that asks for exactly this may have it."""

    mounts: tuple[Mount, ...]
    limits: Limits
    env: tuple[tuple[str, str], ...]

    @staticmethod
    def of(mounts: Sequence[Mount], limits: Limits | None, env: Mapping[str, str] | None) -> Kind:
        """From the arguments of `Sandbox.session`."""
        return Kind(tuple(mounts), limits or Limits(), tuple(sorted((env or {}).items())))


def most_idle(memory_mb: int) -> int:
    """How many warm containers may wait on an engine with so much memory."""
    return min(MOST, int(memory_mb * MEMORY_SHARE / IDLE_MB))


class Pool:
    """At most `most` idle sessions. `start` makes a warm one, `end` frees one. Thread-safe."""

    def __init__(self, start: Callable[[Kind], DockerSession], end: Callable[[DockerSession], None], most: int) -> None:
        self._start, self._end, self._most = start, end, most
        self._changed = threading.Condition()
        self._wanted: dict[Kind, int] = {}  # in the order in which they were asked for
        self._idle: list[tuple[Kind, DockerSession]] = []
        self._making: Kind | None = None
        self._awaited = False  # somebody waits for the one that is in the making
        self._closed = False
        self._filler: threading.Thread | None = None

    def keep(self, kind: Kind, count: int) -> None:
        """Have `count` of `kind` ready from now on; where there is no room for all, what was asked for last counts."""
        with self._changed:
            if self._closed or self._wanted.get(kind, 0) == count:
                return
            self._wanted.pop(kind, None)
            if count:
                self._wanted[kind] = count
            if self._filler is None:
                self._filler = threading.Thread(target=self._fill, name="warm-pool", daemon=True)
                self._filler.start()
            self._changed.notify_all()

    def take(self, kind: Kind) -> DockerSession | None:
        """A warm one for one use; waits for one that is nearly ready. None: start a cold one."""
        while (session := self._pop(kind)) is not None:
            if session.is_quiet():
                return session
            self._end(session)  # it died while it waited: a restarted engine, or somebody removed it
        return None

    def ready(self) -> int:
        """How many wait for their use."""
        with self._changed:
            return len(self._idle)

    def close(self) -> None:
        """End all and the thread. Raises: SandboxLost (the engine went away; the containers end with their clients)."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._filler:
            self._filler.join()
        with self._changed:
            left, self._idle = self._idle, []
        for _, session in left:
            self._end(session)

    def _pop(self, kind: Kind) -> DockerSession | None:
        with self._changed:
            if self._making == kind and not self._awaited and not self._has(kind):
                self._awaited = True
                self._changed.wait_for(lambda: self._making != kind or self._has(kind) or self._closed)
                self._awaited = False
            for place, (found, session) in enumerate(self._idle):
                if found == kind:
                    del self._idle[place]
                    self._changed.notify_all()
                    return session
        return None

    def _has(self, kind: Kind) -> bool:
        return any(found == kind for found, _ in self._idle)

    def _fill(self) -> None:
        """Thread: end what is too much, start what is lacking, wait."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closed or self._surplus() is not None or self._lacking())
                if self._closed:
                    return
                place, lacking = self._surplus(), self._lacking()
                surplus = None if place is None else self._idle.pop(place)[1]
                self._making = None if surplus else lacking
            if surplus:
                self._free(surplus)
            elif lacking:
                self._make(lacking)

    def _make(self, kind: Kind) -> None:
        session = None
        try:
            session = self._start(kind)
        except SandboxClosed:
            pass  # the thread is told at its next look
        except SandboxError as error:
            _LOG.warning("no container is kept warm: %s", error)  # a session of this kind will raise what is wrong
        finally:  # whatever it was: nobody is to wait for this one any longer
            with self._changed:
                self._making = None
                if session:
                    self._idle.append((kind, session))
                else:
                    self._wanted.pop(kind, None)
                self._changed.notify_all()

    def _free(self, session: DockerSession) -> None:
        try:
            self._end(session)
        except SandboxError as error:
            _LOG.warning("a warm container could not be removed: %s", error)

    def _allowed(self) -> dict[Kind, int]:
        """How many of each kind there may be, the latest wish first."""
        room, allowed = self._most, {}
        for kind, count in reversed(self._wanted.items()):
            allowed[kind] = min(count, room)
            room -= allowed[kind]
        return allowed

    def _surplus(self) -> int | None:
        """Where among the idle one is that nobody wants any more."""
        left = self._allowed()
        for place, (kind, _) in enumerate(self._idle):
            left[kind] = left.get(kind, 0) - 1
            if left[kind] < 0:
                return place
        return None

    def _lacking(self) -> Kind | None:
        """A kind of which one more is wanted."""
        there = [kind for kind, _ in self._idle]
        return next((kind for kind, count in self._allowed().items() if there.count(kind) < count), None)
