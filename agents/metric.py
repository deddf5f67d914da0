"""Which metric a task is scored by, where nobody said so: asked of a model, among the metrics that we can compute."""

from __future__ import annotations

from dataclasses import dataclass

from agents.brief import sample
from agents.forms import MetricForm
from grading.base import TaskError
from grading.metric_names import METRIC_NAMES, RANKED, MetricName, resolve_metric
from grading.metric_phrases import evaluation
from models.answers import read_json
from models.base import BadAnswer, Data, Mind, Question

KEY = "metric"
"""Of the question in the record of a run."""
NONE = "none"
SECTION_CHARACTERS = 8_000
DESCRIPTION_CHARACTERS = 12_000
COLUMNS_CHARACTERS = 2_000
ANSWER_TOKENS = 4_000
LONGEST = 400
"""Characters of the reason."""


@dataclass(frozen=True)
class Guess:
    """What a model takes the metric to be."""

    metric: str | None
    """Canonical name; None where it is none that we can compute, or where nothing tells."""
    reason: str


def find_metric(mind: Mind, description: str, submission: list[str], seconds: float) -> Guess:
    """The metric by the description and the first lines of the sample submission ([] where there is none).

    Raises: NoAnswer, ReplayDiffers, AskingStopped.
    """
    variables: dict[str, object] = {
        "evaluation": Data(evaluation(description) or "(no section on evaluation)", keep=SECTION_CHARACTERS),
        "description": Data(description or "(no description was given)", keep=DESCRIPTION_CHARACTERS),
        "columns": Data(submission[0] if submission else "(no sample submission)", keep=COLUMNS_CHARACTERS),
        "rows": sample("\n".join(submission[1:])),
        "metrics": [f"{m.name}: {' or '.join(m.outputs)}, to {m.direction}" for m in _metrics()],
    }
    return mind.ask(Question(KEY, "describe", "metric", variables, _read, MetricForm, ANSWER_TOKENS, seconds))


def metric_list() -> str:
    """The names of all metrics, for people."""
    return ", ".join(metric.name for metric in _metrics())


def _metrics() -> list[MetricName]:
    return [*METRIC_NAMES.values(), *RANKED.values()]


def _read(text: str) -> Guess:
    form = read_json(text, MetricForm)
    reason = " ".join(form.reason.split())[:LONGEST]
    if not reason:
        raise BadAnswer("reason is empty.")
    if form.metric.strip().lower() == NONE:
        return Guess(None, reason)
    try:
        return Guess(resolve_metric(form.metric), reason)
    except TaskError:
        raise BadAnswer(f"metric: {form.metric[:100]!r} is not in the list; take a name of it, or none.") from None
