"""The nodes of the main graph: thin adapters from state to a call, and back to the keys that changed."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from langgraph.config import get_config, get_stream_writer
from langgraph.runtime import Runtime
from langgraph.types import Send, interrupt

from agents.brief import Insight
from agents.critique import critique
from agents.describe import describe, profile_json, profile_script
from agents.insight import find_insight
from agents.propose import LLM, ideas, propose
from agents.review import apply_review, review_entries
from agents.write import RECIPE
from grading.base import Standings, Task
from graphs.context import Context
from graphs.drafting import model_drafts
from graphs.finish import conclude
from graphs.knowledge import Knowledge, winner
from graphs.learning import write_attempts
from graphs.live import Live, close, live
from graphs.making import START
from graphs.policies import POLICIES
from graphs.prepare import prepare
from graphs.presets import PRESETS
from graphs.rivals import earlier_changes, readable_scripts, rivals
from graphs.state import Assignment, AttemptState, InputState, State
from models.base import NoAnswer, Role
from ranker.base import RankerUnavailable
from ranker.prior import PriorRanker
from recipes.base import Instruction
from sandbox.files import write_atomically

PROFILE_SECONDS = 120.0
"""The profile reads each file once; minutes mean that something is wrong."""
EARLY_SHARE = 0.15
"""Describe, propose and critique may each wait for a model for this share of the run's time."""
PLANNED: tuple[Role, ...] = ("write", "improve", "ensemble")
NOTHING_YET = Standings([], None)
Update = dict[str, Any]


def describe_node(state: InputState, runtime: Runtime[Context]) -> Update:
    """What the task is: the grader's facts, a profile of view 1 made in the sandbox, and what a model makes of it."""
    run = state.get("run") or f"runs/{get_config()['configurable']['thread_id']}"
    prepare(state["task"], run, runtime.context, get_stream_writer())
    things = live(run)
    facts = things.grader.infer()
    settings = things.settings
    things.ranker.start()
    things.grader.make_view(facts.first_view)
    things.keep_warm(facts, settings.parallel)
    mounts = things.mounts(facts.first_view, facts.shared)
    code = profile_script(facts)
    profile = describe(things.sandbox, facts, code, mounts, settings.limits(), PROFILE_SECONDS, settings.seed)
    write_atomically(things.folder.profile, profile_json(profile))
    write_atomically(things.folder.profile_script, code.encode())
    empty = {"attempts": {}, "runs": {}, "standings": NOTHING_YET, "spent": 0.0}
    found = {"run": run, "facts": facts, "description": profile.description, "insight": _insight(things, facts)}
    return found | empty


def propose_node(state: State) -> Update:
    """The pool of instructions: the recipes', the user's own script, and what a model adds."""
    things = live(state["run"])
    if preset := things.settings.preset:
        return {"pool": PRESETS[preset].propose(things.mind, things.brief(state["facts"], early_seconds(things)))}
    pool = propose(state["facts"], state["description"])
    if things.folder.start.exists():
        text = "as in the script that was handed in"
        pool.append(Instruction(START, "Your own script", text, text, text, source=START))
    wanted = model_drafts(things.settings.budget())
    if wanted and things.mind.awake("propose"):
        try:
            brief = things.brief(state["facts"], early_seconds(things))
            pool += ideas(things.mind, brief, pool, wanted)
        except NoAnswer:
            pass  # the gate has said so
    return {"pool": pool}


def critique_node(state: State) -> Update:
    """A model's instructions, with their flaws mended."""
    things, pool = live(state["run"]), state["pool"]
    if preset := things.settings.preset:
        brief = things.brief(state["facts"], early_seconds(things))
        return {"pool": PRESETS[preset].critique(things.mind, brief, pool)}
    written = [instruction for instruction in pool if instruction.source == LLM]
    if not written or not things.mind.awake("critique"):
        return {"pool": pool}
    try:
        recipes = [instruction for instruction in pool if instruction.source.startswith(RECIPE)]
        written = critique(things.mind, things.brief(state["facts"], early_seconds(things)), written, recipes)
    except NoAnswer:
        return {"pool": pool}
    better = {instruction.id: instruction for instruction in written}
    return {"pool": [better.get(instruction.id, instruction) for instruction in pool]}


