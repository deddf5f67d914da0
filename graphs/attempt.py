"""attempt: one instruction, up to three tries, on one view. A subgraph, so that it resumes at its own node.

write -> execute -> (repair -> execute)* -> grade -> record
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.scripts import Draft
from grading.base import FULL_VIEW, Grade
from graphs.context import Context
from graphs.full_disk import require_room
from graphs.keeping import faults_of, keep
from graphs.live import Live, live
from graphs.making import first_script, next_script
from graphs.state import Attempt, AttemptState, Run
from models.base import NoAnswer
from prompts.render import render as words
from sandbox.files import write_atomically
from sandbox.script import run_script

SUBMISSION_BYTES = 512 * 2**20
"""Largest submission that is taken out of the sandbox."""


class AttemptOutput(TypedDict):
    """What a branch hands back to the graph."""

    attempts: dict[str, Attempt]
    runs: dict[str, Run]


def write_node(state: AttemptState) -> AttemptState:
    """The first try's script."""
    folder = live(state["run"]).folder
    home = folder.attempt(state["assignment"].attempt, 1)
    write_atomically(home.parent / "instruction.md", words("instruction", instruction=state["instruction"]).encode())
    return _script(state, 1, first_script)


def repair_node(state: AttemptState, runtime: Runtime[Context]) -> AttemptState:
    """The next try's script; none where nothing is left to try."""
    failed = {"attempt": state["assignment"].attempt, "tries": state["tries"], "faults": state["faults"]}
    runtime.stream_writer({"event": "failed"} | failed)
    return _script(state, state["tries"] + 1, next_script)


def execute_node(state: AttemptState, runtime: Runtime[Context]) -> AttemptState:
    """Run the script on the view in a fresh container and keep what came out."""
    things, assignment = live(state["run"]), state["assignment"]
    things.grader.make_view(assignment.view)
    seconds = assignment.seconds
    if assignment.draft and state["tries"] > 1:  # the plan has kept back the time of one try
        seconds = max(1.0, min(seconds, things.spare(assignment.ask_seconds)))
    with things.slots:
        runtime.stream_writer({"event": "started", "assignment": asdict(assignment), "tries": state["tries"]})
        ran = run_script(
            things.sandbox,
            (things.folder.path / state["script"]).read_text(),
            mounts=things.mounts(assignment.view, state["facts"].shared),
            limits=things.settings.limits(),
            seconds=min(seconds, things.time_left()),
            seed=things.settings.seed,
            max_bytes=SUBMISSION_BYTES,
        )
    if ran.output.data is None:
        require_room(things.folder.path)
    home = (things.folder.path / state["script"]).parent / f"view-{assignment.view}"
    predictions = keep(home, ran, things.grader.png)
    result = ran.result
    run = Run(
        assignment.attempt,
        assignment.view,
        result.status,
        result.seconds,
        things.folder.relative(predictions) if predictions else None,
        None,
        None,
        result.peak_memory_mb,
    )
    return {"last": run, "faults": faults_of(ran), "seconds": state.get("seconds", 0.0) + result.seconds}


def grade_node(state: AttemptState) -> AttemptState:
    """Check and grade what came out, in the grader's container."""
    last = state["last"]
    if last.predictions is None:
        return {}
    grade = live(state["run"]).grader.grade(last.attempt, last.view, last.predictions)
    return {"last": graded(last, grade), "faults": grade.faults}


def record_node(state: AttemptState, runtime: Runtime[Context]) -> AttemptState:
    """Hand the outcome back; the first valid submission of the run is put in place at once."""
    things, assignment, last = live(state["run"]), state["assignment"], state.get("last")
    update: AttemptState = {"runs": {last.key: last} if last else {}}
    if assignment.draft:
        attempt = _attempt(state, things)
        update["attempts"] = {attempt.id: attempt}
    if last is None:
        runtime.stream_writer({"event": "unwritten", "attempt": assignment.attempt, "faults": state["faults"]})
        return update
    if last.predictions:
        _first_submission(things, last)
    ended = {"event": "ended", "run": asdict(last), "tries": state["tries"], "faults": state["faults"]}
    runtime.stream_writer(ended)
    return update


