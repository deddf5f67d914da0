"""Opens the gate to the models of a run."""

from __future__ import annotations

from pathlib import Path

from grading.task import TaskSpec
from graphs.folder import RunFolder
from graphs.settings import Settings
from models.gate import Gate, Say
from models.records import Records
from models.setup import load_models


def open_mind(spec: TaskSpec, settings: Settings, records: Records, say: Say) -> Gate:
    """The gate, with its models or with the record that is replayed; nothing is sent yet.

    Raises: TaskError where a key, a package or a price is missing.
    """
    minds = {} if settings.replay else load_models(settings.models, spec.prices, settings.usd)
    replay = Records(RunFolder(Path(settings.replay)).llm) if settings.replay else None
    return Gate(settings.models, minds, records, say, settings.privacy, settings.usd, replay, settings.replay_reworded)
