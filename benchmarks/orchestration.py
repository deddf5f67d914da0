# ruff: noqa: ARG002 - the instant model takes what a real one takes
"""What a run costs besides models and sandbox: time an attempt and a node, size of the checkpoints, memory.

`python -m benchmarks.orchestration`: one run of many attempts with the real graph, plan, gate, records and checkpoints;
the model answers at once (through LangChain, as a real one would), sandbox and grader are the scripted ones of the
tests. The last line is one JSON object.
"""

from __future__ import annotations

import json
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")  # as agents.run sets it
from agents.drive import solve
from graphs import live
from graphs.context import Context
from graphs.live import Live
from graphs.prepare import prepare
from models.base import ROLES
from models.gate import Gate
from models.load import Loaded, nothing
from models.names import ModelName
from models.prices import FreePrice
from models.records import Records
from tests.fakes import ScriptedGrader, ScriptedSandbox, a_task, ok

WINDOW = 20
"""Attempts over which a median is taken: at the beginning and at the end."""
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_PLAN = {"preprocessing": "fill", "model": "trees", "training": "folds"}
_JSON: dict[str, dict[str, Any]] = {
    "InsightForm": {"objective": "y", "modality": "tabular", "pitfalls": []},
    "Ideas": {"ideas": [{"title": f"plan {n}"} | _PLAN for n in (1, 2, 3)]},
    "Reviews": {"reviews": []},
}


class InstantChat(BaseChatModel):
    """Answers at once: JSON where a form is asked for, else a script of common length that differs each time."""

    asked: int = 0

    @property
    def _llm_type(self) -> str:
        return "instant"

    def _answer(self, **kwargs: Any) -> str:
        self.asked += 1
        form = (kwargs.get("response_format") or {}).get("json_schema", {}).get("name")
        if form:
            return json.dumps(_JSON[form])
        lines = "\n".join(f"value_{n} = {n} + {self.asked}" for n in range(120))
        return f"Change: number {self.asked}.\n```python\n{lines}\nopen('submission.csv', 'w')\n```"

    def _generate(self, messages: list[BaseMessage], *_: Any, **kwargs: Any) -> ChatResult:
        return ChatResult(generations=[ChatGeneration(message=AIMessage(content=self._answer(**kwargs)))])

    def _stream(self, messages: list[BaseMessage], *_: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        chunk = AIMessageChunk(content=self._answer(**kwargs), response_metadata={"finish_reason": "stop"})
        yield ChatGenerationChunk(message=chunk)


class Watch:
    """When attempts end, and how long the nodes of the main graph take."""

    def __init__(self) -> None:
        self.ends: list[float] = []
        self.drafts: set[str] = set()

    def take(self, event: dict[str, Any]) -> None:
        """Note the end of each attempt's first view."""
        if event["event"] == "ended" and event["run"]["view"] == 1 and event["run"]["attempt"] not in self.drafts:
            self.drafts.add(event["run"]["attempt"])
            self.ends.append(time.perf_counter())

    def gaps_ms(self) -> list[float]:
        """Milliseconds between the ends of one attempt and the next."""
        return [1000 * (later - earlier) for earlier, later in zip(self.ends, self.ends[1:], strict=False)]


@app.command()
def main(attempts: Annotated[int, typer.Option(min=60, help="How many attempts the run makes.")] = 200) -> None:
    """Measure one run; print what was found, and as the last line one JSON object."""
    with tempfile.TemporaryDirectory() as place:
        found = measure(Path(place), attempts)
    for name, value in found.items():
        print(f"{name:>26} {value}")
    print(json.dumps(found))


def measure(place: Path, attempts: int) -> dict[str, float]:
    """Run `attempts` attempts one after the other in a new folder below `place`."""
    (place / "data").mkdir()
    before = _resident_mb()
    context = Context(metric="rmse", attempts=attempts, minutes=10_000, parallel=1)
    folder = prepare(str(place / "data"), str(place / "run"), context)
    spec, settings = folder.load()
    # Every attempt is clearly better than the one before, so that none races and improving is never stuck.
    values = {f"{n:04d}": float(attempts - n) for n in range(1, attempts + 1)}
    grader = ScriptedGrader(folder.path, a_task(), values)
    records = Records(folder.llm)
    loaded = Loaded(ModelName("instant", "hf", "instant"), InstantChat(), (ValueError,), FreePrice(), nothing)
    gate = Gate(dict.fromkeys(ROLES, "instant"), {"instant": loaded}, records, lambda event: None)
    sandbox = ScriptedSandbox([ok()] * (attempts + 2))
    live.use(str(folder.path), Live(folder, settings, spec.data, sandbox, grader, gate, records))
    watch = Watch()
    began = time.perf_counter()
    report = solve(place / "data", folder.path, context, watch.take).report
    seconds = time.perf_counter() - began
    gaps = watch.gaps_ms()
    assert len(report["attempts"]) == attempts, f"{len(report['attempts'])} attempts were made"
    return {
        "attempts": attempts,
        "attempt_ms": round(median(gaps[:WINDOW]), 1),
        "attempt_ms_at_200": round(median(gaps[-WINDOW:]), 1),
        "node_ms": round(median(gaps) / 6, 1),  # write, execute, grade, record, plan, and the way between them
        "checkpoint_mb_at_200": round(folder.checkpoints.stat().st_size / 2**20, 2),
        "host_mb": round(_resident_mb(), 1),
        "host_growth_mb": round(_resident_mb() - before, 1),
        "seconds": round(seconds, 1),
    }


def _resident_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    app()