def _attempt(state: AttemptState, things: Live) -> Attempt:
    assignment, instruction, last = state["assignment"], state["instruction"], state.get("last")
    tokens, usd = things.spent_on(assignment.attempt)
    change = state.get("change", "")
    return Attempt(
        id=assignment.attempt,
        kind=assignment.kind,
        instruction=assignment.instruction,
        title=f"{instruction.title}: {change}" if assignment.kind != "draft" and change else instruction.title,
        source=instruction.source,
        tries=state.get("tries", 0),
        status=last.status if last else ("unanswered" if state.get("lost") else "unwritten"),
        script=state.get("script", ""),
        faults=state["faults"],
        seconds=state.get("seconds", 0.0),
        parents=assignment.parents,
        change=change,
        tokens=tokens,
        usd=usd,
    )


def graded(run: Run, grade: Grade) -> Run:
    """`run` with its blind score, or marked invalid and without predictions."""
    if grade.faults:
        return replace(run, status="invalid", predictions=None)
    return replace(run, value=grade.value, error=grade.error)


def where_to_begin(state: AttemptState) -> Literal["write", "execute"]:
    """A draft's script is still to be written."""
    return "write" if state["assignment"].draft else "execute"


def after_write(state: AttemptState) -> Literal["execute", "record"]:
    """Without a script there is nothing to execute."""
    return "record" if state.get("given_up") else "execute"


def after_grade(state: AttemptState) -> Literal["repair", "record"]:
    """A draft without a valid submission is repaired."""
    failed = state["last"].predictions is None
    return "repair" if failed and state["assignment"].draft else "record"


def attempt_graph() -> StateGraph[AttemptState, Context, AttemptState, AttemptOutput]:
    """The wiring of one branch."""
    graph = StateGraph(AttemptState, Context, output_schema=AttemptOutput)
    graph.add_node("write", write_node)
    graph.add_node("execute", execute_node)
    graph.add_node("repair", repair_node)
    graph.add_node("grade", grade_node)
    graph.add_node("record", record_node)
    graph.add_conditional_edges(START, where_to_begin)
    graph.add_conditional_edges("write", after_write)
    graph.add_edge("execute", "grade")
    graph.add_conditional_edges("grade", after_grade)
    graph.add_conditional_edges("repair", after_write)
    graph.add_edge("record", END)
    return graph


def _script(state: AttemptState, tries: int, make: Callable[[AttemptState], Draft | None]) -> AttemptState:
    """Keep the script that `make` makes; where a model has none to give, say so."""
    try:
        draft = make(state)
    except NoAnswer as fault:
        # A try that failed is told with its own faults; only an attempt without any try is told with the model's.
        faults = state.get("faults") or [fault.why]
        return {"given_up": True, "lost": fault.lost, "faults": faults}
    if draft is None:
        return {"given_up": True}
    folder = live(state["run"]).folder
    path = folder.attempt(state["assignment"].attempt, tries) / "solution.py"
    write_atomically(path, draft.code.encode())
    update: AttemptState = {"tries": tries, "script": folder.relative(path)}
    if tries == 1:
        return update | {"change": draft.change}
    tried = [*state.get("tried", []), f"try {tries - 1} failed: {state['faults'][0]} -> changed: {draft.change or '?'}"]
    return update | {"tried": tried}


def _first_submission(things: Live, run: Run) -> None:
    """Put a submission in place where there is none yet; later ones are the plan's to choose."""
    with things.best:
        if things.folder.submission.exists() or not run.predictions:
            return
        if run.view == FULL_VIEW:
            things.put_best(things.folder.path / run.predictions)
        elif not things.grader.write_best({run.attempt: 1.0}, {run.attempt: {run.view: run.predictions}}):
            things.put_best(things.folder.graded)
