"""The loop: AdamW on the adapter's weights; the held-out competitions are looked at before, after each epoch and last.

What a step does hangs on the seed and its number alone, so a training that was killed ends as if it had not been.
"""

from __future__ import annotations

import math
import resource
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch

from ranker.sft_checkpoint import load_checkpoint, save_adapter, save_checkpoint, trained
from ranker.sft_data import Example, SftError, batches
from ranker.sft_model import batch_of, loss_of
from ranker.sft_records import Epoch, Progress

WARM_UP = 0.03
"""Share of the steps in which the learning rate rises; then it is constant (as arXiv 2403.11585 did)."""
WEIGHT_DECAY = 0.001
LONGEST_GRADIENT = 0.3
"""Norm; a longer gradient is shortened to it (arXiv 2403.11585)."""
CHECKPOINT_SECONDS = 120.0
"""Between checkpoints; every look makes one too."""


class Watch(Protocol):
    """Who follows a training."""

    def stepped(self, progress: Progress, total: int, loss: float) -> None:
        """A step is done, of `total`; `loss` is its mean loss of an answer's token, in nats."""

    def looked(self, progress: Progress) -> None:
        """The held-out competitions were looked at."""

    def stop(self) -> bool:
        """Whether to end after this step, with a checkpoint."""


@dataclass(frozen=True)
class Training:
    """One training, in memory."""

    model: Any
    train: Sequence[Example]
    held_out: Sequence[Example]
    folder: Path
    """Takes the adapter and the checkpoint."""
    watch: Watch
    checkpoint_seconds: float = CHECKPOINT_SECONDS

    def run(self, progress: Progress, resume: bool) -> bool:
        """Train, from the checkpoint where `resume`; `progress` is kept up to date. Whether it came to its end.

        Raises: SftError, OSError, models.local_child.FAULTS.
        """
        optimizer = torch.optim.AdamW(trained(self.model).values(), weight_decay=WEIGHT_DECAY)
        if resume:
            load_checkpoint(self.model, optimizer, self.folder, progress.step)
        else:
            self._first_look(progress)
            save_checkpoint(self.model, optimizer, progress, self.folder)
        saved, total = time.monotonic(), self.total(progress)
        while progress.step < total:
            loss = self._step(optimizer, progress)
            if progress.step % self.steps_an_epoch(progress) == 0 or progress.step == total:
                self._look(progress)
                saved = -math.inf
            stop = self.watch.stop()
            if stop or time.monotonic() - saved >= self.checkpoint_seconds:
                save_checkpoint(self.model, optimizer, progress, self.folder)
                saved = time.monotonic()
            self.watch.stepped(progress, total, loss)
            if stop:
                break
        return progress.step >= total

    def steps_an_epoch(self, progress: Progress) -> int:
        """Steps in which every example comes once."""
        return math.ceil(len(self.train) / progress.settings.batch)

    def total(self, progress: Progress) -> int:
        """Steps of the whole training."""
        steps = progress.settings.epochs * self.steps_an_epoch(progress)
        return steps if progress.settings.steps is None else min(steps, progress.settings.steps)

    def _step(self, optimizer: Any, progress: Progress) -> float:
        start = time.monotonic()
        batch = batch_of(self._examples(progress), self.model.device)
        torch.manual_seed(progress.settings.seed * 1_000_003 + progress.step)  # dropout
        self.model.train()
        loss = loss_of(self.model, batch)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(trained(self.model).values(), LONGEST_GRADIENT)
        if not math.isfinite(float(norm)):
            raise SftError(f"the loss is not finite at step {progress.step + 1}; train with a smaller --lr.")
        for group in optimizer.param_groups:
            group["lr"] = self._rate(progress)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        value = float(loss.detach())
        progress.step += 1
        progress.loss += value * batch.answered
        progress.answered += batch.answered
        progress.tokens += batch.tokens
        progress.seconds += time.monotonic() - start
        return value

    def _examples(self, progress: Progress) -> list[Example]:
        epoch, place = divmod(progress.step, self.steps_an_epoch(progress))
        settings = progress.settings
        plan = batches([len(one.ids) for one in self.train], settings.batch, f"{settings.seed}/{epoch}")
        return [self.train[at] for at in plan[place]]

    def _rate(self, progress: Progress) -> float:
        rising = math.ceil(WARM_UP * self.total(progress))
        return progress.settings.lr * min(1.0, (progress.step + 1) / rising)

    def _first_look(self, progress: Progress) -> None:
        progress.before = self._held_out_loss(progress)
        self.watch.looked(progress)

    def _look(self, progress: Progress) -> None:
        """Note the losses, and keep the adapter where it is the best so far."""
        look = Epoch(
            epoch=round(progress.step / self.steps_an_epoch(progress), 3),
            step=progress.step,
            train=progress.loss / progress.answered,
            held_out=self._held_out_loss(progress),
        )
        progress.epochs = [*progress.epochs, look]
        progress.loss, progress.answered = 0.0, 0
        if progress.best is look:
            save_adapter(self.model, self.folder)
        self._measure(progress)
        self.watch.looked(progress)

    @torch.no_grad()  # type: ignore[untyped-decorator,unused-ignore]
    def _held_out_loss(self, progress: Progress) -> float | None:
        """Mean over all tokens of held-out answers, in nats."""
        if not self.held_out:
            return None
        start = time.monotonic()
        self.model.eval()
        loss, answered, size = 0.0, 0, progress.settings.batch
        ordered = sorted(self.held_out, key=lambda one: len(one.ids))
        for at in range(0, len(ordered), size):
            batch = batch_of(ordered[at : at + size], self.model.device)
            loss += float(loss_of(self.model, batch)) * batch.answered
            answered += batch.answered
        progress.looking += time.monotonic() - start
        return loss / answered

    def _measure(self, progress: Progress) -> None:
        """Note the most memory so far."""
        process = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        progress.process_mib = max(progress.process_mib, process)
        if self.model.device.type == "cuda":
            progress.gpu_mib = max(progress.gpu_mib or 0.0, torch.cuda.max_memory_allocated() / 2**20)
