"""--dry-run: what a run would do and cost at most. No script of a task is run, no model is asked."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from agents.drive import graph_config
from agents.repair import MAX_TRIES
from agents.write import SCRIPT_TOKENS
from grading.task import TaskSpec
from graphs.checkpoints import open_saver
from graphs.context import Context
from graphs.drafting import model_drafts
from graphs.folder import RunFolder
from graphs.live import close
from graphs.pipeline import builder
from graphs.prepare import prepare
from graphs.presets import PRESETS
from graphs.settings import Settings
from models.base import Role
from models.names import parse_model
from models.prices import Price, Usage, price_of
from models.prompt import PROMPT_TOKENS
from sandbox.temp_folders import temp_prefix

QUESTIONS: dict[Role, int] = {"describe": 1, "propose": 1, "critique": 2}
"""Asked once a run; besides, each attempt asks for its script and for its repairs."""
WRITERS: tuple[Role, ...] = ("write", "improve", "ensemble")
"""One of these makes the first script of an attempt."""
SHORT_TOKENS = 8_000
"""Length of an answer that holds no script."""


def preview(task: Path, context: Context) -> dict[str, Any]:
    """What a run would do: the task as inferred, the candidates in order, the largest cost. Leaves nothing behind.

    Raises: TaskError, SandboxError.
    """
    place = Path(tempfile.mkdtemp(prefix=temp_prefix("preview")))
    run = str(place / "tried")
    try:
        spec, settings = prepare(str(task), str(place / "asked"), context).load()
        alone = replace(context, model="none", preset=None, review=False)
        values = _ranked(str(task), run, replace(alone, replay_executions=False, replay_reworded=False))
    finally:
        close(run)
        shutil.rmtree(place, ignore_errors=True)
    titles = {instruction.id: instruction for instruction in values["pool"]}
    candidates = [] if settings.preset else values["ranking"]
    usd = largest_usd(spec, settings)
    return {
        "task": asdict(values["facts"]),
        "description": asdict(values["description"]),
        "candidates": [asdict(ranked) | {"title": titles[ranked.instruction].title} for ranked in candidates],
        "ideas": _ideas(settings),
        "settings": asdict(settings),
        "largest_cost": {"minutes": settings.minutes, "attempts": settings.attempts, "usd": usd},
    }


def _ideas(settings: Settings) -> int:
    """Instructions that a model would be asked for."""
    if settings.preset:
        return PRESETS[settings.preset].questions["propose"]
    return model_drafts(settings.budget()) if "propose" in settings.models else 0


def _ranked(task: str, run: str, context: Context) -> dict[str, Any]:
    """The state of the graph when it has ranked what the recipes offer."""
    folder = prepare(task, run, context)
    with open_saver(folder.checkpoints) as saver:
        graph = builder.compile(checkpointer=saver, interrupt_before=["plan"])
        config = graph_config(RunFolder(Path(run)))
        graph.invoke({"task": task, "run": run}, config, context=context, durability="sync")
        values: dict[str, Any] = graph.get_state(config).values
    return values


def largest_usd(spec: TaskSpec, settings: Settings) -> float | None:
    """About what all questions can cost at most (calls that break off apart); None where a price is not known."""
    if settings.replay:
        return 0.0
    prices = {role: price_of(parse_model(text), spec.prices) for role, text in settings.models.items()}
    if None in prices.values():
        return None
    dearest = max((_both_rounds(prices, role, SCRIPT_TOKENS) for role in WRITERS), default=0.0)
    tries = PRESETS[settings.preset].tries if settings.preset else MAX_TRIES
    repairs = (tries - 1) * _both_rounds(prices, "repair", SCRIPT_TOKENS)
    questions = PRESETS[settings.preset].questions if settings.preset else QUESTIONS
    once = sum(times * _both_rounds(prices, role, SHORT_TOKENS) for role, times in questions.items())
    total = once + settings.attempts * (repairs if settings.preset else dearest + repairs)
    return total if settings.usd is None else min(settings.usd, total)


def _both_rounds(prices: Mapping[Role, Price | None], role: Role, answer: int) -> float:
    """USD of a question and of asking it once more, with the first answer in view."""
    price = prices.get(role)
    if price is None:
        return 0.0
    return price.cost(Usage(PROMPT_TOKENS, answer)) + price.cost(Usage(PROMPT_TOKENS + answer, answer))
