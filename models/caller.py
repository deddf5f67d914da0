"""Calls of a model within its limits: money reserved before, retries under one policy, a circuit that opens."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection
from dataclasses import dataclass, field, replace

from models.base import AskingStopped, Failure
from models.chat import Call, Reply, send
from models.load import Loaded
from models.money import largest_cost
from models.records import Exchange, Record, Records
from models.retry import Circuit, with_retries
from models.trouble import Trouble

LEAST_SECONDS = 1.0
"""With less time nothing is asked."""


@dataclass
class Caller:
    """Makes the calls of one run, of all its models."""

    records: Records
    usd: float | None
    """All calls of the run together may cost so much."""
    backoff: float
    """Unit of the waits between calls, in seconds."""
    stopped: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _circuits: dict[str, Circuit] = field(default_factory=dict)
    _plain: dict[str, set[Failure]] = field(default_factory=dict)
    """Model -> what it does not take: "form" (a schema), "images", "system" (a turn of its own),
    "temperature"."""

    def reply(self, loaded: Loaded, record: Record, call: Call, seconds: float) -> Reply:
        """The model's reply within `seconds`; every call is added to `record`.

        Raises: Trouble, AskingStopped.
        """
        if seconds < LEAST_SECONDS:
            raise Trouble("budget", "no time is left to ask a model")
        return with_retries(
            lambda left: self._accepted(loaded, record, call, left), seconds, self.stopped, self.backoff
        )

    def circuit(self, model: str) -> Circuit:
        """Whether a model is worth asking."""
        with self._lock:
            return self._circuits.setdefault(model, Circuit())

    def spent(self) -> float:
        """USD so far, of replayed calls too; one in flight counts at its largest possible cost."""
        return sum(exchange.usd for record in self.records.all() for exchange in record.exchanges)

    def money_left(self) -> bool:
        """Whether a call can still be paid for."""
        return self.usd is None or self.usd == 0 or self.spent() < self.usd

    def _accepted(self, loaded: Loaded, record: Record, call: Call, seconds: float) -> Reply:
        """One call; what the model does not take is left out at once and from then on.

        A plain "bad request" leaves out a schema, pictures and a temperature; a system turn only where the server names
        it.
        """
        plain = self._plain.setdefault(loaded.name.text, set())
        end = time.monotonic() + seconds
        while True:
            left_out = frozenset(plain)  # others may add to it meanwhile
            given = without(call, left_out)
            try:
                return self._call(loaded, record, given, max(0.0, end - time.monotonic()))
            except Trouble as fault:
                extras: set[Failure] = {"form"} if given.schema else set()
                extras |= {"images"} if given.images else set()
                extras |= {"temperature"} if given.temperature is not None else set()
                refused = extras if fault.kind == "bad" else {fault.kind} & (extras | {"system"}) - left_out
                if fault.billed or not refused:
                    raise
                plain |= refused

    def _call(self, loaded: Loaded, record: Record, call: Call, seconds: float) -> Reply:
        """One call on record: at its largest cost before, at its true cost after."""
        if self.stopped.is_set():
            raise AskingStopped("the run was stopped")
        exchange = self._reserve(loaded, record, call)
        began = time.monotonic()
        try:
            reply = send(loaded, call, seconds, self.stopped)
        except Trouble as fault:
            if self.stopped.is_set():  # the model was closed under the call
                raise AskingStopped("the run was stopped while a model was being asked") from None
            exchange.trouble, exchange.why = fault.kind, fault.why
            if not fault.billed:
                exchange.usd, exchange.certain = 0.0, True
            raise
        else:
            exchange.reply = reply
            if not reply.usage.estimated:  # else it stays at the largest possible cost
                exchange.usd = loaded.price.cost(reply.usage) if loaded.price else 0.0
                exchange.certain = True
        finally:
            exchange.seconds = round(time.monotonic() - began, 3)
            self.records.keep(record)
        return reply

    def _reserve(self, loaded: Loaded, record: Record, call: Call) -> Exchange:
        """Write the call down before it is made, unless it could cost more than what is left."""
        with self._lock:
            cost, spent = largest_cost(loaded.price, call), self.spent()
            if self.usd is not None and spent + cost > self.usd:
                why = f"{spent:.4f} of {self.usd:g} USD are spent and this call may cost {cost:.4f}"
                raise Trouble("budget", why)
            exchange = Exchange(list(call.messages), usd=cost, certain=cost == 0.0)
            record.exchanges.append(exchange)
            self.records.keep(record)
        return exchange


def without(call: Call, plain: Collection[Failure]) -> Call:
    """`call` as a model takes it that has no use for what is in `plain`."""
    return replace(
        call,
        schema=None if "form" in plain else call.schema,
        images=() if "images" in plain else call.images,
        temperature=None if "temperature" in plain else call.temperature,
        system_apart="system" not in plain,
    )
