"""One training from settings to report: load, look, train, write down. The part of ranker/sft.py that needs torch."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from transformers.utils import logging

from models.local_child import FAULTS, Local, failure
from ranker.sft_checkpoint import read_progress, trained, unusable
from ranker.sft_data import Example, SftError, Split
from ranker.sft_model import examples, load_base, with_adapter
from ranker.sft_records import CHECKPOINT, Progress, Settings, differences
from ranker.sft_report import Found, report_of, write_report
from ranker.sft_train import Training, Watch


class Failed(RuntimeError):
    """The libraries could not serve; the text is one sentence with the remedy."""

    def __init__(self, sentence: str, memory: bool) -> None:
        super().__init__(sentence)
        self.memory = memory
        """Whether memory was short."""


def train(settings: Settings, split: Split, data: Path, folder: Path, out: Path, watch: Watch) -> dict[str, Any] | None:
    """Train, or go on from the checkpoint in `out`, and write adapter and report there. None where `watch` stopped it.

    Raises: SftError, Failed, OSError.
    """
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    warnings.simplefilter("ignore", FutureWarning)  # between the libraries, and nothing a user could change
    progress = _progress(settings, out)
    try:
        base = load_base(folder, settings.four_bit)
        learn, held_out = _examples(base, split, settings.max_tokens)
        model = with_adapter(base, settings)
    except SftError:
        raise
    except (*FAULTS, SafetensorError) as fault:
        raise _failed(fault, folder) from fault
    if not _trained(Training(model, learn, held_out, out, watch), progress, folder):
        return None
    if progress.best is None:
        raise unusable(out)
    four_bit = bool(getattr(base.model, "is_loaded_in_4bit", False))
    weights = sum(weight.numel() for weight in trained(model).values())
    found = Found(data, folder, split, learn, held_out, model.device.type, four_bit, weights)
    report = report_of(found, progress)
    write_report(out, report)
    (out / CHECKPOINT).unlink(missing_ok=True)
    return report


def _trained(training: Training, progress: Progress, folder: Path) -> bool:
    try:
        return training.run(progress, resume=(training.folder / CHECKPOINT).exists())
    except (SftError, OSError):  # OSError is of what is written
        raise
    except FAULTS as fault:
        raise _failed(fault, folder) from fault


def _progress(settings: Settings, out: Path) -> Progress:
    """Of the checkpoint where there is one. Raises: SftError where it was made otherwise."""
    if not (out / CHECKPOINT).exists():
        return Progress(settings=settings)
    progress = read_progress(out)
    other = differences(settings, progress.settings)
    if other:
        then = ", ".join(f"{name} {getattr(progress.settings, name)}" for name in other)
        raise SftError(f"--resume: the checkpoint in {out} was made with {then}; say the same, or name another --out.")
    return progress


def _examples(base: Local, split: Split, most: int) -> tuple[list[Example], list[Example]]:
    if most > base.context:
        raise SftError(f"--max-tokens {most}: the model takes {base.context:,}; give at most that.")
    learn, held_out = examples(base, split.train, most), examples(base, split.held_out, most)
    if not learn or (split.held_out and not held_out):
        raise SftError(f"--max-tokens {most}: the prompts alone fill it; give more.")
    return learn, held_out


def _failed(fault: BaseException, base: Path) -> Failed:
    said = failure(fault)
    if said["kind"] == "memory":
        return Failed(f"memory is short ({said['error']}); use a smaller --batch, --max-tokens or model.", memory=True)
    return Failed(f"--base {base} cannot be trained ({said['error']}); name another model.", memory=False)
