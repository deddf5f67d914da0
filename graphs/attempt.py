"""attempt: one instruction, up to three tries, on one view. A subgraph, so that it resumes at its own node.

write -> execute -> (repair -> execute)* -> grade -> record
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Literal, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from agents.repair import repair
from agents.write import write
from grading.base import FULL_VIEW, Grade
from graphs.context import Context
from graphs.folder import write_atomically
from graphs.live import Live, live
from graphs.state import Attempt, AttemptState, Run
from prompts.render import render as words
from sandbox.base import ExecutionResult
from sandbox.script import ScriptRun, run_script

SUBMISSION_BYTES = 512 * 2**20
"""Largest submission that is taken out of the sandbox."""
MAX_FAULT_CHARACTERS = 2_000
"""A fault in state is a sentence or a traceback's end; the whole of it is in result.json."""


class AttemptOutput(TypedDict):
    """What a branch hands back to the graph."""

    attempts: dict[str, Attempt]
    runs: dict[str, Run]


def write_node(state: AttemptState) -> AttemptState:
    """The first try's script, from the instruction."""
    folder = live(state["run"]).folder
    home = folder.attempt(state["assignment"].attempt, 1)
    write_atomically(home.parent / "instruction.md", words("instruction", instruction=state["instruction"]).encode())
    return _save_script(state, 1, write(state["instruction"], state["facts"]))


def repair_node(state: AttemptState) -> AttemptState:
    """The next try's script; none where nothing is left to try."""
    script = repair(state["instruction"], state["facts"], state["tries"])
    return _save_script(state, state["tries"] + 1, script) if script else {"given_up": True}


def execute_node(state: AttemptState, runtime: Runtime[Context]) -> AttemptState:
    """Run the script on the view in a fresh container and keep what came out."""
    things, assignment = live(state["run"]), state["assignment"]
    things.grader.make_view(assignment.view)
    with things.slots:
        runtime.stream_writer({"event": "started", "assignment": asdict(assignment), "tries": state["tries"]})
        ran = run_script(
            things.sandbox,
            (things.folder.path / state["script"]).read_text(),
            mounts=things.mounts(assignment.view, state["facts"].shared),
            limits=things.settings.limits(),
            seconds=assignment.seconds,
            seed=things.settings.seed,
            max_bytes=SUBMISSION_BYTES,
        )
    home = (things.folder.path / state["script"]).parent / f"view-{assignment.view}"
    predictions = _keep(things, home, ran)
    result = ran.result
    run = Run(
        assignment.attempt,
        assignment.view,
        result.status,
        result.seconds,
        predictions,
        None,
        None,
        result.peak_memory_mb,
    )
    return {"last": run, "faults": _faults(ran), "seconds": state.get("seconds", 0.0) + result.seconds}


def grade_node(state: AttemptState) -> AttemptState:
    """Check and grade what came out, in the grader's container."""
    last = state["last"]
    if last.predictions is None:
        return {}
    grade = live(state["run"]).grader.grade(last.attempt, last.view, last.predictions)
    return {"last": graded(last, grade), "faults": grade.faults}


def record_node(state: AttemptState, runtime: Runtime[Context]) -> AttemptState:
    """Hand the outcome back; the first valid submission of the run is put in place at once."""
    assignment, last = state["assignment"], state["last"]
    if last.predictions:
        _first_submission(live(state["run"]), last)
    runtime.stream_writer({"event": "ended", "run": asdict(last), "tries": state["tries"], "faults": state["faults"]})
    update: AttemptState = {"runs": {last.key: last}}
    if assignment.draft:
        attempt = Attempt(
            id=assignment.attempt,
            kind="draft",
            instruction=assignment.instruction,
            title=state["instruction"].title,
            source=state["instruction"].source,
            tries=state["tries"],
            status=last.status,
            script=state["script"],
            faults=state["faults"],
            seconds=state["seconds"],
        )
        update["attempts"] = {attempt.id: attempt}
    return update


def graded(run: Run, grade: Grade) -> Run:
    """`run` with its blind score, or marked invalid and without predictions."""
    if grade.faults:
        return replace(run, status="invalid", predictions=None)
    return replace(run, value=grade.value, error=grade.error)


def where_to_begin(state: AttemptState) -> Literal["write", "execute"]:
    """A draft's script is still to be written."""
    return "write" if state["assignment"].draft else "execute"


def after_grade(state: AttemptState) -> Literal["repair", "record"]:
    """A draft without a valid submission is repaired."""
    failed = state["last"].predictions is None
    return "repair" if failed and state["assignment"].draft else "record"


def after_repair(state: AttemptState) -> Literal["execute", "record"]:
    """Try again, where there is something to try."""
    return "record" if state.get("given_up") else "execute"


def attempt_graph() -> StateGraph[AttemptState, Context, AttemptState, AttemptOutput]:
    """The wiring of one branch."""
    graph = StateGraph(AttemptState, Context, output_schema=AttemptOutput)
    graph.add_node("write", write_node)
    graph.add_node("execute", execute_node)
    graph.add_node("repair", repair_node)
    graph.add_node("grade", grade_node)
    graph.add_node("record", record_node)
    graph.add_conditional_edges(START, where_to_begin)
    graph.add_edge("write", "execute")
    graph.add_edge("execute", "grade")
    graph.add_conditional_edges("grade", after_grade)
    graph.add_conditional_edges("repair", after_repair)
    graph.add_edge("record", END)
    return graph


def _save_script(state: AttemptState, tries: int, script: str) -> AttemptState:
    folder = live(state["run"]).folder
    path = folder.attempt(state["assignment"].attempt, tries) / "solution.py"
    write_atomically(path, script.encode())
    return {"tries": tries, "script": folder.relative(path)}


def _keep(things: Live, home: Path, ran: ScriptRun) -> str | None:
    """Write output, result, plots and predictions below `home`; the predictions' place, where there are any."""
    result = ran.result
    write_atomically(home / "output.txt", f"{result.stdout}\n{result.stderr}".encode())
    for number, plot in enumerate(result.plots, start=1):
        picture = things.grader.png(plot)
        if picture:
            write_atomically(home / "plots" / f"{number:02d}.png", picture)
    write_atomically(home / "result.json", json.dumps(_record(result), indent=1).encode())
    if ran.output.data is None:
        return None
    write_atomically(home / "predictions.csv", ran.output.data)
    return things.folder.relative(home / "predictions.csv")


def _record(result: ExecutionResult) -> dict[str, object]:
    """What result.json holds: everything but the pictures themselves."""
    record = asdict(replace(result, plots=[]))
    return record | {"plots": len(result.plots)}


def _faults(ran: ScriptRun) -> list[str]:
    """Why nothing was taken out, for people and for repair; empty where something was."""
    if ran.output.data is not None:
        return []
    error = ran.result.error
    first = f"{error.type}: {error.message}" if error else f"the script ended with status {ran.result.status}"
    return [text[:MAX_FAULT_CHARACTERS] for text in (first, ran.output.fault or "") if text]


def _first_submission(things: Live, run: Run) -> None:
    """Put a submission in place where there is none yet; later ones are the plan's to choose."""
    with things.best:
        if things.folder.submission.exists() or not run.predictions:
            return
        if run.view == FULL_VIEW:
            things.put_best(things.folder.path / run.predictions)
        elif not things.grader.write_best({run.attempt: 1.0}, {run.attempt: {run.view: run.predictions}}):
            things.put_best(things.folder.graded)
