"""`python -m ranker.evaluate [FILE...]`: one table of what a ranker is worth beside simpler ways of choosing."""

from __future__ import annotations

import json
import sys
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from rich.console import Console
from rich.table import Table

from ranker.base import SHIPPED_FOLDER
from ranker.bundle import HELD_OUT, UNREADABLE, Bundle, base_of, load_bundle
from ranker.compositions import kept_for_testing
from ranker.lm_train import scores_of
from ranker.measures import FIELDS, RESAMPLES, Measures, mean_of, measure
from ranker.outcomes import Outcomes, gather, origin
from ranker.records import Record, read_records
from ranker.rivals import bag_of_words, load_rivals, random_order
from ranker.worlds import KEPT_FAMILIES
from ranker.worlds_real import KEPT_REAL

TITLES = {
    "random": "random",
    "avg_best": "best on average",
    "racing": "racing on a subsample",
    "nearest": "nearest tasks",
    "words": "bag of words + boosting",
    "meta": "meta-feature boosting",
    "lm": "language model alone",
    "blend": "blend",
}
SPLITS = {
    "unseen_tasks": "unseen tasks",
    "unseen_families": "unseen families of tasks",
    "unseen_instructions": "unseen instructions on unseen tasks",
}
LEAST = 2
WIDTH = 150
"""Columns of the table where nobody's terminal says how many there are."""
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Judged:
    """A task with what every method says of its instructions."""

    task: Outcomes
    scores: dict[str, np.ndarray]

    def only(self, chosen: Sequence[int]) -> Judged:
        """The same with some of the instructions."""
        return Judged(self.task.only(chosen), {name: said[list(chosen)] for name, said in self.scores.items()})


@app.command()
def main(
    files: Annotated[list[Path] | None, typer.Argument(help="Records; default: those shipped with the ranker.")] = None,
    ranker: Annotated[Path, typer.Option(help="The ranker's folder.")] = SHIPPED_FOLDER,
    base: Annotated[Path | None, typer.Option(help="Folder of the base model; default: as it was trained.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The whole table as one last line.")] = False,
    no_lm: Annotated[bool, typer.Option("--no-lm", help="Without the language model.")] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Of the CPU; default: all cores.")] = None,
) -> None:
    """Compare the ranker on tasks it was not trained on, with 95 % intervals by bootstrap over tasks."""
    if threads:
        torch.set_num_threads(threads)
    try:
        bundle = load_bundle(ranker, base or base_of(ranker), with_lm=not no_lm)
        records = [record for path in files or [ranker / HELD_OUT] for record in read_records(path)]
        judged, swapped = judge(bundle, records, ranker)
    except (*UNREADABLE, zipfile.BadZipFile) as fault:
        print(" ".join(str(fault).split()), file=sys.stderr)
        raise typer.Exit(2) from None
    if not judged:
        print("No task is left that the ranker was not trained on, with two outcomes or more.", file=sys.stderr)
        raise typer.Exit(2)
    report = report_of(judged, swapped)
    console = Console(stderr=as_json)
    show(report, console if console.is_terminal else Console(stderr=as_json, width=WIDTH))
    if as_json:
        print(json.dumps(report))


def judge(bundle: Bundle, records: Sequence[Record], folder: Path) -> tuple[list[Judged], list[np.ndarray]]:
    """Every method's scores of every task, and the language model's with another task's text.

    Raises: UNREADABLE, BadZipFile.
    """
    trained = set(bundle.card.get("trained on", []))
    tasks = [t for t in gather(records) if t.task.role == "test" or origin(t.task.id) not in trained]
    if not tasks:
        return [], []
    quick = {(r.task.id, r.instruction.id): r for r in records if r.quick is not None}
    said = bundle.parts_of(tasks)
    near, words = rival_scores(folder, bundle, tasks)
    judged = []
    for place, task in enumerate(tasks):
        parts = said[place]
        scores = {"random": random_order(place, len(task.value)), "avg_best": parts["prior"]}
        raced = [quick.get((task.task.id, i.id)) for i in task.instructions]
        if any(raced):
            scores["racing"] = np.array([race_worth(r) for r in raced])
        scores |= near[place] | words[place] | {name: parts[name] for name in ("lm",) if name in parts}
        scores["meta"] = parts["meta"] + bundle.averages.expected(task.instructions)
        judged.append(Judged(task, scores | {"blend": bundle.blend.total(parts)}))
    if bundle.lm is None:
        return judged, []
    texts = [task.task.text for task in tasks]
    order = np.random.default_rng(0).permutation(len(texts))
    other = dict(zip(order.tolist(), np.roll(order, 1).tolist(), strict=True))
    return judged, scores_of(bundle.lm, tasks, [texts[other[place]] for place in range(len(texts))])


def rival_scores(
    folder: Path, bundle: Bundle, tasks: Sequence[Outcomes]
) -> tuple[list[dict[str, np.ndarray]], list[dict[str, np.ndarray]]]:
    """Of nearest tasks and of a bag of words, where the folder holds them."""
    nothing: list[dict[str, np.ndarray]] = [{} for _ in tasks]
    if not (folder / "rivals").is_dir():
        return nothing, nothing
    from_tasks, booster = load_rivals(folder / "rivals")
    near = [{"nearest": scores} for scores in from_tasks.score(tasks, bundle.averages)]
    return near, [{"words": np.asarray(booster.predict(bag_of_words(task)))} for task in tasks]


