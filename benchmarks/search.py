"""Search policies compared on a seeded simulation, with measured distributions in the place of scripts.

`python -m benchmarks.search`: each simulated run searches one of the made tasks whose plans were measured for the
ranker (ranker/shipped/held-out.jsonl.gz: scores, their standard errors, scores on a small sample, seconds). What a plan
is worth is what was measured; what a view shows of it is that, with a fold's luck, which all share, and an error of its
own. A change by a model moves a script as far as one or two parts of a plan moved one of about the same loss in these
measurements, and fails as often as we say (FAILS): how much models really gain was not measured. The real policies
decide; blends are not simulated, so what they add is not in the figures.

Regret: value lost against the best plan of the pool, where 1 is the distance from that to the median one (below 0: a
change went past the best of the pool). Mean over tasks, and the spread of that mean over seeds.
"""

from __future__ import annotations

import json
import random
from bisect import bisect_left
from collections import defaultdict
from dataclasses import dataclass, field, replace
from itertools import combinations
from math import hypot, sqrt
from pathlib import Path
from statistics import mean, median, stdev
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from grading.base import FULL_VIEW, MAX_VIEWS, SAMPLE_VIEW, Score, Standing, Standings, Task
from graphs.knowledge import Budget, Knowledge, winner
from graphs.policies import POLICIES, Policy
from graphs.state import Assignment, Attempt, Run
from models.base import Role
from ranker.base import SHIPPED_FOLDER, Ranked
from ranker.records import Record, read_records
from tests.fakes import a_task

FAILS = 0.1
"""Share of scripts that come to nothing, after their repairs."""
SECONDS = 30.0
"""A script of common length on a view; the measured seconds say how much longer or shorter others take."""
REFIT_SECONDS = 200.0
POOL = 10
"""Plans of a task that a run can draft; the others only say what lies past the best of those."""
NEAR = 40
"""A change is drawn among as many measured ones, of about the same loss before, on either side."""
PAST, HOPELESS = -1.0, 3.0
"""Losses beyond are cut."""
LIKE = 2
"""Plans that differ in so many parts at most stand for a script and a changed one."""
AWAKE: frozenset[Role] = frozenset({"write", "improve"})
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Plan:
    """One measured plan; losses in units of the distance from the best plan to the median."""

    name: str
    loss: float
    error: float
    sample: float
    seconds: float


@dataclass(frozen=True)
class World:
    """One measured task."""

    plans: dict[str, Plan]
    order: list[str]
    """The plans as the mean over the other tasks orders them."""
    changes: list[tuple[float, float]]
    """Losses before and after changes of one or two parts, over all tasks, sorted."""


