"""The one policy for calls that fail: wait and ask again, or open the circuit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_random_exponential

from models.trouble import FINAL, PASSING, Trouble

T = TypeVar("T")
CALLS = 4
"""Calls for one answer at most."""
LONGEST_WAIT = 60.0
"""Seconds; a server that asks for more is not waited for."""
STRIKES = 3
"""So many questions lost in a row open the circuit."""


@dataclass
class Circuit:
    """Whether a model is worth asking. Opened by faults that will not pass and by many in a row; a resumed run
    begins with a closed one."""

    why: str | None = None
    """Why nothing is asked any more; None while all is well."""
    strikes: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def worked(self) -> None:
        """An answer came."""
        with self.lock:
            self.strikes = 0

    def failed(self, fault: Trouble) -> None:
        """A question was lost to `fault`."""
        with self.lock:
            if fault.kind in FINAL:
                self.why = fault.why
            elif fault.kind in PASSING:
                self.strikes += 1
                if self.strikes >= STRIKES:
                    self.why = f"{self.strikes} questions in a row had no answer; the last: {fault.why}"


def with_retries(ask: Callable[[float], T], seconds: float, stopped: threading.Event, unit: float = 1.0) -> T:
    """`ask(seconds left)` until it answers, for at most CALLS calls and `seconds` in all.

    Between calls it waits as long as the server asks for, else a random time that grows from `unit` seconds.

    Raises: Trouble, the last one.
    """
    end = time.monotonic() + seconds

    def again(fault: BaseException) -> bool:
        return (
            isinstance(fault, Trouble)
            and fault.kind in PASSING
            and (fault.wait or 0.0) < min(LONGEST_WAIT, end - time.monotonic())
            and not stopped.is_set()
        )

    policy = Retrying(
        retry=retry_if_exception(again),
        stop=lambda state: stop_after_attempt(CALLS)(state) or time.monotonic() >= end,
        wait=lambda state: _wait(state, wait_random_exponential(multiplier=unit, max=20.0 * unit)),
        sleep=lambda pause: _sleep(min(pause, max(0.0, end - time.monotonic())), stopped),
        reraise=True,
    )
    return policy(lambda: ask(max(0.1, end - time.monotonic())))


def _wait(state: RetryCallState, backoff: wait_random_exponential) -> float:
    fault = state.outcome.exception() if state.outcome else None
    asked = fault.wait if isinstance(fault, Trouble) else None
    return asked if asked is not None else backoff(state)


def _sleep(seconds: float, stopped: threading.Event) -> None:
    stopped.wait(seconds)
