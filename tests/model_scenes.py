"""A gate before a scripted model server, for tests: real client, real HTTP, nothing but 127.0.0.1."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from grading.task import PriceSpec
from models.answers import read_json
from models.base import Level, NoAnswer, Question
from models.check import Sum
from models.gate import Gate
from models.load import load_model
from models.names import parse_model
from models.records import Record, Records
from tests.model_answers import EVENTS, Reply, answer
from tests.model_server import Script, Server, serving

OK = answer('{"sum": 42}')
"""The answer to a question."""
RIGHT = 42
PROSE = answer("It is forty-two.")
PER_TOKEN = PriceSpec(input=1.0, output=1.0)
"""USD per million tokens, so that a token costs a millionth."""
PNG = b"\x89PNG\r\n\x1a\n not more than its first bytes"


def read_sum(text: str) -> int:
    """The number in an answer."""
    return read_json(text, Sum).sum


def a_question(key: str = "first", **changes: Any) -> Question[int]:
    """What is asked when it does not matter what."""
    fields: dict[str, Any] = {"role": "check", "template": "check", "variables": {}, "schema": Sum, "seconds": 30.0}
    return Question(key=key, **({"read": read_sum} | fields | changes))


def about(**changes: object) -> Question[int]:
    """A question about a task; `changes` are variables of its prompt."""
    names = ("task", "description", "files", "columns", "examples", "train_rows", "submission_rows")
    variables: dict[str, object] = dict.fromkeys(names, "-") | {"insight": None, "metric_code": None}
    return a_question(template="describe", variables=variables | changes)


@dataclass
class Scene:
    """A gate, its server and what it said."""

    server: Server
    gate: Gate
    events: list[dict[str, Any]]
    model: str

    def failure(self, question: Question[Any] | None = None) -> NoAnswer:
        """Why a question has no answer."""
        with pytest.raises(NoAnswer) as caught:
            self.gate.ask(question or a_question())
        return caught.value

    def bodies(self) -> list[dict[str, Any]]:
        """What the server was sent."""
        return [request.body for request in self.server.requests]

    def prompts(self) -> list[str]:
        """The text of the last message of each request."""
        contents = [body["messages"][-1]["content"] for body in self.bodies()]
        return [content if isinstance(content, str) else content[0]["text"] for content in contents]

    def said(self, event: str) -> list[dict[str, Any]]:
        """The events of a kind."""
        return [fields for fields in self.events if fields["event"] == event]

    def record(self, key: str = "first") -> Record:
        """What is on disk about a question."""
        [found] = [record for record in Records(self.gate.records.folder).all() if record.key == key]
        return found


@contextmanager
def asking(
    folder: Path,
    script: Script,
    level: Level = "samples",
    usd: float | None = None,
    prices: Mapping[str, PriceSpec] | None = None,
) -> Iterator[Scene]:
    """A scene whose server is asked for all of `script` and nothing beyond it; the model in `prices` is "tiny"."""
    with serving(script) as server:
        name = f"openai:tiny@{server.url}"
        loaded = load_model(parse_model(name), prices or {})
        events: list[dict[str, Any]] = []
        records = Records(folder / "llm")
        gate = Gate({"check": name}, {name: loaded}, records, events.append, level, usd, backoff=0.01)
        yield Scene(server, gate, events, name)
        gate.close()
    assert server.overrun == []
    assert callable(script) or len(server.requests) == len(script)


def resumed(scene: Scene, usd: float | None = None) -> Scene:
    """The same server and the same folder, seen by a process that knows nothing but what is on disk."""
    events: list[dict[str, Any]] = []
    old = scene.gate
    new = Gate(old.names, old.minds, Records(old.records.folder), events.append, old.level, usd, backoff=0.01)
    return Scene(scene.server, new, events, scene.model)


def in_one_piece(text: str, usage: Any = None) -> Reply:
    """A stream of one piece that counts no tokens, or as `usage` says."""
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    chunk = {"id": "chatcmpl", "object": "chat.completion.chunk", "created": 1, "model": "tiny", "choices": [choice]}
    told = chunk | ({} if usage is None else {"usage": usage})
    return Reply(200, f"data: {json.dumps(told)}\n\ndata: [DONE]\n\n", EVENTS)
