"""Asks a model of every notebook, a few at a time; what was answered once is never asked again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from grading.base import TaskError
from models.base import AskingStopped, Failure, NoAnswer, Question, Role
from models.gate import Gate
from ranker.extract_ask import plain, question
from ranker.extract_scores import Listed
from ranker.notebooks import NotebookError
from ranker.placed import Placed, write_placed

ROLE: Role = "extract"
UNUSABLE: tuple[Failure, ...] = ("bad", "refused")
"""Ends of a question that stay: asking again would bring the same answers from the record."""
Ended = Callable[[str, str | None, float], None]
"""Takes a notebook that was asked, why it has no instruction, and what all calls cost so far in USD."""


@dataclass
class Outcome:
    """What came of the notebooks."""

    instructions: dict[str, str] = field(default_factory=dict)
    """File -> instruction."""
    failed: dict[str, str] = field(default_factory=dict)
    """File -> why it or what the model said of it cannot be used."""
    lost: dict[str, str] = field(default_factory=dict)
    """File -> why no answer came: by the server or the budget. It is asked by the next call."""
    waiting: list[str] = field(default_factory=list)
    """Files that were not asked yet."""
    placed: list[Placed] = field(default_factory=list)
    """What was written."""

    def fault(self, file: str) -> str | None:
        """Why a notebook that was asked has no instruction."""
        return self.failed.get(file) or self.lost.get(file)


@dataclass(frozen=True)
class Extraction:
    """The notebooks of one output file and the gate that they are asked through.

    Its records are the only memory: the output is made of them anew.
    """

    listed: Sequence[Listed]
    out: Path
    gate: Gate
    outcome: Outcome = field(default_factory=Outcome)

    def recall(self, limit: int | None) -> list[Listed]:
        """Take what was answered before; the notebooks that are now to be asked, `limit` at most."""
        unasked = [listed for listed in self.listed if not self._recalled(listed)]
        self.outcome.waiting += [listed.file for listed in unasked]
        return unasked if limit is None else unasked[:limit]

    def ask(self, chosen: Iterable[Listed], parallel: int, ended: Ended) -> None:
        """Ask `parallel` notebooks at a time, until all are done, the model falls silent or the gate is closed."""
        with ThreadPoolExecutor(parallel) as pool:
            asked = {pool.submit(self._ask, listed): listed.file for listed in chosen}
            try:
                for future in as_completed(asked):
                    if future.result():
                        file = asked[future]
                        self.outcome.waiting.remove(file)
                        ended(file, self.outcome.fault(file), self.gate.caller.spent())
            except BaseException:
                self.gate.close()  # the others end at once, and nothing more is asked
                raise

    def write(self) -> None:
        """Write every instruction that there is, the competitions one after the other, the best first."""
        found = self.outcome.instructions
        order = {competition: place for place, competition in enumerate(dict.fromkeys(_competitions(self.listed)))}
        ranked = sorted(self.listed, key=lambda listed: (order[listed.competition], listed.rank))
        self.outcome.placed[:] = [_placed(listed, found[listed.file]) for listed in ranked if listed.file in found]
        if self.outcome.placed:
            write_placed(self.out, self.outcome.placed)

    def _recalled(self, listed: Listed) -> bool:
        """Whether an answer, or what is wrong with it, was known; a broken notebook is no question to anyone."""
        try:
            asked = question(listed)
        except NotebookError as fault:
            self.outcome.failed[listed.file] = str(fault)
            return True
        record = self.gate.records.find(asked.key)
        known = record is not None and record.exchanges and record.exchanges[-1].reply
        if not known or record is None or record.failure not in (None, *UNUSABLE):
            return False
        return self._answer(listed, asked)

    def _ask(self, listed: Listed) -> bool:
        """Whether it was asked: not where the model fell silent, the money is spent or the gate is closed."""
        if not self.gate.awake(ROLE):
            return False
        try:
            return self._answer(listed, question(listed))
        except NotebookError as fault:  # changed since it was recalled
            self.outcome.failed[listed.file] = str(fault)
            return True

    def _answer(self, listed: Listed, asked: Question[str]) -> bool:
        """Whether the gate was open."""
        try:
            self.outcome.instructions[listed.file] = self.gate.ask(asked)
        except AskingStopped:
            return False
        except NoAnswer as fault:
            (self.outcome.lost if fault.lost else self.outcome.failed)[listed.file] = fault.why
        return True


def same_model(gate: Gate, model: str, out: Path) -> None:
    """See that the answers of one output file come from one model; its server may have moved.

    Raises: TaskError.
    """
    for record in gate.records.all():
        if _nameless(record.model) != _nameless(model):
            raise TaskError(
                f"--model {model}: {out} was begun with {record.model}; go on with that one, or name another --out."
            )


def _nameless(model: str) -> str:
    """A model's name without the address of its server."""
    return model.partition("@http")[0]


def _competitions(listed: Iterable[Listed]) -> list[str]:
    return [one.competition for one in listed]


def _placed(listed: Listed, instruction: str) -> Placed:
    return Placed(
        task_id=listed.competition,
        task=plain(listed.task) or listed.competition,
        data_type=listed.data_type,
        metric=listed.metric,
        rank=listed.rank,
        instruction=instruction,
    )
