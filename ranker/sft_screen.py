"""How a training is followed: a live bar on a terminal, lines elsewhere; Ctrl-C and SIGTERM end it after a step."""

from __future__ import annotations

import signal
import time
from types import FrameType, TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from ranker.sft_records import Progress

LINE_SECONDS = 30.0
"""Between lines where there is no terminal."""
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Screen:
    """Follows one training on stderr. `with` takes the signals and gives them back."""

    def __init__(self, console: Console) -> None:
        self._console = console
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        self._bar = Bar(*columns, console=console, disable=not console.is_terminal)
        self._task = self._bar.add_task("training", total=None)
        self._said = time.monotonic()
        self._stop = False
        self._before = {number: signal.getsignal(number) for number in SIGNALS}

    def __enter__(self) -> Self:
        for number in SIGNALS:
            signal.signal(number, self._stopped)
        self._bar.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, fault: BaseException | None, at: TracebackType | None) -> None:
        self._bar.stop()
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def stepped(self, progress: Progress, total: int, loss: float) -> None:
        """Show a step."""
        speed = progress.tokens / max(progress.seconds, 1e-9)
        words = f"loss {loss:.3f}, {speed:,.0f} tokens/s"
        self._bar.update(self._task, completed=progress.step, total=total, description=words)
        if not self._console.is_terminal and time.monotonic() - self._said >= LINE_SECONDS:
            self.say(f"step {progress.step} of {total}: {words}")

    def looked(self, progress: Progress) -> None:
        """Say the losses of a look."""
        if not progress.epochs:
            if progress.before is not None:
                self.say(f"before training: held-out loss {progress.before:.4f}")
            return
        last = progress.epochs[-1]
        kept = ", the best so far" if progress.best is last else ""
        held = "" if last.held_out is None else f", held-out loss {last.held_out:.4f}{kept}"
        self.say(f"epoch {last.epoch:g}, step {last.step}: train loss {last.train:.4f}{held}")

    def stop(self) -> bool:
        """Whether a signal came."""
        return self._stop

    def say(self, line: str) -> None:
        """One line."""
        self._said = time.monotonic()
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)

    def _stopped(self, number: int, _: FrameType | None) -> None:
        self._stop = True
        signal.signal(number, self._before[signal.Signals(number)])  # a second one ends it at once
        self.say("stopping after this step; once more to stop at the last checkpoint")
