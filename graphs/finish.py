"""finish: the submission, the script that makes it, the notebook and the report."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict

from grading.base import AUDIT_VIEW, FULL_VIEW, Delivery, Standing
from graphs.asked import asked_report
from graphs.folder import RunFolder
from graphs.knowledge import Knowledge, winner
from graphs.live import Live
from graphs.solution import solution_files, solution_notebook
from graphs.state import State
from sandbox.files import write_atomically

Runs = dict[str, dict[int, str]]


def conclude(things: Live, state: State, runs: Runs) -> Delivery | None:
    """Deliver the winner, write solution and report; None where no valid submission was found.

    Raises: SandboxError.
    """
    members = winner(Knowledge.of(state))
    delivery = _deliver(things, state, members, runs) if members else None
    if members:
        _write_solution(things.folder, state, members)
    report = build_report(things, state, members, delivery)
    write_atomically(things.folder.report, (json.dumps(report, indent=1) + "\n").encode())
    return delivery


def _deliver(things: Live, state: State, members: dict[str, float], runs: Runs) -> Delivery:
    """The refit where it holds, else the graded predictions; what is delivered is in place afterwards."""
    full, audit = _predictions(state, members, FULL_VIEW), _predictions(state, members, AUDIT_VIEW)
    if not runs:
        [submission] = full.values()
        things.put_best(things.folder.path / submission)
        reason = f"no blind view could be made: {state['facts'].unblind}"
        return Delivery("refit", reason, 0, None, None, None)
    delivery = things.grader.deliver(members, runs, full, audit)
    if not delivery.faults:
        things.put_best(things.folder.graded)
    return delivery


def _predictions(state: State, members: dict[str, float], view: int) -> dict[str, str]:
    found = {member: state["runs"].get(f"{member}/{view}") for member in members}
    return {member: run.predictions for member, run in found.items() if run and run.predictions}


def _write_solution(folder: RunFolder, state: State, members: dict[str, float]) -> None:
    scripts = {m: (folder.path / state["attempts"][m].script).read_text() for m in members}
    titles = {m: state["attempts"][m].title for m in members}
    files = solution_files(scripts, members, state["facts"])
    unfinished = folder.path / ".solution"
    shutil.rmtree(unfinished, ignore_errors=True)
    for name, text in files.items():
        write_atomically(unfinished / name, text.encode())
    shutil.rmtree(folder.solution, ignore_errors=True)
    unfinished.rename(folder.solution)
    write_atomically(folder.path / "solution.ipynb", solution_notebook(files, titles, state["facts"]).encode())


def build_report(things: Live, state: State, members: dict[str, float], delivery: Delivery | None) -> dict[str, object]:
    """Everything that a person or a program wants to know of a run, JSON-able."""
    standings = {next(iter(standing.members)): standing for standing in state["standings"].attempts}
    facts = state["facts"]
    return {
        "task": asdict(facts),
        "valid": delivery is not None and not delivery.faults,
        "winner": members,
        "kind": "blend" if len(members) > 1 else "single",
        "blind": facts.views > 0,
        "delivery": asdict(delivery) if delivery else None,
        "blend": _standing(state["standings"].blend),
        "ranking": {"by": state["ranked_by"], "order": [asdict(ranked) for ranked in state["ranking"]]},
        "attempts": [_tried(state, attempt, standings.get(attempt)) for attempt in sorted(state["attempts"])],
        "models": asked_report(things, state, members),
        "decision": state["decision"].why,
        "seconds": round(things.worked(state["spent"]), 1),
        "settings": asdict(things.settings),
        "isolation": things.sandbox.isolation(),
        "mounts": {name: str(path) for name, path in things.extra.items()},
        "files": {"submission": "submission.csv", "solution": "solution/", "notebook": "solution.ipynb"},
    }


def _standing(standing: Standing | None) -> dict[str, object] | None:
    return asdict(standing) if standing else None


def _tried(state: State, attempt: str, standing: Standing | None) -> dict[str, object]:
    runs = sorted((run for run in state["runs"].values() if run.attempt == attempt), key=lambda run: run.view)
    return asdict(state["attempts"][attempt]) | {
        "standing": _standing(standing),
        "runs": [asdict(run) for run in runs],
    }
