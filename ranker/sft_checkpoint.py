"""The files of a training that hold tensors, as safetensors: the adapter, and the one from which it goes on."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from ranker.sft_data import SftError
from ranker.sft_records import ADAPTER, CHECKPOINT, Progress, replaced

CONFIG = "adapter_config.json"
MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW remembers of every weight."""


def trained(model: Any) -> dict[str, Any]:
    """The weights that are trained, by name."""
    return {name: weight for name, weight in model.named_parameters() if weight.requires_grad}


def save_adapter(model: Any, folder: Path) -> None:
    """Write the adapter so that `hf:BASE+FOLDER` takes it, in place of an earlier one. Raises: OSError."""
    aside = folder / ".adapter"
    shutil.rmtree(aside, ignore_errors=True)
    with _writing():
        model.save_pretrained(aside, safe_serialization=True, save_embedding_layers=False)
    for name in (CONFIG, ADAPTER):
        replaced(folder / name, (aside / name).rename)
    shutil.rmtree(aside)


def save_checkpoint(model: Any, optimizer: Any, progress: Progress, folder: Path) -> None:
    """Write weights, AdamW's memory and progress as one file, in place of an earlier one. Raises: OSError."""
    tensors = {}
    for name, weight in trained(model).items():
        tensors[f"weight/{name}"] = weight.detach().cpu().contiguous()
        state = optimizer.state.get(weight, {})
        tensors |= {f"{moment}/{name}": state[moment].cpu().contiguous() for moment in MOMENTS if moment in state}
    about = {"progress": progress.model_dump_json()}
    with _writing():
        replaced(folder / CHECKPOINT, lambda path: save_file(tensors, path, metadata=about))


def read_progress(folder: Path) -> Progress:
    """How far the checkpoint is. Raises: SftError."""
    try:
        with safe_open(folder / CHECKPOINT, framework="pt") as file:
            return Progress.model_validate_json((file.metadata() or {}).get("progress", ""))
    except (SafetensorError, ValidationError, OSError) as fault:
        raise unusable(folder) from fault


def load_checkpoint(model: Any, optimizer: Any, folder: Path, step: int) -> None:
    """Put weights and AdamW's memory back, as they were after `step` steps. Raises: SftError."""
    try:
        with safe_open(folder / CHECKPOINT, framework="pt") as file:
            for name, weight in trained(model).items():
                weight.data.copy_(_like(file.get_tensor(f"weight/{name}"), weight))
                if step:
                    moments = {key: _like(file.get_tensor(f"{key}/{name}"), weight) for key in MOMENTS}
                    optimizer.state[weight] = {"step": torch.tensor(float(step)), **moments}
    except (SafetensorError, ValueError, OSError) as fault:
        raise unusable(folder) from fault


@contextmanager
def _writing() -> Iterator[None]:
    """safetensors has an exception of its own for a full disk."""
    try:
        yield
    except SafetensorError as fault:
        raise OSError(str(fault)) from fault


def _like(tensor: Any, weight: Any) -> Any:
    if tensor.shape != weight.shape:
        raise ValueError(f"{tuple(tensor.shape)} is not {tuple(weight.shape)}")
    return tensor.to(weight)


def unusable(folder: Path) -> SftError:
    """What to say of a checkpoint that is none."""
    return SftError(f"--resume: {folder / CHECKPOINT} is no checkpoint of this training; remove it to begin anew.")