@dataclass
class Simulation:
    """One run on a world."""

    world: World
    rng: random.Random
    knowing: Knowledge
    losses: dict[str, Plan] = field(default_factory=dict)
    """What each attempt is truly worth."""
    folds: dict[int, float] = field(default_factory=dict)

    def run(self, policy: Policy, budget: Budget) -> float:
        """Search to the end; the true loss of what is delivered."""
        while assignments := policy.decide(self.knowing, budget).assignments:
            if assignments[0].view == FULL_VIEW:
                break
            self.spend([self.execute(assignment) for assignment in assignments], budget)
        chosen = winner(self.knowing)
        return self.losses[next(iter(chosen))].loss if chosen else max(plan.loss for plan in self.world.plans.values())

    def execute(self, assignment: Assignment) -> float:
        """Run an attempt on a view and note what it shows; its seconds."""
        name, view = assignment.attempt, assignment.view
        if assignment.draft:
            self.losses[name] = self.script(assignment)
        plan = self.losses[name]
        seconds = plan.seconds * (0.35 if view == SAMPLE_VIEW else 1.0)
        lost = (assignment.draft and self.rng.random() < FAILS) or seconds > assignment.seconds
        shown = plan.sample if view == SAMPLE_VIEW else plan.loss + self.fold(view)
        value = None if lost else shown + self.rng.gauss(0.0, plan.error * sqrt(2))
        run = Run(name, view, "error" if lost else "ok", min(seconds, assignment.seconds), "p", value, plan.error)
        attempts = self.knowing.attempts
        if assignment.draft:
            source = "llm" if assignment.kind == "draft" else f"{assignment.kind}:x"
            made = Attempt(name, assignment.kind, assignment.instruction, "", source, 1, run.status, "s.py")
            attempts = attempts | {name: replace(made, parents=assignment.parents)}
        self.knowing = replace(self.knowing, attempts=attempts, runs=self.knowing.runs | {run.key: run})
        return run.seconds

    def script(self, assignment: Assignment) -> Plan:
        """The plan itself, or the parent with one change."""
        if assignment.kind == "draft":
            return self.world.plans[assignment.instruction]
        parent = self.losses[assignment.parents[0]]
        changes = self.world.changes
        place = min(bisect_left(changes, (parent.loss,)), len(changes) - 1)
        like = changes[max(0, place - NEAR) : place + NEAR]
        before, after = self.rng.choice(like)
        moved = after - before
        loss = max(PAST, min(HOPELESS, parent.loss + moved))
        return replace(parent, name=assignment.attempt, loss=loss, sample=parent.sample + moved)

    def fold(self, view: int) -> float:
        """What the rows of a view do to every score on it."""
        return self.folds.setdefault(view, self.rng.gauss(0.0, 0.3))

    def spend(self, seconds: list[float], budget: Budget) -> None:
        """Take the time, side by side as budgeted, and compare again."""
        waves = [max(seconds[at : at + budget.parallel]) for at in range(0, len(seconds), budget.parallel)]
        values = self.knowing.runs.values()
        self.knowing = replace(
            self.knowing, spent=self.knowing.spent + sum(waves), standings=compare(list(values), self.losses)
        )


def compare(runs: list[Run], plans: dict[str, Plan]) -> Standings:
    """As grading.worker.score does it: paired on common views, an error more where views are fewer."""
    marks: dict[str, dict[int, float]] = defaultdict(dict)
    for run in runs:
        if run.value is not None and 1 <= run.view <= MAX_VIEWS:
            marks[run.attempt][run.view] = run.value
    if not marks:
        return Standings([], None)
    most = max(map(len, marks.values()))
    reference = min((a for a in marks if len(marks[a]) == most), key=lambda a: mean(marks[a].values()))
    handicaps = {}
    for attempt in marks:
        gap, error = behind(attempt, reference, marks, plans)
        handicaps[attempt] = gap + (error if len(marks[attempt]) < most else 0.0)
    order = sorted(marks, key=lambda attempt: (handicaps[attempt], attempt))
    found = []
    for attempt in order:
        values = [marks[attempt][view] for view in sorted(marks[attempt])]
        gap, error = (0.0, 0.0) if attempt == order[0] else behind(attempt, order[0], marks, plans)
        score = Score(values, mean(values), plans[attempt].error / sqrt(len(values)), "minimize")
        found.append(Standing({attempt: 1.0}, sorted(marks[attempt]), score, gap, error))
    return Standings(found, None)


def behind(one: str, other: str, marks: dict[str, dict[int, float]], plans: dict[str, Plan]) -> tuple[float, float]:
    """Mean gap on common views, and its standard error."""
    common = marks[one].keys() & marks[other].keys()
    if not common:
        return mean(marks[one].values()) - mean(marks[other].values()), hypot(plans[one].error, plans[other].error)
    gap = mean(marks[one][view] - marks[other][view] for view in common)
    return gap, sqrt(2) * hypot(plans[one].error, plans[other].error) / sqrt(len(common))


def load_worlds(path: Path) -> list[World]:
    """The measured tasks whose plans differ by more than noise: POOL plans each, the best elsewhere first."""
    by_task: dict[str, list[Record]] = defaultdict(list)
    for record in read_records(path):
        if record.score is not None and record.error is not None and record.quick is not None:
            by_task[record.task.id].append(record)
    scaled = [plans for task, records in by_task.items() if (plans := _scaled(task, records))]
    worth: dict[str, list[float]] = defaultdict(list)
    for plans in scaled:
        for plan in plans:
            worth[plan.name].append(plan.loss)
    changes = sorted(change for plans in scaled for change in _changes(plans))
    worlds = []
    for plans in scaled:
        pool = {plan.name: plan for plan in plans[:POOL]}
        # without this task's own outcome, which nobody knows before
        usual = {n: (sum(worth[n]) - p.loss) / max(1, len(worth[n]) - 1) for n, p in pool.items()}
        worlds.append(World(pool, sorted(pool, key=lambda name: usual[name]), changes))
    return worlds


