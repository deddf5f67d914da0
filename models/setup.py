"""From what a task and a command line say about models to models that can be asked."""

from __future__ import annotations

from collections.abc import Mapping

from grading.base import TaskError
from grading.task import PriceSpec
from models.base import ROLES, Role
from models.load import Loaded, load_model
from models.names import parse_model

DEFAULT = "default"
"""In `models`, the name for all roles that are not named."""


def role_models(said: Mapping[str, str], flag: str | None) -> dict[Role, str]:
    """Role -> model, as named; {} without any. `flag` stands for "default" and wins; none and replay stand for all.

    Raises: TaskError for a role or a model that there is not.
    """
    if unknown := sorted(said.keys() - {*ROLES, DEFAULT}):
        raise TaskError(f"models.{unknown[0]}: is no role; the roles are {', '.join((*ROLES, DEFAULT))}.")
    everyone = flag if flag is not None else said.get(DEFAULT, "none")
    place = "--model" if flag is not None else f"models.{DEFAULT}"
    if flag == "none" or parse_model(everyone, place).provider == "replay":
        said = {}
    names: dict[Role, str] = {}
    for role in ROLES:
        text = said.get(role, everyone)
        name = parse_model(text, f"models.{role}" if role in said else place)
        if name.provider == "replay" and role in said:
            raise TaskError(f"models.{role}: a replay stands for all roles: use --model {text}.")
        if name.provider != "none":
            names[role] = text
    return names


def load_models(names: Mapping[Role, str], prices: Mapping[str, PriceSpec], usd: float | None) -> dict[str, Loaded]:
    """The models by name; nothing is sent yet.

    Raises: TaskError where a key or a package is missing, or where money is capped and a price is not known.
    """
    loaded = {text: load_model(parse_model(text), prices) for text in sorted(set(names.values()))}
    unpriced = [text for text, model in loaded.items() if model.price is None]
    if usd is not None and unpriced:
        raise TaskError(
            f"--usd {usd:g}: no price of {unpriced[0]} is known, so its calls cannot be capped; add "
            f"`prices: {{'{unpriced[0]}': {{input: .., output: ..}}}}` (USD per million tokens) to the task, or leave "
            f"--usd out."
        )
    return loaded
