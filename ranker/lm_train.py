"""Fine-tuning of the ranker's language model: epochs, early stopping, and going on after a kill."""

from __future__ import annotations

import hashlib
import json
import math
import pickle
import random
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from ranker import losses
from ranker.batches import Batch, batches
from ranker.measures import mean_of, measure
from ranker.model import Scorer
from ranker.outcomes import Outcomes

Say = Callable[[str, float], None]
"""Told what happened, and the share of all steps that is done."""
STATE, BEST = "state.pt", "best"


@dataclass(frozen=True)
class Plan:
    """How it is trained."""

    epochs: int = 12
    batch: int = 16
    """Tasks a step."""
    rate: float = 1e-3
    contrast: float = 1.0
    """Weight of the contrast between tasks."""
    patience: int = 4
    """Epochs without a better held-out accuracy after which it stops."""
    steps: int | None = None
    """At most so many steps in all."""
    seed: int = 0


@dataclass
class Progress:
    """Where the training is."""

    epoch: int = 0
    step: int = 0
    best: float = -1.0
    best_epoch: int = -1
    seconds: float = 0.0
    history: list[dict[str, float]] | None = None


def train(
    scorer: Scorer, tasks: Sequence[Outcomes], held: Sequence[Outcomes], plan: Plan, folder: Path, say: Say
) -> Progress:
    """Train until held-out tasks gain no more; the best adapter lies in folder/best.

    A checkpoint is written each epoch; with one in the folder the training goes on from it and ends as if it had
    never stopped. Raises: ValueError where that one cannot be read, or is of another training.
    """
    learned = [parameter for parameter in scorer.parameters() if parameter.requires_grad]
    optimiser = torch.optim.AdamW(learned, lr=plan.rate, weight_decay=0.01)
    an_epoch = math.ceil(len(tasks) / plan.batch)
    total = min(plan.epochs * an_epoch, plan.steps or plan.epochs * an_epoch)
    shape = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: rate_at(step, total))
    mark = mark_of(scorer, tasks, held, plan)
    progress = restore(folder, scorer, optimiser, shape, mark)
    while progress.step < total and progress.epoch - max(0, progress.best_epoch) <= plan.patience:
        begin = time.perf_counter()
        loss = one_epoch(scorer, tasks, plan, progress, optimiser, shape, total, say)
        found = accuracy(scorer, held)
        progress.seconds += time.perf_counter() - begin
        progress.history = [*(progress.history or []), {"epoch": progress.epoch, "loss": loss, "held_out": found}]
        if found > progress.best:
            progress.best, progress.best_epoch = found, progress.epoch
            keep_best(scorer, folder)
        progress.epoch += 1
        say(f"epoch {progress.epoch}: loss {loss:.4f}, held-out pairs {found:.4f}", progress.step / total)
        checkpoint(folder, scorer, optimiser, shape, progress, mark)
    return progress


