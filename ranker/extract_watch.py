"""What a person at a terminal sees of an extraction: a bar, or plain lines where there is no terminal, and the end."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from models.load import THIS_MACHINE, Loaded
from models.records import totals
from ranker.extract_run import Extraction, Outcome

MAX_NAMES = 20
"""So many notebooks without an answer are named for each reason."""


@dataclass
class Watch:
    """Takes what happens, from any thread."""

    console: Console
    total: int
    """Notebooks that are to be asked."""
    bar: Progress | None = None
    done: int = 0
    since: float = field(default_factory=time.monotonic)

    def leaves(self, loaded: Loaded) -> None:
        """Say before the first question what goes where."""
        goes = "what is known of the competition, and of each notebook its code and words, without its outputs"
        local = loaded.where == THIS_MACHINE
        self._say(f"The model runs on {THIS_MACHINE}." if local else f"To {loaded.where} goes {goes}.")

    def gate(self, event: dict[str, Any]) -> None:
        """An event of the gate to models (models.gate.Say)."""
        if event["event"] == "asleep":
            self._say(f"{event['model']} is not asked any more: {event['why']}")

    def ended(self, file: str, fault: str | None, usd: float) -> None:
        """A notebook was asked; `usd` is what all cost so far."""
        self.done += 1
        if self.bar:
            self.bar.update(self.bar.task_ids[0], completed=self.done, description=f"{usd:.4f} USD  {file[-40:]}")
        if fault or not self.bar:
            self._say(f"{self.done} of {self.total}: {file}: {fault or 'answered'}")

    def _say(self, line: str) -> None:
        console = self.bar.console if self.bar else self.console
        console.print(f"[{time.monotonic() - self.since:6.1f} s] {line}", markup=False, soft_wrap=True)


@contextmanager
def watching(console: Console, total: int) -> Iterator[Watch]:
    """A watch that shows a bar while it is open, where there is a terminal."""
    if not console.is_terminal:
        yield Watch(console, total)
        return
    columns = (MofNCompleteColumn(), BarColumn(), TimeRemainingColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=console) as bar:
        bar.add_task("", total=total)
        yield Watch(console, total, bar)


def closing_lines(extraction: Extraction, outcome: Outcome) -> list[str]:
    """What came of it: the file, every notebook without an instruction, tokens and money."""
    lines = [*_reasons(outcome.failed, "failed"), *_reasons(outcome.lost, "not answered")]
    if outcome.waiting:
        lines.append(f"{len(outcome.waiting)} notebook(s) are still to be asked.")
    competitions = len({line.task_id for line in outcome.placed})
    written = f"{extraction.out}: {len(outcome.placed)} instruction(s) of {competitions} competition(s)"
    lines.append(f"{written}." if outcome.placed else f"{extraction.out} is not written: there is no instruction yet.")
    return [*lines, _cost(extraction)]


def _reasons(files: dict[str, str], what: str) -> Sequence[str]:
    named = [f"{what}: {file}: {why.splitlines()[0][:300]}" for file, why in list(files.items())[:MAX_NAMES]]
    return [*named, f"{what}: {len(files) - MAX_NAMES} more"] if len(files) > MAX_NAMES else named


def _cost(extraction: Extraction) -> str:
    sums = totals(extraction.gate.records.all()).get("all")
    if sums is None:
        return "Nothing was asked."
    about = "about " if sums["estimated"] else ""
    priced = all(loaded.price for loaded in extraction.gate.minds.values())
    usd = f"{'' if sums['certain'] else 'at most '}{sums['usd']:.4f} USD" if priced else "USD not known (no price)"
    tokens = f"{about}{sums['prompt_tokens']} + {sums['completion_tokens']} tokens"
    return f"Cost of all calls so far: {sums['questions']} notebook(s), {sums['calls']} call(s), {tokens}, {usd}."
