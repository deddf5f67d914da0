"""What is compared: a start with its first output, further cells, the end. Here are ours, cold and from the pool."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Protocol

from sandbox.base import Limits, Session
from sandbox.docker_sandbox import DockerSandbox

LIMITS = Limits()
"""What every container of ours gets, the limit's too: the defaults (one core, 4 GiB)."""
FIRST, SAYS = "print(1)", "1"
IMPORTS = """import pandas as pd
from sklearn.linear_model import LogisticRegression
frame = pd.DataFrame({"x": range(20), "y": [0] * 10 + [1] * 10})
print(LogisticRegression().fit(frame[["x"]], frame["y"]).score(frame[["x"]], frame["y"]))
"""
IMPORTS_SAY = "1.0"
CELL_SECONDS = 60.0
_WARM_SECONDS = 120.0


class Failed(Exception):
    """A contender did not do its work; the text says why."""


@dataclass(frozen=True)
class Timed:
    """Something that was done."""

    ms: float
    output: str | None
    """What it printed; None where that is not looked at."""


@dataclass(frozen=True)
class Trial:
    """One round of one contender, in milliseconds."""

    first: float
    """From nothing to the first output."""
    imports: float
    """From nothing to the first output of a cell that needs pandas and scikit-learn."""
    cell: float
    """Median of the cells after the first."""
    close: float


class Contender(Protocol):
    """A place for code. Raises: Failed."""

    name: str

    def start(self, code: str) -> Timed:
        """From nothing to the output of `code`."""
        ...

    def cell(self, code: str) -> Timed:
        """The output of one more cell."""
        ...

    def close(self) -> Timed:
        """Until it says that it has closed."""
        ...

    def end(self) -> None:
        """Free whatever there is, as after a failure; it may be started anew."""
        ...


def try_once(contender: Contender, cells: int) -> Trial:
    """Start, some cells, close; then the same with imports. Raises: Failed."""
    first = _checked(contender.start(FIRST), SAYS)
    times = [_checked(contender.cell(FIRST), SAYS) for _ in range(cells)]
    close = contender.close().ms
    imports = _checked(contender.start(IMPORTS), IMPORTS_SAY)
    contender.close()
    return Trial(first, imports, median(times), close)


def timed(action: Callable[[], str | None]) -> Timed:
    """How long `action` takes, and what it gives back."""
    began = time.perf_counter()
    output = action()
    return Timed(1000 * (time.perf_counter() - began), output)


def run(session: Session, code: str) -> str:
    """What `code` prints. Raises: Failed."""
    result = session.execute(code, CELL_SECONDS)
    if result.status != "ok":
        raise Failed(f"{result.status}: {result.error}")
    return result.stdout


class Cold:
    """Ours, each session from nothing. The sandbox is open before."""

    name = "ours_cold"

    def __init__(self, sandbox: DockerSandbox) -> None:
        self._sandbox = sandbox
        self._open = ExitStack()
        self._session: Session | None = None

    def start(self, code: str) -> Timed:
        return timed(lambda: self._start(code))

    def cell(self, code: str) -> Timed:
        session = self._session
        assert session is not None
        return timed(lambda: run(session, code))

    def close(self) -> Timed:
        return timed(self.end)

    def end(self) -> None:
        self._session = None
        self._open.close()

    def _start(self, code: str) -> str:
        self._session = self._open.enter_context(self._sandbox.session(limits=LIMITS))
        return run(self._session, code)


class Pooled(Cold):
    """Ours, each session out of the warm pool, which is full before; it refills beside the first cells, as it would."""

    name = "ours_pool"
    count = 1

    def start(self, code: str) -> Timed:
        self._sandbox.keep_warm(self.count, limits=LIMITS)
        self.settle()
        return super().start(code)

    def close(self) -> Timed:
        closed = super().close()
        self.settle()  # what refills the pool is not to slow the next contender
        return closed

    def settle(self) -> None:
        """Wait until the pool is full. Raises: Failed."""
        deadline = time.monotonic() + _WARM_SECONDS
        while self._sandbox.warm() < self.count:
            if time.monotonic() > deadline:
                raise Failed(f"the pool was not full after {_WARM_SECONDS:.0f} s")
            time.sleep(0.02)


def _checked(done: Timed, wanted: str) -> float:
    if done.output is not None and done.output.strip() != wanted:
        raise Failed(f"a cell said {done.output[-300:]!r} instead of {wanted!r}")
    return done.ms