def rate_at(step: int, total: int) -> float:
    """Linear warm-up over a twentieth of the steps, then a cosine to a twentieth of the rate."""
    warm = max(1, total // 20)
    if step < warm:
        return (step + 1) / warm
    return 0.05 + 0.95 * 0.5 * (1 + math.cos(math.pi * min(1.0, (step - warm) / max(1, total - warm))))


def one_epoch(
    scorer: Scorer,
    tasks: Sequence[Outcomes],
    plan: Plan,
    progress: Progress,
    optimiser: Any,
    shape: Any,
    total: int,
    say: Say,
) -> float:
    """Every task once; returns the mean loss."""
    scorer.train()
    torch.manual_seed(plan.seed * 1_000 + progress.epoch)
    found = []
    for batch in batches(tasks, plan.batch, random.Random(plan.seed * 1_000 + progress.epoch)):
        if progress.step >= total:
            break
        loss = loss_of(scorer, batch, plan)
        loss.backward()
        torch.nn.utils.clip_grad_norm_([p for p in scorer.parameters() if p.requires_grad], 1.0)
        optimiser.step()
        shape.step()
        optimiser.zero_grad()
        progress.step += 1
        found.append(loss.item())
        say("", progress.step / total)
    return float(np.mean(found)) if found else 0.0


def loss_of(scorer: Scorer, batch: Batch, plan: Plan) -> torch.Tensor:
    """Both losses of one batch."""
    scores = scorer(batch.tasks, batch.plans)
    value, known = batch.value.to(scores.device), batch.known.to(scores.device)
    return losses.pairwise(scores, value, known) + plan.contrast * losses.contrast(scores, value, known)


def scores_of(scorer: Scorer, tasks: Sequence[Outcomes], texts: Sequence[str] | None = None) -> list[np.ndarray]:
    """The model's scores of each task's instructions; with `texts` as if these were the tasks'. Each text read once."""
    scorer.eval()
    plans = list(dict.fromkeys(i.text for task in tasks for i in task.instructions))
    places = {text: place for place, text in enumerate(plans)}
    found: list[np.ndarray] = []
    with torch.inference_mode():
        if scorer.settings.reading == "together":
            for number, task in enumerate(tasks):
                text = texts[number] if texts else task.task.text
                found.append(scorer([text], [i.text for i in task.instructions])[0].cpu().numpy())
            return found
        read = scorer.pooled(plans)
        vectors = scorer.pooled([texts[number] if texts else task.task.text for number, task in enumerate(tasks)])
        for vector, task in zip(vectors, tasks, strict=True):
            chosen = read[[places[i.text] for i in task.instructions]]
            found.append(scorer.head(vector[None], chosen)[0].cpu().numpy())  # type: ignore[misc]
    return found


def accuracy(scorer: Scorer, tasks: Sequence[Outcomes]) -> float:
    """Pairwise accuracy, the mean over tasks."""
    scored = zip(scores_of(scorer, tasks), tasks, strict=True)
    return mean_of([measure(scores, task) for scores, task in scored], "pair")[0]


def keep_best(scorer: Scorer, folder: Path) -> None:
    """Replace the best adapter; a reader finds a whole one."""
    part = folder / "best.part"
    shutil.rmtree(part, ignore_errors=True)
    scorer.save(part)
    shutil.rmtree(folder / BEST, ignore_errors=True)
    part.replace(folder / BEST)


def mark_of(scorer: Scorer, tasks: Sequence[Outcomes], held: Sequence[Outcomes], plan: Plan) -> str:
    """The same for the same training only: model, tasks and how it is trained."""
    shapes = [[name, list(value.shape)] for name, value in scorer.named_parameters() if value.requires_grad]
    about = [[task.task.id, [i.id for i in task.instructions], task.value.tolist()] for task in [*tasks, *held]]
    said = json.dumps([asdict(plan), asdict(scorer.settings), shapes, len(tasks), about])
    return hashlib.sha256(said.encode()).hexdigest()


def checkpoint(folder: Path, scorer: Scorer, optimiser: Any, shape: Any, progress: Progress, mark: str) -> None:
    """Write all that is needed to go on."""
    learned = {name: value for name, value in scorer.named_parameters() if value.requires_grad}
    state = {
        "learned": learned,
        "optimiser": optimiser.state_dict(),
        "shape": shape.state_dict(),
        "progress": json.dumps(asdict(progress)),
        "mark": mark,
    }
    torch.save(state, folder / f"{STATE}.part")
    (folder / f"{STATE}.part").replace(folder / STATE)


def restore(folder: Path, scorer: Scorer, optimiser: Any, shape: Any, mark: str) -> Progress:
    """Take up a checkpoint, read as tensors and numbers only. Raises: ValueError."""
    if not (folder / STATE).exists():
        return Progress()
    try:
        state = torch.load(folder / STATE, weights_only=True, map_location=scorer.device)
    except (RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as fault:
        raise ValueError(f"{folder / STATE} cannot be read; remove it to train anew.") from fault
    if not isinstance(state, dict) or state.get("mark") != mark:
        raise ValueError(f"{folder} is of a training with other records or settings; remove it, or name another --out.")
    scorer.load_state_dict(state["learned"], strict=False)
    optimiser.load_state_dict(state["optimiser"])
    shape.load_state_dict(state["shape"])
    return Progress(**json.loads(state["progress"]))
