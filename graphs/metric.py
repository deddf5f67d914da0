"""Finds the metric of a task that names none: in its description, or by asking a model; what is found is shown."""

from __future__ import annotations

from itertools import islice
from pathlib import Path

from agents.metric import KEY, find_metric, metric_list
from grading.base import TaskError
from grading.metric_names import metric_info
from grading.metric_phrases import named_metric
from grading.task import MetricSpec, TaskSpec
from graphs.folder import RunFolder
from graphs.minds import open_mind
from graphs.settings import Settings
from models.base import NoAnswer
from models.gate import Say
from models.records import Records

STAND_IN = "accuracy"
"""Takes the place of the metric while a task is read that names none."""
LONGEST_WAIT = 300.0
"""Seconds for the answer, at most; of a short run a share, as for all that is asked before anything is tried."""
SHARE = 0.15
LINES, LINE_BYTES = 6, 4_000
"""Of the sample submission, as a model may see it."""


def with_metric(spec: TaskSpec, settings: Settings, folder: RunFolder, say: Say | None) -> TaskSpec:
    """`spec` with its metric and with what speaks for it. Without `say` no model is asked.

    Raises: TaskError where nothing tells the metric, ReplayDiffers, AskingStopped.
    """
    named = named_metric(spec.description)
    if named:
        found = _metric(named.metric, f'by its description: "{named.sentence}"')
    else:
        found = _replayed(settings) or _asked(spec, settings, folder, say)
    if say:
        say({"event": "inferred", "metric": found.name, "direction": found.direction, "why": found.why})
    return spec.model_copy(update={"metric": found})


def _metric(name: str, why: str) -> MetricSpec:
    return MetricSpec(name=name, direction=metric_info(name).direction, why=why)


def _replayed(settings: Settings) -> MetricSpec | None:
    """The metric of the run that is replayed, where its user named it; None where a model was asked for it, too."""
    source = RunFolder(Path(settings.replay)) if settings.replay else None
    return source.load()[0].metric if source and Records(source.llm).find(KEY) is None else None


def _asked(spec: TaskSpec, settings: Settings, folder: RunFolder, say: Say | None) -> MetricSpec:
    if say is None or "describe" not in settings.models:
        unasked = "and no model is asked here" if settings.models else "and there is no model to ask (--model)"
        raise _unknown(spec, f"its description does not name it beyond doubt, {unasked}")
    gate = open_mind(spec, settings, Records(folder.llm), say)
    model = settings.models["describe"]
    try:
        wait = min(LONGEST_WAIT, SHARE * settings.minutes * 60)
        guess = find_metric(gate, spec.description, submission_head(spec), wait)
    except NoAnswer as fault:
        raise _unknown(spec, f"{model} gave no answer ({fault.why})") from None
    finally:
        gate.close()
    if guess.metric is None:
        raise _unknown(spec, f"{model} takes it to be none that can be computed here ({guess.reason})")
    return _metric(guess.metric, f"by {model}: {guess.reason}")


def _unknown(spec: TaskSpec, why: str) -> TaskError:
    return TaskError(
        f"{spec.data}: the metric is not known: {why}; give --metric NAME, one of {metric_list()}, or a task.yaml with "
        f"metric: {{file: my_metric.py, direction: ..}}."
    )


def submission_head(spec: TaskSpec) -> list[str]:
    """The first lines of the sample submission as they stand there; [] where there is none as plain text."""
    named = spec.files.sample_submission
    names = [named] if named else sorted((p.name for p in spec.data.iterdir() if _looks_like_sample(p)), key=len)
    if not names or not names[0].endswith(".csv"):
        return []
    with (spec.data / names[0]).open("rb") as file:
        lines = islice(iter(lambda: file.readline(LINE_BYTES), b""), LINES)
        return [line.decode("utf-8", "replace").rstrip("\r\n") for line in lines]


def _looks_like_sample(path: Path) -> bool:
    name = path.name.lower()
    return path.is_file() and name.endswith(".csv") and ("sample" in name or "submission" in name)
