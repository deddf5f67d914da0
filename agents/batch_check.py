"""Mistakes in the call of a batch, found before any task begins: else each of hundreds would fail by it."""

from __future__ import annotations

from collections.abc import Mapping

from grading.base import TaskError
from graphs.policies import find_policy
from graphs.presets import PRESETS
from models.names import parse_model
from models.setup import load_models, role_models
from ranker.base import RankerUnavailable
from ranker.process import wanted_ranker

LEVELS = (None, "schema", "samples", "output")


def check_options(
    model: str | None, privacy: str | None, policy: str | None, preset: str | None, ranker: str | None, here: bool
) -> None:
    """Options of agents.run; `here`: tasks run on this machine, so that its keys count.

    Raises: TaskError.
    """
    if privacy not in LEVELS:
        raise TaskError(f"--privacy {privacy}: is no level; choose schema, samples or output.")
    if policy is not None:
        find_policy(policy)
    if preset is not None and preset not in PRESETS:
        raise TaskError(f"--preset {preset}: is no preset; there is {', '.join(PRESETS)}.")
    if model is not None:
        _check_model(model, here)
    try:
        wanted_ranker(ranker)
    except RankerUnavailable as fault:
        raise TaskError(str(fault)) from fault


def _check_model(model: str, here: bool) -> None:
    names = role_models({}, model)
    if here and parse_model(model).provider != "replay":
        for loaded in load_models(names, {}, None).values():
            loaded.close()


def check_cluster(ray: str | None, options: Mapping[str, object]) -> None:
    """Options of a cluster, where there is one. Raises: TaskError."""
    for name, value in options.items():
        if value and ray is None:
            raise TaskError(f"{name}: goes with --ray; add --ray auto, or leave it out.")
    if options["--ray-fetch"] and options["--ray-store"]:
        raise TaskError("--ray-fetch, --ray-store: results come back on one way; choose one of the two.")
