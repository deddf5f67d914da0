"""The nodes of the main graph: thin adapters from state to a call, and back to the keys that changed."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from langgraph.config import get_config
from langgraph.runtime import Runtime
from langgraph.types import Send

from agents.describe import describe
from agents.propose import propose
from grading.base import FULL_VIEW, Standings
from grading.task import load_spec
from graphs.context import Context
from graphs.finish import conclude
from graphs.folder import RunFolder, settle
from graphs.live import Live, close, live
from graphs.plan import Knowledge, decide, winner
from graphs.state import AttemptState, InputState, State
from ranker.prior import PriorRanker

PROFILE_SECONDS = 120.0
"""The profile reads each file once; minutes mean that something is wrong."""
NOTHING_YET = Standings([], None)
Update = dict[str, Any]


def prepare(task: str, run: str, context: Context) -> RunFolder:
    """The run folder with its record; made from the task where there is none yet.

    Raises: TaskError for a mistake in the task or its folder.
    """
    folder = RunFolder(Path(run))
    if not folder.record.exists():
        spec = load_spec(Path(task), {"metric": context.metric} if context.metric else {})
        settings = settle(
            spec,
            attempts=context.attempts,
            minutes=context.minutes,
            first_valid=context.first_valid,
            parallel=context.parallel,
            seed=context.seed,
        )
        folder.create(spec, settings)
    return folder


def describe_node(state: InputState, runtime: Runtime[Context]) -> Update:
    """What the task is: the grader's facts, and a profile of view 1 made in the sandbox."""
    run = state.get("run") or f"runs/{get_config()['configurable']['thread_id']}"
    prepare(state["task"], run, runtime.context)
    things = live(run)
    facts = things.grader.infer()
    view = 1 if facts.views else FULL_VIEW
    things.grader.make_view(view)
    mounts = things.mounts(view, facts.shared)
    settings = things.settings
    description = describe(things.sandbox, facts, mounts, settings.limits(), PROFILE_SECONDS, settings.seed)
    empty = {"attempts": {}, "runs": {}, "standings": NOTHING_YET, "spent": 0.0}
    return {"run": run, "facts": facts, "description": description} | empty


def propose_node(state: State) -> Update:
    """The pool of instructions."""
    return {"pool": propose(state["facts"], state["description"])}


def rank_node(state: State) -> Update:
    """The pool in the order in which it is worth trying."""
    return {"ranking": PriorRanker().rank(state["description"], state["pool"])}


def plan_node(state: State) -> Update:
    """What to do next; the best submission so far is put in place on the way."""
    things = live(state["run"])
    runs = graded_runs(state)
    standings = things.grader.standings(runs) if runs else NOTHING_YET
    spent = state["spent"] + things.lap()
    known = replace(Knowledge.of(state), standings=standings, spent=spent)
    best = winner(known)
    if runs and best != leading(state):
        _put_best(things, best, runs)
    return {"standings": standings, "spent": spent, "decision": decide(known, things.settings.budget())}


def finish_node(state: State) -> Update:
    """Deliver, report, and free what the run held open."""
    delivery = conclude(live(state["run"]), state, graded_runs(state))
    close(state["run"])
    return {"delivery": delivery}


def to_attempts(state: State) -> list[Send] | str:
    """One branch for each assignment, or the end."""
    decision = state["decision"]
    if not decision.assignments:
        return "finish"
    instructions = {instruction.id: instruction for instruction in state["pool"]}
    sends = []
    for assignment in decision.assignments:
        payload: AttemptState = {
            "run": state["run"],
            "facts": state["facts"],
            "assignment": assignment,
            "instruction": instructions[assignment.instruction],
        }
        if not assignment.draft:
            attempt = state["attempts"][assignment.attempt]
            payload |= {"tries": attempt.tries, "script": attempt.script}
        sends.append(Send("attempt", payload))
    return sends


def graded_runs(state: State) -> dict[str, dict[int, str]]:
    """Attempt -> view -> predictions, of all runs with a blind score."""
    found: dict[str, dict[int, str]] = {}
    for run in state["runs"].values():
        if run.predictions and run.value is not None and run.view in range(1, state["facts"].views + 1):
            found.setdefault(run.attempt, {})[run.view] = run.predictions
    return found


def leading(state: State) -> dict[str, float]:
    """Members of the candidate that led at the last plan; {} before the first."""
    return winner(Knowledge.of(state))


def _put_best(things: Live, members: dict[str, float], runs: dict[str, dict[int, str]]) -> None:
    with things.best:
        if not things.grader.write_best(members, runs):
            things.put_best(things.folder.graded)
