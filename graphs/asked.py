"""What the report says of models: whom, how much, and what it brought over the recipes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grading.base import Standing
from graphs.folder import RunFolder
from graphs.live import Live
from graphs.state import Attempt, State
from models.names import parse_model
from models.prices import price_of
from models.records import totals


def asked_report(things: Live, state: State, members: dict[str, float]) -> dict[str, Any]:
    """Models, privacy level, calls, tokens, money and time by role, and what came of it. JSON-able."""
    settings, spec = things.settings, things.folder.load()[0]
    prices = (
        {} if settings.replay else {text: price_of(parse_model(text), spec.prices) for text in settings.models.values()}
    )
    return {
        "names": dict(settings.models),
        "privacy": settings.privacy,
        "usd_cap": settings.usd,
        "totals": totals(things.records.all()),
        "prices": {text: price.source if price else None for text, price in prices.items()},
        "asleep": things.mind.asleep(),
        "brought": brought(state, members),
        "replay": _compared(things, state) if settings.replay else None,
    }


def brought(state: State, members: dict[str, float]) -> str:
    """What attempts that a model wrote gained over those that none did, by paired blind scores, in one sentence."""
    standings, attempts, metric = state["standings"].attempts, state["attempts"], state["facts"].metric
    wrote = [attempt for attempt in attempts.values() if attempt.by_model]
    if not wrote:
        return "no attempt was written by a model."
    by_model, others = _best(standings, attempts, by_model=True), _best(standings, attempts, by_model=False)
    share = sum(weight for name, weight in members.items() if attempts[name].by_model)
    chosen = f"what was chosen is a model's to {share:.0%}."
    if by_model is None:
        return f"none of its {len(wrote)} attempts has a blind score; {chosen}"
    if others is None:
        return f"only its attempts have a blind score; {chosen}"
    gap = others.behind - by_model.behind
    error = max(others.behind_error, by_model.behind_error)
    verdict = "ahead of" if gap > error else ("level with" if gap >= -error else "behind")
    names = f"its best attempt ({_name(by_model)}) is {verdict} the best of the others ({_name(others)})"
    return f"{names}: {metric} {'better' if gap >= 0 else 'worse'} by {abs(gap):.4g} ± {error:.2g}; {chosen}"


def _best(standings: list[Standing], attempts: dict[str, Attempt], by_model: bool) -> Standing | None:
    return next((standing for standing in standings if attempts[_name(standing)].by_model == by_model), None)


def _name(standing: Standing) -> str:
    return next(iter(standing.members))


def _compared(things: Live, state: State) -> list[str]:
    """How the runs of this replay differ from those that were recorded, a line each."""
    source = RunFolder(Path(things.settings.replay or ""))
    if not source.report.exists():
        return [f"Replay of {source.path.name}: it has no report to compare with."]
    recorded = {
        f"{run['attempt']}/{run['view']}": run
        for attempt in json.loads(source.report.read_text())["attempts"]
        for run in attempt["runs"]
    }
    common = [(key, run, recorded[key]) for key, run in sorted(state["runs"].items()) if key in recorded]
    other = [
        f"  {key}: {then['status']} then, {now.status} now" for key, now, then in common if now.status != then["status"]
    ]
    gaps = [
        abs(now.value - then["value"]) for _, now, then in common if now.value is not None and then["value"] is not None
    ]
    how = "recorded results" if things.settings.replay_executions else "scripts run anew"
    first = (
        f"Replay of {source.path.name} with {how}: {len(common)} of {len(recorded)} runs again, {len(other)} ended "
        f"otherwise, blind scores differ by at most {max(gaps, default=0.0):.3g}."
    )
    return [first, *other]
