"""The last step: what becomes submission.csv, and what it can be trusted to score.

From the first graded attempt on, the average of the graded predictions for the real test is the submission. At the end
refits on all rows take its place where they are valid and agree with it (grading.worker.agree). Where time splits, a
view ends long before the test begins, so there a valid refit is the rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from grading.base import FULL_VIEW, Delivery
from grading.worker.agree import allowed, distance
from grading.worker.arrays import Array, as_table, form
from grading.worker.check import check
from grading.worker.estimate import Rows, estimate
from grading.worker.gather import Runs, audit_average, audit_by_time, every_view, submission_average, views_of
from grading.worker.mixing import mix
from grading.worker.store import Store

SUBMISSION = "submission.csv"


@dataclass(frozen=True)
class Choice:
    """Predictions for the real test, and why these."""

    predictions: Array | None
    source: Literal["refit", "views"]
    reason: str


def write_best(store: Store, members: Mapping[str, float], runs: Runs) -> list[str]:
    """Write the average of the members' graded predictions for the real test to graded/submission.csv.

    Returns: faults of what would be delivered; where there are some, the submission before it is kept.
    """
    average = submission_average(store, members, runs)
    if average is None:
        return ["No member has valid predictions for the real test."]
    return _write(store, average, _a_view(members, runs))


def deliver(
    store: Store, members: Mapping[str, float], runs: Runs, full: Mapping[str, str], audit: Mapping[str, str]
) -> Delivery:
    """Write the final submission: the refit where it can be trusted, else the average of the graded predictions.

    Args:
        full: member -> predictions of its refit (view 0); may lack members.
        audit: member -> predictions on the audit view, where time splits.
    """
    choice = _choose(store, members, runs, full)
    view = FULL_VIEW if choice.source == "refit" else _a_view(members, runs)
    faults = ["No valid predictions for the real test."]
    if choice.predictions is not None:
        faults = _write(store, choice.predictions, view)
    rows, found = _estimate(store, members, runs, audit, choice.source)
    return Delivery(choice.source, choice.reason, rows, *found, faults=faults)


def _choose(store: Store, members: Mapping[str, float], runs: Runs, full: Mapping[str, str]) -> Choice:
    average = submission_average(store, members, runs)
    refit, why = _refit(store, members, full)
    if refit is None:
        return Choice(average, "views", f"The average of the graded predictions: {why}.")
    if store.task.split == "time":
        return Choice(refit, "refit", "The refit on all rows: where time splits, it knows the latest days.")
    if average is None:
        return Choice(refit, "refit", "The refit on all rows: there are no graded predictions to compare it with.")
    apart, limit = distance(refit, average, store.task), _limit(store, members, runs)
    told = f"it lies {apart:.3g} from the graded predictions, {limit:.3g} is allowed"
    if apart <= limit:
        return Choice(refit, "refit", f"The refit on all rows: {told}.")
    return Choice(
        average, "views", f"The average of the graded predictions: the refit does not agree with them ({told})."
    )


def _refit(store: Store, members: Mapping[str, float], full: Mapping[str, str]) -> tuple[Array | None, str]:
    """The members' refits, blended, in the order of the real sample submission; or why there is none."""
    lacking = [name for name in members if name not in full]
    if lacking or not members:
        return None, f"there is no refit of {', '.join(lacking) or 'any attempt'}"
    found = {name: store.predictions(full[name], FULL_VIEW) for name in members}
    for name, (_, faults) in found.items():
        if faults:
            return None, f"the refit of {name} is not valid ({faults[0].rstrip('.')})"
    order = store.hidden(FULL_VIEW).test_rows()
    return mix(store.task, [p[order] for p, _ in found.values() if p is not None], list(members.values())), ""


def _limit(store: Store, members: Mapping[str, float], runs: Runs) -> float:
    views = views_of(members, runs)
    each = [average for view in views if (average := submission_average(store, members, runs, [view])) is not None]
    folds = every_view(store, members, runs, "fold")
    return allowed(each, store.task, _error(store, folds[0]) if folds else 0.0)


def _error(store: Store, rows: Rows) -> float:
    """How far predictions lie from the answers, on the scale of grading.worker.agree."""
    y = rows.y
    if form(store.task) == "numbers" and y.shape[1] != rows.p.shape[1]:
        y = np.eye(rows.p.shape[1])[y[:, 0].astype(int)]
    return distance(rows.p, y, store.task)


def _estimate(
    store: Store, members: Mapping[str, float], runs: Runs, audit: Mapping[str, str], source: Literal["refit", "views"]
) -> tuple[int, tuple[float | None, float | None, float | None]]:
    """Number of audit rows; value and interval on them."""
    time = store.task.split == "time"
    if time:
        audits = audit_by_time(store, members, audit)
    elif source == "refit":
        audits = every_view(store, members, runs, "audit")
    else:
        audits = audit_average(store, members, runs)
    if not audits or not len(audits[0].y):
        return 0, (None, None, None)
    folds = every_view(store, members, runs, "fold")
    refit = source == "refit"
    found = estimate(store.metric, audits, folds, store.task.test_rows, store.seed, blocks=time, refit=refit)
    return len(audits[0].y), found


def _a_view(members: Mapping[str, float], runs: Runs) -> int:
    """A view that was certainly made: its table has every real test row."""
    return min(views_of(members, runs), default=FULL_VIEW)


def _write(store: Store, predictions: Array, view: int) -> list[str]:
    """Write predictions (in the order of the real sample submission) and check the file as any other."""
    hidden = store.hidden(view)
    table = hidden.table.iloc[hidden.test_rows()].reset_index(drop=True)
    frame = as_table(predictions, store.task)
    if store.task.id is not None:
        frame[store.task.id] = table["id"].astype(str).to_numpy(object)
    path = store.folders.graded / SUBMISSION
    draft = path.with_suffix(".draft")
    _save(frame[[name for name in hidden.header if name in frame.columns]], draft)
    _, faults = check(draft, store.task, table, hidden.header)
    if faults:
        draft.unlink()
    else:
        draft.replace(path)
    return faults


def _save(frame: pd.DataFrame, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    frame.to_csv(path, index=False, lineterminator="\n")
