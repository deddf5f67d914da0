"""The warm pool by itself: what is kept, what is handed out, what is thrown away. Its sessions are stand-ins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest

from sandbox.base import Limits, Mount, SandboxLost
from sandbox.pool import IDLE_MB, MOST, Kind, Pool, most_idle
from sandbox.session import DockerSession

FIRST = Kind.of([Mount(Path("/a"), "/work/data")], None, {"SEED": "1"})
SECOND = Kind.of([Mount(Path("/b"), "/work/data")], None, {"SEED": "1"})


class Idle:
    """A session that waits."""

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        self.quiet = True

    def is_quiet(self) -> bool:
        return self.quiet


class Factory:
    """Starts and ends; remembers what lives."""

    def __init__(self) -> None:
        self.started: list[Kind] = []
        self.living: list[Idle] = []
        self.fault: Exception | None = None
        self.go = threading.Event()
        self.go.set()

    def start(self, kind: Kind) -> DockerSession:
        self.started.append(kind)
        self.go.wait(10)
        if self.fault:
            raise self.fault
        self.living.append(Idle(kind))
        return cast(DockerSession, self.living[-1])

    def end(self, session: DockerSession) -> None:
        self.living.remove(cast(Idle, session))


@contextmanager
def opened(factory: Factory, most: int = 4) -> Iterator[Pool]:
    pool = Pool(factory.start, factory.end, most)
    try:
        yield pool
    finally:
        pool.close()
    assert factory.living == []


def until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def kinds(factory: Factory) -> list[Kind]:
    return [idle.kind for idle in factory.living]


def test_each_is_handed_out_once_and_replaced() -> None:
    factory = Factory()
    with opened(factory) as pool:
        pool.keep(FIRST, 2)
        until(lambda: pool.ready() == 2)
        one = pool.take(FIRST)
        until(lambda: pool.ready() == 2)
        two = pool.take(FIRST)
        assert one is not None
        assert two is not None
        assert one is not two
        until(lambda: pool.ready() == 2)
        assert len(factory.started) == 4
        for session in (one, two):
            factory.end(session)


@pytest.mark.parametrize(
    "other",
    [
        SECOND,
        Kind.of([Mount(Path("/a"), "/work/data", writable=True)], None, {"SEED": "1"}),
        Kind.of([Mount(Path("/a"), "/work/data")], Limits(memory_mb=1), {"SEED": "1"}),
        Kind.of([Mount(Path("/a"), "/work/data")], None, {"SEED": "2"}),
        Kind.of([], None, {}),
    ],
)
def test_another_kind_gets_none(other: Kind) -> None:
    factory = Factory()
    with opened(factory) as pool:
        pool.keep(FIRST, 1)
        until(lambda: pool.ready() == 1)
        assert pool.take(other) is None
        assert pool.ready() == 1


def test_one_in_the_making_is_waited_for_by_one() -> None:
    factory = Factory()
    factory.go.clear()
    with opened(factory) as pool:
        pool.keep(FIRST, 1)
        until(lambda: len(factory.started) == 1)
        got: list[DockerSession | None] = []
        waiter = threading.Thread(target=lambda: got.append(pool.take(FIRST)))
        waiter.start()
        until(lambda: pool._awaited)
        assert pool.take(FIRST) is None  # a second one starts its own
        factory.go.set()
        waiter.join(10)
        assert got[0] is not None
        factory.end(got[0])


def test_what_is_no_longer_wanted_is_ended() -> None:
    factory = Factory()
    with opened(factory) as pool:
        pool.keep(FIRST, 2)
        until(lambda: pool.ready() == 2)
        pool.keep(FIRST, 1)
        until(lambda: pool.ready() == 1)
        pool.keep(FIRST, 0)
        until(lambda: factory.living == [])


def test_room_is_bounded_and_goes_to_the_latest_wish() -> None:
    factory = Factory()
    with opened(factory, most=3) as pool:
        pool.keep(FIRST, 3)
        until(lambda: pool.ready() == 3)
        pool.keep(SECOND, 2)
        until(lambda: sorted(kinds(factory), key=str) == sorted([FIRST, SECOND, SECOND], key=str))
        time.sleep(0.05)
        assert len(factory.living) == 3


def test_one_that_died_while_it_waited_is_not_handed_out() -> None:
    factory = Factory()
    with opened(factory) as pool:
        pool.keep(FIRST, 2)
        until(lambda: pool.ready() == 2)
        dead = factory.living[0]
        dead.quiet = False
        session = pool.take(FIRST)
        assert session is not None
        assert cast(Idle, session) is not dead
        assert dead not in factory.living
        factory.end(session)


def test_a_machine_that_cannot_start_one_is_not_asked_without_end() -> None:
    factory = Factory()
    factory.fault = SandboxLost("no engine")
    with opened(factory) as pool:
        pool.keep(FIRST, 3)
        until(lambda: len(factory.started) == 1)
        time.sleep(0.05)
        assert len(factory.started) == 1
        assert pool.take(FIRST) is None
        factory.fault = None
        pool.keep(FIRST, 1)  # asked for again, it is tried again
        until(lambda: pool.ready() == 1)


def test_closing_ends_what_is_being_started() -> None:
    factory = Factory()
    factory.go.clear()
    pool = Pool(factory.start, factory.end, 4)
    pool.keep(FIRST, 2)
    until(lambda: len(factory.started) == 1)
    closer = threading.Thread(target=pool.close)
    closer.start()
    factory.go.set()
    closer.join(10)
    assert factory.living == []
    assert len(factory.started) == 1
    pool.keep(FIRST, 2)
    assert pool.take(FIRST) is None


@pytest.mark.parametrize(("memory_mb", "most"), [(0, 0), (1024, 0), (8 * 1024, 4), (10**6, MOST)])
def test_memory_bounds_it(memory_mb: int, most: int) -> None:
    assert most_idle(memory_mb) == most
    assert most * IDLE_MB <= memory_mb
