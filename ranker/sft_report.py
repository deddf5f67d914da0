"""What a training says of itself: report.json in the adapter's folder, and a few lines for a person."""

from __future__ import annotations

import hashlib
import json
import platform
import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ranker.placed import Placed
from ranker.sft_data import Example, Split
from ranker.sft_prompt import conversation
from ranker.sft_records import REPORT, Progress
from sandbox.files import write_atomically

LIBRARIES = ("torch", "transformers", "peft", "safetensors", "bitsandbytes")


@dataclass(frozen=True)
class Found:
    """What a training was made from."""

    data: Path
    base: Path
    split: Split
    train: Sequence[Example]
    held_out: Sequence[Example]
    device: str
    """"cpu" or "cuda"."""
    four_bit: bool
    """Whether the base was held in 4 bits."""
    trainable: int
    """Weights of the adapter."""


def prompt_digest() -> str:
    """Digits of the sha256 of the words with which a model is asked."""
    words = json.dumps(conversation("TASK", "KIND", "METRIC", 1))
    return hashlib.sha256(words.encode()).hexdigest()[:12]


def report_of(found: Found, progress: Progress) -> dict[str, Any]:
    """The report, as it is written. Losses are means of an answer's token, in nats."""
    return {
        "command": shlex.join([Path(sys.executable).name, "-m", "ranker.sft", *sys.argv[1:]]),
        "data": str(found.data),
        "base": str(found.base),
        "settings": progress.settings.model_dump(),
        "train": _counts(found.split.train, found.train),
        "held_out": _counts(found.split.held_out, found.held_out)
        | {"task_ids": sorted({str(line.task_id) for line in found.split.held_out})},
        "loss": _losses(progress),
        "steps": progress.step,
        "seconds": round(progress.seconds, 1),
        "seconds_held_out": round(progress.looking, 1),
        "tokens": progress.tokens,
        "tokens_per_second": round(progress.tokens / max(progress.seconds, 1e-9), 1),
        "peak_mib": {"process": round(progress.process_mib, 1), "gpu": progress.gpu_mib},
        "device": found.device,
        "four_bit": found.four_bit,
        "trainable_weights": found.trainable,
        "versions": {"python": platform.python_version()} | _versions(),
    }


def write_report(folder: Path, report: dict[str, Any]) -> None:
    """Write it, whole or not at all. Raises: OSError."""
    text = json.dumps(report, indent=2, ensure_ascii=False)
    write_atomically(folder / REPORT, f"{text}\n".encode())


def lines_of(report: dict[str, Any]) -> list[str]:
    """The report for a person."""
    train, held, loss = report["train"], report["held_out"], report["loss"]
    where = f"{report['device']}{' in 4 bits' if report['four_bit'] else ''}"
    said = [f"Trained on {_size(train)}, {report['steps']} steps on {where}: {_cost(report)}."]
    for name, part in (("train", train), ("held out", held)):
        if part["left_out"] or part["cut"]:
            said.append(
                f"Of {name}, {part['left_out']} were left out and {part['cut']} cut: --max-tokens is too small."
            )
    if loss["held_out_before"] is None:
        return [*said, f"Loss {loss['best']['train']:.4f} while training; nothing was held out."]
    gain = f"{loss['held_out_before']:.4f} before, {loss['best']['held_out']:.4f} after epoch {loss['best']['epoch']:g}"
    verdict = "" if loss["better"] else "; that is no gain, so the base alone is as good"
    return [*said, f"Held out ({_size(held)}): loss {gain}, whose adapter was kept{verdict}."]


def _size(part: dict[str, Any]) -> str:
    return f"{part['examples']} instructions of {part['competitions']} competitions"


def _cost(report: dict[str, Any]) -> str:
    return f"{report['seconds']:,} s, {report['tokens_per_second']:,} tokens/s, {_peak(report['peak_mib'])} at most"


def _counts(lines: Sequence[Placed], examples: Sequence[Example]) -> dict[str, Any]:
    return {
        "competitions": len({str(line.task_id) for line in lines}),
        "examples": len(examples),
        "left_out": len(lines) - len(examples),
        "cut": sum(example.cut for example in examples),
        "answer_tokens": sum(len(example.ids) - example.prompt for example in examples),
    }


def _losses(progress: Progress) -> dict[str, Any]:
    return {
        "held_out_before": progress.before,
        "epochs": [epoch.model_dump() for epoch in progress.epochs],
        "best": progress.best.model_dump() if progress.best else None,
        "better": progress.better,
    }


def _peak(peak: dict[str, float | None]) -> str:
    gpu = f", {peak['gpu']:,.0f} MiB of the GPU" if peak["gpu"] is not None else ""
    return f"{peak['process']:,.0f} MiB{gpu}"


def _versions() -> dict[str, str]:
    found = {}
    for library in LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            continue
    return found
