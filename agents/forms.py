"""The forms of JSON answers. Fields that nobody asked for are passed over; long texts are cut when they are read."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict

_FORM = ConfigDict(extra="ignore", json_schema_extra={"additionalProperties": False})


class MetricForm(BaseModel):
    """See prompts/metric.md.j2."""

    model_config = _FORM

    metric: str
    reason: str


class InsightForm(BaseModel):
    """See prompts/describe.md.j2."""

    model_config = _FORM

    objective: str
    modality: str
    pitfalls: list[str]


class Idea(BaseModel):
    """One instruction."""

    model_config = _FORM

    title: str
    preprocessing: str
    model: str
    training: str


class Ideas(BaseModel):
    """See prompts/propose.md.j2."""

    model_config = _FORM

    ideas: list[Idea]


class Review(BaseModel):
    """The flaws of one candidate."""

    model_config = _FORM

    number: int
    flaws: list[str]


class Reviews(BaseModel):
    """See prompts/critique_flaws.md.j2."""

    model_config = _FORM

    reviews: list[Review]


class NumberedIdea(BaseModel):
    """A candidate, improved."""

    model_config = _FORM

    number: int
    title: str
    preprocessing: str
    model: str
    training: str


class NumberedIdeas(BaseModel):
    """See prompts/critique_improve.md.j2."""

    model_config = _FORM

    ideas: list[NumberedIdea]
