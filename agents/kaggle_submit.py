"""`--submit`: sends the submission of a finished run to its competition on Kaggle, once, and waits for its score."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from agents.kaggle_api import SITE, Kaggle, Sent
from agents.terminal import number
from grading.base import TaskError
from grading.task import TaskSpec, load_spec
from graphs.folder import RunFolder
from graphs.metric import STAND_IN
from sandbox.files import locked, write_atomically

RECORD = "submitted.json"
WAIT_S, PAUSE_S = 180.0, 5.0
"""How long a score is waited for, and how long between two looks."""
MAX_MESSAGE = 500
"""Characters of a message to Kaggle."""


@dataclass(frozen=True)
class Submitted:
    """What the run folder remembers of a submission that was sent."""

    kaggle: str
    sha256: str
    message: str
    state: str = "sending"
    """"sending" until Kaggle has confirmed it, then what Kaggle says: "pending", "complete" or "error"."""
    ref: int = 0
    public_score: str = ""
    why: str = ""


def competition_of(spec: TaskSpec) -> str:
    """Where submissions of a task go. Raises: TaskError where it does not say so."""
    if spec.kaggle is None:
        raise TaskError(
            f"--submit: {spec.name} names no competition on Kaggle; start with kaggle:SLUG, or add `kaggle: SLUG` to "
            f"the task file."
        )
    return spec.kaggle


def ready_to_submit(task: Path | None, folder: Path | None) -> None:
    """See before anything runs that there is where to send a submission of this task, or run, and who sends it.

    Raises: TaskError, KaggleDown.
    """
    spec = RunFolder(folder).load()[0] if folder else load_spec(task or Path(), {"metric": STAND_IN})
    competition_of(spec)
    Kaggle()


def submit(
    folder: Path, spec: TaskSpec, report: dict[str, Any], say: Callable[[str], object], wait: float = WAIT_S
) -> Submitted:
    """Send `submission.csv`, unless the same was sent before, and look for its public score for `wait` seconds.

    Raises: TaskError where there is nothing valid to send, or Kaggle refuses it; KaggleDown.
    """
    slug = competition_of(spec)
    if not report.get("valid"):
        raise TaskError(
            f"--submit: {folder} has no valid submission, so nothing is sent; see {folder / 'report.json'}."
        )
    try:
        lock = locked(folder / "submit.lock")
    except BlockingIOError:
        raise TaskError(f"--submit: another process is sending the submission of {folder}; wait for it.") from None
    with lock:
        file = folder / "submission.csv"
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        wanted = Submitted(slug, digest, message_of(report, digest))
        return _scored(folder, _sent(folder, file, wanted, say), say, wait)


def message_of(report: dict[str, Any], digest: str) -> str:
    """What stands beside the submission on Kaggle: our estimate, and by what it is known again."""
    delivery = report.get("delivery") or {}
    if delivery.get("estimate") is None:
        expected = "score not known"
    else:
        low, high = number(delivery["low"]), number(delivery["high"])
        expected = f"expected {report['task']['metric']} {number(delivery['estimate'])} (95 %: {low} to {high})"
    return f"Linguacodus: {expected} [{digest[:12]}]"[:MAX_MESSAGE]


def _sent(folder: Path, file: Path, wanted: Submitted, say: Callable[[str], object]) -> tuple[Kaggle, Submitted]:
    before = [s for s in read_submitted(folder) if (s.kaggle, s.sha256) == (wanted.kaggle, wanted.sha256)]
    kaggle = Kaggle()
    if before:
        known = kaggle.find(wanted.kaggle, before[0].ref, before[0].message)
        if known or before[0].state != "sending":
            say(f"--submit: this submission was sent to {wanted.kaggle} before; it is not sent again.")
            return kaggle, _merged(before[0], known)
    elif kaggle.about(wanted.kaggle).notebooks_only:
        raise TaskError(f"--submit: {wanted.kaggle} takes notebooks only; run solution.ipynb there and submit it.")
    _keep(folder, wanted)  # so that a kill between here and the answer is no reason to send it twice
    say(f"--submit: sending {file} to {wanted.kaggle}: {wanted.message}")
    ref = kaggle.send(wanted.kaggle, file, wanted.message)
    return kaggle, replace(wanted, state="pending", ref=ref)


def _scored(folder: Path, sent: tuple[Kaggle, Submitted], say: Callable[[str], object], wait: float) -> Submitted:
    kaggle, submitted = sent
    _keep(folder, submitted)
    end = time.monotonic() + wait
    while submitted.state == "pending" and time.monotonic() < end:
        time.sleep(min(PAUSE_S, wait / 10))
        submitted = _merged(submitted, kaggle.find(submitted.kaggle, submitted.ref, submitted.message))
    _keep(folder, submitted)
    say(f"--submit: {outcome_line(submitted)}")
    return submitted


def _merged(submitted: Submitted, known: Sent | None) -> Submitted:
    if known is None:
        return submitted
    return replace(submitted, state=known.status, ref=known.ref, public_score=known.public_score, why=known.why)


def outcome_line(submitted: Submitted) -> str:
    """How a submission ended, for people."""
    place = f"{SITE}/competitions/{submitted.kaggle}/submissions"
    match submitted.state:
        case "complete" if submitted.public_score:
            return f"the public score on Kaggle is {submitted.public_score} ({place})"
        case "complete":
            return f"Kaggle has taken it, and shows no public score ({place})"
        case "error":
            return f"Kaggle could not score it: {submitted.why or 'it does not say why'} ({place})"
    return f"Kaggle has not scored it yet; run the same with --resume again, or see {place}"


def read_submitted(folder: Path) -> list[Submitted]:
    """What was sent from a run folder. Raises: TaskError where the record is broken."""
    file = folder / RECORD
    try:
        return [Submitted(**entry) for entry in json.loads(file.read_bytes())]
    except FileNotFoundError:
        return []
    except (ValueError, TypeError) as fault:
        raise TaskError(
            f"{file}: cannot be read ({type(fault).__name__}), so that it is not known what was sent; see the "
            f"submissions on Kaggle, and delete the file."
        ) from None


def _keep(folder: Path, submitted: Submitted) -> None:
    others = [s for s in read_submitted(folder) if (s.kaggle, s.sha256) != (submitted.kaggle, submitted.sha256)]
    text = json.dumps([asdict(entry) for entry in [*others, submitted]], indent=1)
    write_atomically(folder / RECORD, text.encode())
