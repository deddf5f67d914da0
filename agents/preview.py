"""--dry-run: what a run would do and cost at most. No script of a task is run, no model is asked."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from agents.drive import graph_config
from agents.repair import MAX_TRIES
from agents.write import SCRIPT_TOKENS
from grading.task import TaskSpec
from graphs.checkpoints import open_saver
from graphs.context import Context
from graphs.folder import RunFolder
from graphs.live import close
from graphs.pipeline import builder
from graphs.plan import model_drafts
from graphs.prepare import prepare
from graphs.settings import Settings
from models.base import Role
from models.names import parse_model
from models.prices import Usage, price_of
from models.prompt import PROMPT_TOKENS

QUESTIONS: dict[Role, int] = {"describe": 1, "propose": 1, "critique": 2}
"""Asked once a run; besides, each attempt asks for its script and for its repairs."""
ROUNDS = 2
"""A question may be asked once more."""
SHORT_TOKENS = 8_000
"""Length of an answer that holds no script."""


def preview(task: Path, context: Context) -> dict[str, Any]:
    """What a run would do: the task as inferred, the candidates in order, the largest cost. Leaves nothing behind.

    Raises: TaskError, SandboxError.
    """
    place = Path(tempfile.mkdtemp(prefix="linguacodus-preview-"))
    run = str(place / "tried")
    try:
        spec, settings = prepare(str(task), str(place / "asked"), context).load()
        values = _ranked(
            str(task), run, replace(context, model="none", review=False, replay_executions=False, replay_reworded=False)
        )
    finally:
        close(run)
        shutil.rmtree(place, ignore_errors=True)
    titles = {instruction.id: instruction for instruction in values["pool"]}
    usd = largest_usd(spec, settings)
    return {
        "task": asdict(values["facts"]),
        "description": asdict(values["description"]),
        "candidates": [asdict(ranked) | {"title": titles[ranked.instruction].title} for ranked in values["ranking"]],
        "ideas": model_drafts(settings.budget()) if "propose" in settings.models else 0,
        "settings": asdict(settings),
        "largest_cost": {"minutes": settings.minutes, "attempts": settings.attempts, "usd": usd},
    }


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
    """USD that all questions can cost at most; None where a price is not known."""
    if settings.replay:
        return 0.0
    total = 0.0
    for role, text in settings.models.items():
        price = price_of(parse_model(text), spec.prices)
        if price is None:
            return None
        total += ROUNDS * QUESTIONS.get(role, 0) * price.cost(Usage(PROMPT_TOKENS, SHORT_TOKENS))
        times = {"write": 1, "repair": MAX_TRIES - 1}.get(role, 0) * settings.attempts
        total += ROUNDS * times * price.cost(Usage(PROMPT_TOKENS, SCRIPT_TOKENS))
    return total if settings.usd is None else min(settings.usd, total)
