"""Learning from own runs: what they recorded is added to a ranker, which is kept only if it got better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import lightgbm
import numpy as np

from ranker.averages import fit_averages
from ranker.bundle import HELD_OUT, Bundle
from ranker.lm_train import Plan, train
from ranker.measures import mean_of, measure
from ranker.meta import features, rank_targets, settings
from ranker.model import Scorer
from ranker.outcomes import Outcomes, gather, origin
from ranker.records import IN_A_RUN, Record, RecordError, read_records

LEAST_TASKS = 4
GUARDED = 120
"""Tasks of the shipped held-out records on which a ranker may not get worse."""
MORE_ROUNDS = 40


def runs_records(folders: Sequence[Path]) -> list[Record]:
    """The records of run folders and of folders that hold them. Raises: RecordError."""
    found: list[Record] = []
    for folder in folders:
        files = [folder / IN_A_RUN] if (folder / IN_A_RUN).is_file() else sorted(folder.glob(f"*/{IN_A_RUN}"))
        if not files:
            raise RecordError(f"{folder} holds no {IN_A_RUN}; name a run folder with graded attempts, or their parent.")
        found += [record for file in files for record in read_records(file)]
    return found


@dataclass(frozen=True)
class OwnRuns:
    """Tasks of own runs with two graded attempts or more."""

    tasks: list[Outcomes]
    seed: int

    def __post_init__(self) -> None:
        if len(self.tasks) < LEAST_TASKS:
            raise RecordError(
                f"The runs hold {len(self.tasks)} tasks with two different outcomes; {LEAST_TASKS} are the least "
                "to learn from and to check on."
            )

    def halves(self) -> tuple[list[Outcomes], list[Outcomes]]:
        """Tasks to learn from (about two thirds), and the others."""
        order = np.random.default_rng(self.seed).permutation(len(self.tasks))
        cut = max(2, round(len(order) * 2 / 3))
        return [self.tasks[n] for n in order[:cut]], [self.tasks[n] for n in order[cut:]]

    def held_out(self, start: Path) -> list[Outcomes]:
        """Own tasks that were not learned from, and some that the ranker came with."""
        path = start / HELD_OUT
        shipped = gather(read_records(path))[::2][:GUARDED] if path.is_file() else []
        return [*self.halves()[1], *shipped]


def learn_from(own: OwnRuns, before: Bundle, lm: Scorer | None, plan: Plan, out: Path) -> tuple[Bundle, str]:
    """A ranker taken further: averages joined, trees added, the adapter trained on."""
    learned, held = own.halves()
    fitted = fit_averages(learned)
    averages = replace(before.averages, plans=before.averages.plans | fitted.plans)
    table = np.vstack([features(t.task, t.metric, t.instructions) for t in learned])
    data = lightgbm.Dataset(
        table, np.concatenate([rank_targets(t) - averages.expected(t.instructions) for t in learned])
    )
    slower = {**settings(len(table), plan.seed), "min_data_in_leaf": 5, "learning_rate": 0.02}
    meta = lightgbm.train(slower, data, MORE_ROUNDS, init_model=before.meta)
    if lm is not None:
        work = out / "training"
        work.mkdir(parents=True, exist_ok=True)
        train(lm, learned, held, plan, work, lambda text, share: print(text) if text else None)
    attempts = sum(len(task.instructions) for task in learned)
    said = f"Learned from {attempts} attempts on {len(learned)} tasks of own runs."
    seen = {*before.card.get("trained on", []), *(origin(task.task.id) for task in own.tasks)}
    card = before.card | {"own runs": {"tasks": len(learned), "attempts": attempts}, "trained on": sorted(seen)}
    return Bundle(averages, meta, before.blend, lm or before.lm, card), said


def better(before: Bundle, after: Bundle, held: Sequence[Outcomes]) -> tuple[bool, str]:
    """Whether `after` puts more pairs of held-out tasks in the right order, and a sentence that says so."""
    found = []
    for bundle in (before, after):
        totals = [bundle.blend.total(parts) for parts in bundle.parts_of(held)]
        found.append(mean_of([measure(t, task) for t, task in zip(totals, held, strict=True)], "pair")[0])
    verdict = "better: it is kept" if found[1] > found[0] else "not better: the old one stays"
    return found[1] > found[0], (
        f"On {len(held)} held-out tasks the old ranker orders {found[0]:.3f} of the pairs rightly, the new one "
        f"{found[1]:.3f}: {verdict}."
    )
