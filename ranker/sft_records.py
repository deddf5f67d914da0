"""What a training leaves in its folder beside the adapter: how it was asked for, how far it is, what came out."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from ranker.sft_data import SftError
from sandbox.files import locked

REPORT, CHECKPOINT, ADAPTER = "report.json", "checkpoint.safetensors", "adapter_model.safetensors"
FourBit = Literal["auto", "on", "off"]


class Strict(BaseModel):
    """Read from a file as it was written, or not at all."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Settings(Strict):
    """All that decides how a training ends. A training goes on only with the same."""

    data: str
    """Digits of the sha256 of the file of placed instructions."""
    base: str
    """Digits of the sha256 of the base model's configuration and of its files' names and sizes."""
    prompt: str
    """Digits of the sha256 of the words with which the model is asked."""
    epochs: int
    batch: int
    """Examples a step."""
    lr: float
    rank: int
    """r of LoRA."""
    max_tokens: int
    """Tokens of prompt and answer together, at most."""
    seed: int
    holdout: float
    """Share of the competitions that is held out."""
    steps: int | None
    """Steps at most, over all epochs."""
    four_bit: FourBit


class Epoch(Strict):
    """One look at the held-out competitions."""

    epoch: float
    """Epochs done; a training that `steps` ends may stop in the middle of one."""
    step: int
    train: float
    """Mean loss in nats of an answer's token, over the steps since the last look, while the weights changed."""
    held_out: float | None
    """Mean loss in nats of an answer's token; None where nothing is held out."""


class Progress(BaseModel):
    """How far a training is."""

    model_config = ConfigDict(extra="forbid")

    settings: Settings
    step: Annotated[int, Field(ge=0)] = 0
    before: float | None = None
    """Held-out loss of the base model."""
    epochs: list[Epoch] = []
    loss: float = 0.0
    """Sum over the answers' tokens since the last look, nats."""
    answered: int = 0
    """Tokens of answers since the last look."""
    tokens: int = 0
    """Tokens trained on, prompts among them, padding not."""
    seconds: float = 0.0
    """Spent in steps."""
    looking: float = 0.0
    """Seconds spent on held-out competitions."""
    process_mib: float = 0.0
    """Most memory that the process had, in MiB."""
    gpu_mib: float | None = None

    @property
    def better(self) -> bool | None:
        """Whether the best look was better than the base model; None where nothing is held out, or not yet known."""
        if self.before is None or self.best is None or self.best.held_out is None:
            return None
        return self.best.held_out < self.before

    @property
    def best(self) -> Epoch | None:
        """The look whose adapter is kept: the lowest held-out loss, or the last where nothing is held out."""
        return min(
            self.epochs,
            key=lambda look: (math.inf if look.held_out is None else look.held_out, -look.step),
            default=None,
        )


def differences(now: Settings, then: Settings) -> list[str]:
    """Names of the settings that are not the same."""
    return [name for name, value in now if value != getattr(then, name)]


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """Make the folder and lock it for this process; the lock goes with the process.

    Raises: SftError where another process works in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        file = locked(folder / ".lock")
    except BlockingIOError:
        raise SftError(f"--out {folder} is being trained by another process; wait for it or stop it.") from None
    with file:
        yield


def replaced(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make a file that then stands at `path`: whole, or not at all, also after a power cut.

    Raises: OSError.
    """
    new = path.with_name(f".{path.name}.new")
    try:
        write(new)
        with new.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)