def race_worth(record: Record | None) -> float:
    """What the race said; the worst where it failed."""
    if record is None or record.quick is None:
        return -1e18
    return record.quick if record.higher_is_better else -record.quick


def report_of(judged: Sequence[Judged], swapped: Sequence[np.ndarray]) -> dict[str, Any]:
    """The whole table: split -> method -> measure, with intervals, and the swap test."""
    kept = kept_for_testing()
    families = {*KEPT_FAMILIES, *(f"real:{name}" for name in KEPT_REAL)}
    known = [part(one, lambda i: i not in kept) for one in judged]
    splits: dict[str, Sequence[Judged | None]] = {
        "unseen_tasks": [one for one in known if one and one.task.task.family not in families],
        "unseen_families": [one for one in known if one and one.task.task.family in families],
        "unseen_instructions": [part(one, lambda i: i in kept) for one in judged],
    }
    report: dict[str, Any] = {}
    for name, found in splits.items():
        there = [one for one in found if one is not None]
        if there:
            report[name] = table_of(there)
    if swapped:
        report["swap"] = swap_test(judged, swapped, families)
    return report


def part(one: Judged, wanted: Callable[[str], bool]) -> Judged | None:
    """The instructions that are wanted; None where fewer than two are."""
    chosen = [place for place, i in enumerate(one.task.instructions) if wanted(i.id)]
    return one.only(chosen) if len(chosen) >= LEAST else None


def table_of(judged: Sequence[Judged]) -> dict[str, Any]:
    """Method -> measure -> mean and interval, and what the methods gain over best on average, task by task."""
    table: dict[str, Any] = {"tasks": len(judged)}
    measured: dict[str, list[Measures]] = {}
    for name in TITLES:
        if all(name in one.scores for one in judged):
            measured[name] = [measure(one.scores[name], one.task) for one in judged]
            table[name] = with_intervals(measured[name])
    for name in ("lm", "blend", "meta"):
        if name in measured:
            table[name]["pair_gain"] = gain(measured[name], measured["avg_best"])
    return table


def with_intervals(measures: Sequence[Measures]) -> dict[str, Any]:
    """Each measure and its interval."""
    found: dict[str, Any] = {}
    for field in FIELDS:
        mean, low, high = mean_of(measures, field)
        found |= {field: round(mean, 4), f"{field}_ci": [round(low, 4), round(high, 4)]}
    return found


def gain(one: Sequence[Measures], other: Sequence[Measures]) -> list[float]:
    """Mean paired difference of pairwise accuracy with its 95 % interval, by bootstrap over tasks."""
    pairs = [(a.pair, b.pair) for a, b in zip(one, other, strict=True)]
    found = np.array([a - b for a, b in pairs if a is not None and b is not None] or [0.0])
    draw = np.random.default_rng(0).integers(len(found), size=(RESAMPLES, len(found)))
    low, high = np.quantile(found[draw].mean(axis=1), [0.025, 0.975])
    return [round(float(value), 4) for value in (found.mean(), low, high)]


def swap_test(judged: Sequence[Judged], swapped: Sequence[np.ndarray], families: set[str]) -> dict[str, Any]:
    """The language model's accuracy with the right description and with another task's, on the unseen tasks."""
    kept = kept_for_testing()
    right, wrong = [], []
    for one, said in zip(judged, swapped, strict=True):
        both = part(Judged(one.task, {"lm": one.scores["lm"], "swapped": said}), lambda i: i not in kept)
        if both is not None and one.task.task.family not in families:
            right.append(measure(both.scores["lm"], both.task))
            wrong.append(measure(both.scores["swapped"], both.task))
    if not right:
        return {}
    drop = gain(right, wrong)
    own, other = mean_of(right, "pair")[0], mean_of(wrong, "pair")[0]
    return {"lm_pair": round(own, 4), "lm_pair_swapped": round(other, 4), "lm_drop": drop[0], "lm_drop_ci": drop[1:]}


def show(report: dict[str, Any], console: Console) -> None:
    """Print the table."""
    for split, title in SPLITS.items():
        if split not in report:
            continue
        table = Table(title=f"{title} ({report[split]['tasks']})", title_justify="left")
        for heading in ("method", "pairs", "all pairs", "NDCG@3", "regret of the first", "regret over 5 offered"):
            table.add_column(heading, justify="left" if heading == "method" else "right")
        for name, said in TITLES.items():
            if name in report[split]:
                table.add_row(said, *(cell(report[split][name], field) for field in FIELDS))
        console.print(table)
        for name in ("lm", "blend"):
            if "pair_gain" in report[split].get(name, {}):
                mean, low, high = report[split][name]["pair_gain"]
                console.print(f"  {TITLES[name]} less best on average, pairs: {mean:+.3f} [{low:+.3f}, {high:+.3f}]")
    if report.get("swap"):
        swap = report["swap"]
        low, high = swap["lm_drop_ci"]
        console.print(
            f"Swap test: with another task's description the language model falls from {swap['lm_pair']:.3f} to "
            f"{swap['lm_pair_swapped']:.3f}, by {swap['lm_drop']:.3f} [{low:.3f}, {high:.3f}]."
        )


def cell(row: dict[str, Any], field: str) -> str:
    """A mean with its interval."""
    low, high = row[f"{field}_ci"]
    return f"{row[field]:.3f} [{low:.3f}, {high:.3f}]"


if __name__ == "__main__":
    app()