def rank_node(state: State) -> Update:
    """The pool in the order in which it is worth trying; where the ranker cannot be used, the priors order it."""
    things = live(state["run"])
    asked = state["description"], state["facts"].metric, state["pool"]
    try:
        ranking, by = things.ranker.rank(*asked), things.ranker.name
    except RankerUnavailable as fault:
        get_stream_writer()({"event": "unranked", "why": str(fault)})
        ranking, by = PriorRanker().rank(*asked), PriorRanker().name
    return {"ranking": ranking, "ranked_by": by}


def review_node(state: State) -> Update:
    """Where the user asked for it, stop until a person has seen the ranked instructions and says which to try."""
    settings = live(state["run"]).settings
    if not settings.review:
        return {}
    answer = interrupt({"instructions": review_entries(state["pool"], state["ranking"])})
    pool, ranking = apply_review(answer, state["pool"], state["ranking"], "write" in settings.models)
    return {"pool": pool, "ranking": ranking}


def plan_node(state: State) -> Update:
    """What to do next; the best submission so far is put in place on the way."""
    things = live(state["run"])
    runs = graded_runs(state)
    policy = POLICIES[things.settings.policy]
    standings = things.grader.standings(runs) if runs else NOTHING_YET
    if not policy.blends:
        standings = replace(standings, blend=None)
    spent = things.worked(state["spent"])
    awake = frozenset(role for role in PLANNED if things.mind.awake(role))
    pace = things.mind.pace()
    known = replace(Knowledge.of(state), standings=standings, spent=spent, awake=awake, pace=pace)
    write_attempts(things, {**state, "standings": standings})
    best = winner(known)
    if runs and best != leading(state):
        _put_best(things, best, runs)
    decision = policy.decide(known, things.settings.budget())
    drafts_left = things.settings.attempts - len(state["attempts"]) if decision.assignments else 0
    things.keep_warm(state["facts"], min(drafts_left, things.settings.parallel))
    return {"standings": standings, "spent": spent, "decision": decision}


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
    return [Send("attempt", _payload(state, assignment)) for assignment in decision.assignments]


def _payload(state: State, assignment: Assignment) -> AttemptState:
    """What a branch needs to know; small, since every checkpoint holds it."""
    payload: AttemptState = {"run": state["run"], "facts": state["facts"], "assignment": assignment}
    if not assignment.draft:
        attempt = state["attempts"][assignment.attempt]
        return payload | {"tries": attempt.tries, "script": attempt.script}
    payload |= {"instruction": _instruction(state, assignment)}
    if assignment.kind == "draft":
        return payload
    earlier = earlier_changes(state, assignment.parents[0]) if assignment.kind == "improve" else []
    shown = rivals(state, assignment.parents)
    return payload | {"rivals": shown, "scripts": readable_scripts(state, shown), "earlier": earlier}


def _instruction(state: State, assignment: Assignment) -> Instruction:
    """The ranked one, or what stands for one where an attempt is made from others."""
    for instruction in state["pool"]:
        if instruction.id == assignment.instruction:
            return instruction
    title = f"{assignment.kind.capitalize()} {' + '.join(assignment.parents)}"
    as_parents = "as in what it is made from"
    source = f"{assignment.kind}:{'+'.join(assignment.parents)}"
    return Instruction(assignment.instruction, title, as_parents, as_parents, as_parents, source=source)


def early_seconds(things: Live) -> float:
    """What one answer may take before anything is tried."""
    return EARLY_SHARE * things.settings.minutes * 60


def _insight(things: Live, facts: Task) -> Insight | None:
    if things.settings.preset or not things.mind.awake("describe"):
        return None
    try:
        # Without the insight of this same node before a kill: the question must be the recorded one.
        insight = find_insight(things.mind, replace(things.brief(facts, early_seconds(things)), insight=None))
    except NoAnswer:
        return None
    write_atomically(things.folder.insight, json.dumps(asdict(insight)).encode())
    return insight


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
