"""Every exchange with a model, on disk before and after it: for resume, replay, accounts and readers.

One file a question, `llm/<key>.json`. A call in flight is written down first, at its largest possible cost: where the
process dies, that is what it counts.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from grading.base import TaskError
from models.base import ROLES, Failure, Level, Role
from models.chat import Message, Reply
from models.normal import fingerprint
from models.secrets import redact
from sandbox.files import write_atomically

MAX_BYTES = 50_000_000
"""A larger file is no record of ours."""


@dataclass
class Exchange:
    """One call: what was sent, and what came."""

    messages: list[Message]
    reply: Reply | None = None
    """None where none came, or none yet."""
    trouble: Failure | None = None
    """What went wrong, where none came."""
    why: str | None = None
    """The same in one sentence."""
    usd: float = 0.0
    """What it cost; where it is not known whether it was charged, what it can have cost at most."""
    certain: bool = True
    """False while `usd` is the largest possible cost."""
    replayed: bool = False
    """Taken from another record: no call was made and nothing was paid."""
    seconds: float = 0.0


@dataclass
class Record:
    """A question, its calls and its end."""

    key: str
    role: Role
    model: str
    """As the user named it."""
    privacy: Level
    prompt: str
    """Template, with the first digits of its sha256."""
    sent: list[str] = field(default_factory=list)
    withheld: list[str] = field(default_factory=list)
    exchanges: list[Exchange] = field(default_factory=list)
    failure: Failure | None = None
    why: str | None = None
    """Why it has no answer."""

    def of(self, messages: Sequence[Message]) -> list[Exchange]:
        """The exchanges in which this was sent, but for what varies by itself."""
        wanted = fingerprint(messages)
        return [exchange for exchange in self.exchanges if fingerprint(exchange.messages) == wanted]


_RECORD = TypeAdapter(Record)
_OURS = frozenset({"role", "privacy", "trouble", "failure", "finish"})
"""Fields that hold words of this program: they stay, also where one of them is somebody's secret."""


@dataclass
class Records:
    """The records of one run, below `folder`."""

    folder: Path
    lock: threading.Lock = field(default_factory=threading.Lock)
    _known: dict[str, Record] | None = None

    def all(self) -> list[Record]:
        """Every record, by key."""
        with self.lock:
            return [record for _, record in sorted(self._load().items())]

    def find(self, key: str) -> Record | None:
        """The record of a question."""
        with self.lock:
            return self._load().get(key)

    def keep(self, record: Record) -> None:
        """Write `record` down as it is now."""
        with self.lock:
            self._load()[record.key] = record
            text = json.dumps(_hidden(asdict(record)), indent=1, ensure_ascii=False)
            write_atomically(self._path(record.key), text.encode("utf-8", "replace"))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key.replace('/', '-')}.json"

    def _load(self) -> dict[str, Record]:
        if self._known is None:
            records = [read_record(path) for path in sorted(self.folder.glob("*.json"))]
            self._known = {record.key: record for record in records}
        return self._known


def read_record(path: Path) -> Record:
    """Read one record.

    Raises: TaskError where it is none.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise TaskError(f"{path} is larger than any record of a model's answers; name another run.")
        return _RECORD.validate_json(path.read_bytes())
    except (OSError, ValidationError) as fault:
        raise TaskError(f"{path} is no readable record of a model's answers ({type(fault).__name__}).") from None


def _hidden(value: Any) -> Any:
    """A record's fields without secrets. Text by text: in JSON a secret could be escaped, or be the name of a field."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_hidden(part) for part in value]
    if isinstance(value, dict):
        return {name: part if name in _OURS else _hidden(part) for name, part in value.items()}
    return value


def totals(records: list[Record]) -> dict[str, dict[str, Any]]:
    """Role -> questions, calls, tokens, money and time; and the sum of all under "all"."""
    asked = {record.role for record in records}
    found: dict[str, dict[str, Any]] = {role: dict(_ZERO) for role in ROLES if role in asked}
    for record in records:
        for name in (record.role, "all"):
            _add(found.setdefault(name, dict(_ZERO)), record)
    for sums in found.values():
        sums["usd"], sums["seconds"] = round(sums["usd"], 6), round(sums["seconds"], 1)
    return found


_ZERO = {
    "questions": 0, "unanswered": 0, "calls": 0, "prompt_tokens": 0, "completion_tokens": 0, "usd": 0.0, "seconds": 0.0,
    "replayed": 0, "estimated": False, "certain": True,
}  # fmt: skip


def _add(sums: dict[str, Any], record: Record) -> None:
    sums["questions"] += 1
    sums["unanswered"] += record.failure is not None
    for exchange in record.exchanges:
        if exchange.replayed:
            sums["replayed"] += 1
            continue
        sums["calls"] += 1
        sums["usd"] += exchange.usd
        sums["certain"] &= exchange.certain
        sums["seconds"] += exchange.seconds
        if exchange.reply:
            sums["prompt_tokens"] += exchange.reply.usage.prompt
            sums["completion_tokens"] += exchange.reply.usage.completion
            sums["estimated"] |= exchange.reply.usage.estimated
