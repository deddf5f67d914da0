"""Drives the graph for a command line: folder, checkpoints, events, Ctrl-C, resume."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.types import Command

from agents.review import apply_review, read_review, review_text
from grading.base import TaskError
from grading.layout import task_name
from graphs.checkpoints import THREAD, open_store
from graphs.context import Context
from graphs.delivered import put_back, read_report
from graphs.folder import RunFolder
from graphs.full_disk import room_for
from graphs.live import close, live, stop
from graphs.owning import moved, owning
from graphs.pipeline import builder
from graphs.prepare import prepare
from graphs.state import InputState
from models.base import AskingStopped
from sandbox.base import SandboxError
from sandbox.files import write_atomically
from sandbox.stopping import stoppable

Watch = Callable[[dict[str, Any]], None]
"""Takes one event: {"event": "opening" | "resumed" | "stage" | "started" | "ended", ...}."""
INTERRUPT = "__interrupt__"
"""Under this name LangGraph streams that it waits for a person."""
SPARE_THREADS = 2
"""LangGraph's pool also holds the thread that waits for the stream: with none to spare a run of one script at a time
would wait for ever. How many scripts run side by side is bounded by Live.slots."""
ASKING_THREADS = 4
"""So many branches may wait for a model while others run their scripts."""


@dataclass(frozen=True)
class Outcome:
    """How driving ended."""

    report: dict[str, Any] = field(default_factory=dict)
    interrupted: bool = False
    review: Path | None = None
    """The file that a person is to look at before the run goes on."""


def new_run_folder(task: Path | None, out: Path | None) -> Path:
    """The folder of a new run, not yet begun; what a model was asked for it before counts as nothing.

    Raises: TaskError where it holds a run already.
    """
    if out is None:
        name = task_name(task) if task else "run"
        return Path("runs") / f"{name}-{time.strftime('%Y%m%d-%H%M%S')}"
    if out.exists() and (not out.is_dir() or any(path.name != RunFolder(out).llm.name for path in out.iterdir())):
        raise TaskError(f"--out {out} is there already: name another folder, or go on with it by --resume {out}.")
    return out


def solve(task: Path | None, folder: Path, context: Context, watch: Watch) -> Outcome:
    """Run the graph in `folder` to its end, or to a review; a run that was begun goes on where it stopped.

    Raises: TaskError, SandboxError, ReplayDiffers.
    """
    run = str(folder)
    with room_for(run):
        if task is None:
            RunFolder(folder).load()
        else:
            prepare(str(task), run, context, watch)
        with owning(run):
            return _drive(str(task or ""), run, context, watch)


def _drive(task: str, run: str, context: Context, watch: Watch) -> Outcome:
    """Stream until the end, a review or a stop."""
    try:
        with stoppable(lambda: stop(run)) as stopping:
            try:
                review = _stream(task, run, context, watch)
            except (SandboxError, AskingStopped):
                # A stop ends what runs with such an error; without a stop the machine really failed.
                if stopping.is_set():
                    return Outcome(interrupted=True)
                raise
    finally:
        close(run)
    return Outcome(review=review) if review else Outcome(read_report(RunFolder(Path(run))))


def _stream(task: str, run: str, context: Context, watch: Watch) -> Path | None:
    """Drive the graph; the file to review where it waits for a person."""
    folder = RunFolder(Path(run))
    with open_store(folder) as store:
        graph = builder.compile(checkpointer=store.saver)
        config = graph_config(folder, store.thread)
        begun = graph.get_state(config)
        # Where nothing is done yet and the folder has moved since, begin once more, at today's path.
        known = "facts" in begun.values or begun.values.get("run") == run
        if known and not begun.tasks:  # not `next`: it leaves out tasks whose outcome no step has taken up yet
            put_back(folder)
            return None
        given: InputState | Command[Any] | None = None if known else {"task": task, "run": run}
        if begun.interrupts:
            given = Command(resume=reviewed(folder, begun.values))
        watch({"event": "opening", "run": run})
        if known:
            moved(begun.values["run"], run)
            watch({"event": "resumed", "state": begun.values})
            live(run)
        stream = graph.stream(
            given, config, context=context, stream_mode=["updates", "custom"], subgraphs=True, durability="sync"
        )
        with closing(
            cast(Generator[Any, None, None], stream)
        ):  # else branches write on when the store is closed already
            for part in stream:
                for event in _events(*part):
                    watch(event)
                    if event.get("node") == "plan":  # all branches of the step before it are done
                        store.prune()
        waiting = graph.get_state(config).interrupts
    return write_review(folder, waiting[0].value) if waiting else None


def reviewed(folder: RunFolder, state: dict[str, Any]) -> list[dict[str, Any]]:
    """What a person made of the instructions. Raises: TaskError."""
    entries = read_review(folder.review)
    apply_review(entries, state["pool"], state["ranking"], "write" in folder.load()[1].models)
    return entries


def write_review(folder: RunFolder, value: dict[str, Any]) -> Path:
    """Put the ranked instructions into a file for a person; one that is there already is theirs."""
    if not folder.review.exists():
        text = review_text(value["instructions"], f"python -m agents.run --resume {folder.path}")
        write_atomically(folder.review, text.encode())
    return folder.review


def graph_config(folder: RunFolder, thread: str = THREAD) -> RunnableConfig:
    """Thread name and size of the pool."""
    settings = folder.load()[1]
    threads = settings.parallel + SPARE_THREADS + (ASKING_THREADS if settings.models else 0)
    return {"configurable": {"thread_id": thread}, "max_concurrency": threads}


def _events(namespace: tuple[str, ...], mode: str, data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Events for people: a node's own ones, and one for each node of the main graph that ended."""
    if mode == "custom":
        yield data
    elif not namespace:
        yield from ({"event": "stage", "node": n, "update": update} for n, update in data.items() if n != INTERRUPT)
