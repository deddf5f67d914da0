"""Makes the run folder: every mistake of the task, the call and the models is found before anything is opened."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from grading.base import TaskError
from grading.task import MetricMissing, TaskSpec, load_spec
from graphs.context import Context
from graphs.folder import RunFolder
from graphs.metric import STAND_IN, with_metric
from graphs.settings import Settings, settle
from models.gate import Say
from models.names import parse_model
from models.setup import load_models, role_models
from recipes.render import parse
from sandbox.files import write_atomically

MAX_SCRIPT_BYTES = 1_000_000
"""A larger script of the user's is none."""


def prepare(task: str, run: str, context: Context, say: Say | None = None) -> RunFolder:
    """The run folder with its record; made from the task where there is none yet.

    `say` takes events for people; without it no model is asked for a metric that the task does not name.

    Raises: TaskError for a mistake in the task, its folder, a model, or a script that was handed in; ReplayDiffers.
    """
    folder = RunFolder(Path(run))
    if not folder.record.exists():
        spec, metric_known = _spec(Path(task), context)
        settings = _settings(spec, context)
        if not metric_known:
            spec = with_metric(spec, settings, folder, say)
        start = _own_script(Path(context.start)) if context.start else None
        if start:
            write_atomically(folder.start, start.encode())
        if settings.replay:
            _take_over(RunFolder(Path(settings.replay)), folder)
        folder.create(spec, settings)
    return folder


def _spec(task: Path, context: Context) -> tuple[TaskSpec, bool]:
    """The task, and whether it names its metric; where it does not, another stands there."""
    try:
        return load_spec(task, {"metric": context.metric} if context.metric else {}), True
    except MetricMissing:
        return load_spec(task, {"metric": STAND_IN}), False


def _settings(spec: TaskSpec, context: Context) -> Settings:
    names = role_models(spec.models, context.model)
    replayed = next((name for text in names.values() if (name := parse_model(text)).provider == "replay"), None)
    if replayed:
        source = RunFolder(Path(replayed.name))
        before = source.load()[1]
        if not before.models:
            raise TaskError(f"--model {replayed.text}: that run asked no model, so there is nothing to replay.")
        return replace(settle(spec, context, before.models, before), replay=str(source.path.resolve()))
    if context.replay_executions or context.replay_reworded:
        raise TaskError(
            "--replay-executions and --replay-reworded go with --model replay:RUN; add it, or leave them out."
        )
    settings = settle(spec, context, names)
    for loaded in load_models(names, spec.prices, settings.usd).values():
        loaded.close()
    return settings


def _take_over(source: RunFolder, folder: RunFolder) -> None:
    """What a person gave to a run that is replayed: a script of their own, and the review of the instructions."""
    for before, now in ((source.start, folder.start), (source.review, folder.review)):
        if before.exists() and not now.exists():
            write_atomically(now, before.read_bytes())


def _own_script(path: Path) -> str:
    """The text of a script that the user hands in."""
    try:
        if path.stat().st_size > MAX_SCRIPT_BYTES:
            raise TaskError(f"--start {path}: is larger than {MAX_SCRIPT_BYTES // 1000} kB; name a Python script.")
        code = path.read_text(encoding="utf-8")
        parse(code)
    except (OSError, UnicodeDecodeError) as fault:
        raise TaskError(f"--start {path}: cannot be read ({fault}); name a Python script.") from None
    except (SyntaxError, ValueError) as fault:
        raise TaskError(f"--start {path}: is no Python script ({fault}); mend it.") from None
    return code
