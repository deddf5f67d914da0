"""A candidate's predictions, gathered: its members averaged over their views and blended by weight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

import numpy as np

from grading.base import AUDIT_VIEW
from grading.worker.arrays import Array
from grading.worker.estimate import Rows
from grading.worker.mixing import mix
from grading.worker.store import Store

Runs: TypeAlias = Mapping[str, Mapping[int, str]]
"""Attempt -> view -> path of its predictions, relative to the run folder."""


def submission_average(
    store: Store, members: Mapping[str, float], runs: Runs, only: list[int] | None = None
) -> Array | None:
    """The members' predictions for the real test, averaged over their views and blended by weight."""
    pool, weights = [], []
    for name, weight in members.items():
        views = [view for view in sorted(runs.get(name, {})) if only is None or view in only]
        known = [(view, p) for view in views if (p := store.known(runs[name][view], view)) is not None]
        for view, p in known:
            pool.append(p[store.hidden(view).test_rows()])
            weights.append(weight / len(known))
    return mix(store.task, pool, weights) if pool else None


def blended(store: Store, members: Mapping[str, float], runs: Runs, view: int, role: str) -> Rows | None:
    """One view's hidden rows with the members' predictions, blended by weight; None where a member is missing."""
    known = [store.known(runs[name][view], view) for name in members if view in runs.get(name, {})]
    pool = [p for p in known if p is not None]
    if len(pool) < len(members):
        return None
    rows, answers = store.hidden(view).rows(role), store.answers(view, role)
    return Rows(answers.y, mix(store.task, [p[rows] for p in pool], list(members.values())), answers.unit)


def views_of(members: Mapping[str, float], runs: Runs) -> list[int]:
    """The views that any of the members ran on."""
    return sorted({view for name in members for view in runs.get(name, {})})


def every_view(store: Store, members: Mapping[str, float], runs: Runs, role: str) -> list[Rows]:
    """The hidden rows of each view that all members have valid predictions on."""
    found = [blended(store, members, runs, view, role) for view in views_of(members, runs)]
    return [rows for rows in found if rows is not None and len(rows.y)]


def audit_by_time(store: Store, members: Mapping[str, float], audit: Mapping[str, str]) -> list[Rows]:
    """The audit rows as the view that ends right before them predicts them; empty where a member lacks it."""
    named = {name: {AUDIT_VIEW: audit[name]} for name in members if name in audit}
    return every_view(store, members, named, "audit") if len(named) == len(members) else []


def audit_average(store: Store, members: Mapping[str, float], runs: Runs) -> list[Rows]:
    """The audit rows, the same in every view, with predictions averaged over views and blended by weight."""
    pool, weights, first = [], [], None
    for name, weight in members.items():
        known = {
            view: p for view, path in sorted(runs.get(name, {}).items()) if (p := store.known(path, view)) is not None
        }
        for view, p in known.items():
            table, rows = store.hidden(view).table, store.hidden(view).rows("audit")
            order = rows[np.argsort(table["row"].to_numpy()[rows], kind="stable")]
            pool.append(p[order])
            weights.append(weight / len(known))
            first = view if first is None else first
    if first is None:
        return []
    answers, where = store.answers(first, "audit"), store.hidden(first)
    order = np.argsort(where.table["row"].to_numpy()[where.rows("audit")], kind="stable")
    return [Rows(answers.y[order], mix(store.task, pool, weights), answers.unit[order])]