def _scaled(task: str, records: list[Record]) -> list[Plan]:
    """All plans of a task, in an order drawn by its name; the first POOL give zero and unit."""
    if len(records) < POOL:
        return []
    drawn = random.Random(task).sample(records, len(records))
    losses = [(-1.0 if r.higher_is_better else 1.0) * (r.score or 0.0) for r in drawn]
    best, middle = min(losses[:POOL]), median(losses[:POOL])
    unit = middle - best
    if unit <= 2 * median(r.error or 0.0 for r in drawn):
        return []
    usual = median(r.seconds for r in drawn)
    return [
        Plan(
            r.instruction.id,
            max(PAST, min(HOPELESS, (loss - best) / unit)),
            min(1.0, (r.error or 0.0) / unit),
            min(HOPELESS, ((-1.0 if r.higher_is_better else 1.0) * (r.quick or 0.0) - best) / unit),
            min(10 * SECONDS, SECONDS * r.seconds / usual),
        )
        for r, loss in zip(drawn, losses, strict=True)
    ]


def _changes(plans: list[Plan]) -> list[tuple[float, float]]:
    """Losses before and after, of plans that are alike, in both directions."""
    found = []
    for one, other in combinations(plans, 2):
        parts = zip(one.name.split("/"), other.name.split("/"), strict=True)
        if sum(mine != theirs for mine, theirs in parts) <= LIKE:
            found += [(one.loss, other.loss), (other.loss, one.loss)]
    return found


def simulate(world: World, policy: Policy, budget: Budget, seed: int, asks: bool, facts: Task) -> float:
    """The regret of one run."""
    ranking = [Ranked(name, 0.0, "") for name in world.order]
    nothing = Standings([], None)
    knowing = Knowledge(facts, ranking, {}, {}, nothing, 0.0, frozenset(), AWAKE if asks else frozenset())
    return Simulation(world, random.Random(seed), knowing).run(policy, budget)


@app.command()
def main(
    seeds: Annotated[int, typer.Option(min=2, help="Runs of each task.")] = 3,
    records: Annotated[Path, typer.Option(help="Measured plans, as of ranker.generate.")] = SHIPPED_FOLDER
    / "held-out.jsonl.gz",
) -> None:
    """Print the mean regret of each policy; the last line is one JSON object."""
    worlds = load_worlds(records)
    scenes = {
        "6 attempts, no model": (6, 36_000.0, False),
        "6 attempts, a model improves": (6, 36_000.0, True),
        "12 attempts, a model improves": (12, 36_000.0, True),
        "12 attempts, no model, time for about 5": (12, 6 * SECONDS + REFIT_SECONDS, False),
    }
    report: dict[str, dict[str, list[float]]] = {}
    rows = Table("budget", *POLICIES, title=f"{len(worlds)} tasks, {seeds} seeds: mean regret (spread over seeds)")
    facts = a_task(train_rows=50_000)
    for scene, (attempts, seconds, asks) in scenes.items():
        budget = Budget(attempts, seconds, False, 1, REFIT_SECONDS)
        report[scene] = {}
        for name, policy in POLICIES.items():
            means = [
                mean(
                    simulate(world, policy, budget, 1000 * seed + place, asks, facts)
                    for place, world in enumerate(worlds)
                )
                for seed in range(seeds)
            ]
            report[scene][name] = [round(mean(means), 4), round(stdev(means), 4)]
        rows.add_row(scene, *(f"{value:.3f} ({spread:.3f})" for value, spread in report[scene].values()))
    Console().print(rows)
    print(json.dumps(report))


if __name__ == "__main__":
    app()
