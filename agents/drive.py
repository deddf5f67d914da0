"""Drives the graph for a command line: folder, checkpoints, events, Ctrl-C, resume."""

from __future__ import annotations

import json
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.sqlite import SqliteSaver

from grading.base import TaskError
from graphs.context import Context
from graphs.folder import RunFolder
from graphs.live import close, live, stop
from graphs.nodes import prepare
from graphs.pipeline import builder
from graphs.state import InputState
from sandbox.base import SandboxError

Watch = Callable[[dict[str, Any]], None]
"""Takes one event: {"event": "opening" | "resumed" | "stage" | "started" | "ended", ...}."""
THREAD = "run"
"""Each run has a checkpoint file of its own, so one thread name serves all."""
SPARE_THREADS = 2
"""LangGraph's pool also holds the thread that waits for the stream: with none to spare a run of one script at a time
would wait for ever. How many scripts run side by side is bounded by Live.slots."""


@dataclass(frozen=True)
class Outcome:
    """How driving ended."""

    report: dict[str, Any] = field(default_factory=dict)
    interrupted: bool = False


def new_run_folder(task: Path | None, out: Path | None) -> Path:
    """The folder of a new run, not yet made.

    Raises: TaskError where it holds a run already.
    """
    if out is None:
        name = (task.parent if task.suffix in (".yaml", ".yml") else task).resolve().name if task else "run"
        return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise TaskError(f"--out {out} is there already: name another folder, or go on with it by --resume {out}.")
    return out


def solve(task: Path | None, folder: Path, context: Context, watch: Watch) -> Outcome:
    """Run the graph in `folder` to its end; a run that was begun goes on where it stopped.

    Raises: TaskError, SandboxError.
    """
    run = str(folder)
    if task is None:
        RunFolder(folder).load()
    else:
        prepare(str(task), run, context)
    try:
        with stoppable(run) as stopping:
            try:
                _stream(str(task or ""), run, context, watch)
            except SandboxError:
                # A stop ends what runs with such an error; without a stop the machine really failed.
                if stopping.is_set():
                    return Outcome(interrupted=True)
                raise
    finally:
        close(run)
    return Outcome(json.loads(RunFolder(folder).report.read_text()))


def _stream(task: str, run: str, context: Context, watch: Watch) -> None:
    folder = RunFolder(Path(run))
    with SqliteSaver.from_conn_string(str(folder.checkpoints)) as saver:
        graph = builder.compile(checkpointer=saver)
        config = _config(folder)
        begun = graph.get_state(config)
        if begun.values and not begun.next:
            return
        watch({"event": "opening", "run": run})
        if begun.values:
            watch({"event": "resumed", "state": begun.values})
            live(run)
        given: InputState | None = None if begun.values else {"task": task, "run": run}
        stream = graph.stream(
            given, config, context=context, stream_mode=["updates", "custom"], subgraphs=True, durability="sync"
        )
        for part in stream:
            for event in _events(*part):
                watch(event)


def _config(folder: RunFolder) -> RunnableConfig:
    parallel = folder.load()[1].parallel
    return {"configurable": {"thread_id": THREAD}, "max_concurrency": parallel + SPARE_THREADS}


def _events(namespace: tuple[str, ...], mode: str, data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Events for people: a node's own ones, and one for each node of the main graph that ended."""
    if mode == "custom":
        yield data
    elif not namespace:
        yield from ({"event": "stage", "node": node, "update": update} for node, update in data.items())


@contextmanager
def stoppable(run: str) -> Iterator[threading.Event]:
    """Ctrl-C and SIGTERM stop the run cleanly while this is open (main thread only)."""
    stopping = threading.Event()

    def on_signal(_number: int, _frame: FrameType | None) -> None:
        if not stopping.is_set():
            stopping.set()
            threading.Thread(target=stop, args=(run,)).start()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopping
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def preview(task: Path, context: Context) -> dict[str, Any]:
    """What a run would do: the task as inferred, the candidates in order, the largest cost. Leaves nothing behind.

    Raises: TaskError, SandboxError.
    """
    run = tempfile.mkdtemp(prefix="linguacodus-preview-")
    try:
        folder = prepare(str(task), run, context)
        with SqliteSaver.from_conn_string(str(folder.checkpoints)) as saver:
            graph = builder.compile(checkpointer=saver, interrupt_before=["plan"])
            state = graph.invoke({"task": str(task), "run": run}, _config(folder), context=context, durability="sync")
            values = graph.get_state(_config(folder)).values if state is not None else {}
        settings = folder.load()[1]
    finally:
        close(run)
        shutil.rmtree(run, ignore_errors=True)
    titles = {instruction.id: instruction for instruction in values["pool"]}
    return {
        "task": asdict(values["facts"]),
        "description": asdict(values["description"]),
        "candidates": [asdict(ranked) | {"title": titles[ranked.instruction].title} for ranked in values["ranking"]],
        "settings": asdict(settings),
        "largest_cost": {"minutes": settings.minutes, "attempts": settings.attempts, "usd": 0.0},
    }
