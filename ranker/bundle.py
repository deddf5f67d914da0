"""A trained ranker as a folder: averages, meta-feature model, language model and what holds them together.

card.json      data, command, versions, figures
averages.json  best on average
meta.txt       the meta-feature model, as LightGBM writes it
blend.json     weights and scales
lm/            adapter, head and settings of the language model (optional)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
from safetensors import SafetensorError

from ranker import base_model
from ranker.averages import Averages
from ranker.blend import Blend
from ranker.lm_train import scores_of
from ranker.meta import feature_names, features, predict
from ranker.model import Scorer, load
from ranker.outcomes import Outcomes, unmeasured
from ranker.records import InstructionRecord, TaskRecord
from ranker.trees import read_text, read_trees
from sandbox.files import write_atomically

HELD_OUT = "held-out.jsonl.gz"
BASE_FOLDER = "base folder"
"""In card.json, where the base is not the embedded one."""
UNREADABLE = (OSError, ValueError, TypeError, KeyError, RuntimeError, SafetensorError, lightgbm.basic.LightGBMError)
"""What reading a folder that is broken or forged raises."""


class BundleError(ValueError):
    """A folder holds no ranker that can be used; the text is one sentence with the remedy."""


@dataclass(frozen=True)
class Bundle:
    """A ranker in memory."""

    averages: Averages
    meta: lightgbm.Booster
    blend: Blend
    lm: Scorer | None
    card: dict[str, Any]

    def parts(
        self, task: TaskRecord, metric: str, instructions: Sequence[InstructionRecord], priors: Sequence[float] = ()
    ) -> dict[str, np.ndarray]:
        """What each part says of each instruction: (n,) each. `priors`: known ones, 0 where none is known."""
        found = self.parts_of([unmeasured(task, metric, instructions)])[0]
        if priors:
            found["prior"] = np.array([self.worth(i, prior) for i, prior in zip(instructions, priors, strict=True)])
        return found

    def worth(self, instruction: InstructionRecord, prior: float) -> float:
        """What it is worth on average: its prior, half and half with the mean that own runs gave it where they did."""
        average = self.averages.of(instruction)
        if prior <= 0:
            return average
        return (prior + average) / 2 if instruction.id in self.averages.plans else prior

    def parts_of(self, tasks: Sequence[Outcomes], texts: Sequence[str] | None = None) -> list[dict[str, np.ndarray]]:
        """The same of many tasks, each text read once; `texts` as what the language model reads of each task."""
        read = scores_of(self.lm, tasks, texts) if self.lm is not None else [None] * len(tasks)
        found = []
        for task, lm in zip(tasks, read, strict=True):
            table = features(task.task, task.metric, task.instructions)
            average = np.array([self.averages.of(i) for i in task.instructions])
            parts = {"prior": average, "meta": predict(self.meta, table)}
            found.append(parts if lm is None else parts | {"lm": lm})
        return found

    def save(self, folder: Path) -> None:
        """Write all but the language model, which its training has put there."""
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "averages.json", self.averages.as_json())
        write_json(folder / "blend.json", asdict(self.blend))
        write_json(folder / "card.json", self.card)
        self.meta.save_model(folder / "meta.txt")


def base_of(folder: Path) -> Path:
    """The base model of the ranker in `folder`: the embedded one, or the folder that its training was given.

    Raises: BundleError.
    """
    try:
        return Path(str(read_json(folder / "card.json").get(BASE_FOLDER) or base_model.FOLDER))
    except (OSError, ValueError) as fault:
        raise BundleError(
            f"{folder} holds no ranker ({fault}); name a folder that ranker.train has written."
        ) from fault


def load_bundle(folder: Path, base: Path, with_lm: bool = True) -> Bundle:
    """Read a ranker. Raises: BundleError."""
    if with_lm and (folder / "lm").is_dir() and not (base / "config.json").is_file():
        raise BundleError(f"{base} holds no base model; run `make ranker`, or name its folder.")
    try:
        averages = Averages(**read_json(folder / "averages.json"))
        blend = Blend(**read_json(folder / "blend.json"))
        card = read_json(folder / "card.json")
        meta = read_trees(folder / "meta.txt", len(feature_names()))
        lm = load(folder / "lm", base) if with_lm and (folder / "lm").is_dir() else None
    except FileNotFoundError as fault:
        raise BundleError(f"{fault.filename} is missing; name a folder that ranker.train has written.") from fault
    except UNREADABLE as fault:
        words = " ".join(str(fault).split())[:300]
        raise BundleError(f"{folder} holds no ranker that can be read ({words}); train it anew.") from fault
    return Bundle(averages, meta, blend, lm, card)


def read_json(path: Path) -> dict[str, Any]:
    """An object. Raises: OSError, ValueError."""
    found = json.loads(read_text(path))
    if not isinstance(found, dict):
        raise ValueError(f"{path} holds no object")
    return found


def write_json(path: Path, what: object) -> None:
    """Indented, in place at once."""
    write_atomically(path, (json.dumps(what, indent=1) + "\n").encode())
