"""`python -m ranker.generate --tasks N --out FILE`: made tasks, made instructions, measured outcomes."""

from __future__ import annotations

import os
import random
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Annotated, Any

import lightgbm
import numpy as np
import pandas as pd
import sklearn
import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold, StratifiedKFold, TimeSeriesSplit
from threadpoolctl import threadpool_limits

from ranker.compositions import Composition, say, universe
from ranker.fits import model
from ranker.matrices import Matrices
from ranker.records import (
    InstructionRecord,
    Record,
    RecordError,
    TaskRecord,
    append_record,
    read_records,
    write_records,
)
from ranker.words import task_text
from ranker.worlds import FAMILIES, KEPT_FAMILIES, World, make_world
from ranker.worlds_real import KEPT_REAL, REAL, make_real
from recipes.parts.probes import task_numbers

GROUP = 16
"""Tasks that share a set of instructions, so that one instruction is seen on tasks of many kinds."""
INSTRUCTIONS = 14
KNOWN_WHEN_TESTING = 12
KEPT_WHEN_TESTING = 8
"""A task kept for testing also gets instructions that no training task sees."""
REAL_SHARE = 0.15
FOLDS = 3
RACED_ROWS = 240
"""Rows that a race of all candidates sees: as many as the probes learn from."""
TEST_EVERY = 4
"""Every fourth group is kept for testing."""
PERMANENT = 7_000_000
"""Keeps the streams of chance apart: of groups and of tasks."""
VERSIONS = {"scikit-learn": sklearn.__version__, "lightgbm": lightgbm.__version__, "numpy": np.__version__}
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    tasks: Annotated[int, typer.Option(min=1, help="How many tasks the file holds in the end.")],
    out: Annotated[Path, typer.Option(help="JSON lines; what is there already is kept and gone on with.")],
    seed: Annotated[int, typer.Option(min=0, help="Another seed makes other tasks.")] = 0,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes; default: one a core.")] = None,
    testing: Annotated[bool, typer.Option("--testing", help="Every task is one kept for testing.")] = False,
) -> None:
    """Make tasks of many families, try made instructions on each by cross-validation, and write every outcome."""
    if out.suffix == ".gz":
        print(f"--out {out}: lines are added one by one, so it cannot be packed; leave .gz out.", file=sys.stderr)
        raise typer.Exit(2)
    try:
        done = _done(out)
    except RecordError as fault:
        print(fault, file=sys.stderr)
        raise typer.Exit(2) from None
    wanted = [index for index in range(tasks) if task_id(seed, index, testing) not in done]
    cores = workers or len(os.sched_getaffinity(0))
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    try:
        with (
            Progress(*columns) as progress,
            ProcessPoolExecutor(cores, initializer=worker, initargs=(os.getpid(),)) as pool,
        ):
            bar = progress.add_task("tasks", total=tasks, completed=tasks - len(wanted))
            waiting = iter(wanted)
            running = {pool.submit(outcomes, seed, index, testing) for index in islice(waiting, 2 * cores)}
            while running:
                finished = next(as_completed(running))
                running.remove(finished)
                running |= {pool.submit(outcomes, seed, index, testing) for index in islice(waiting, 1)}
                for record in finished.result():
                    append_record(out, record)
                progress.advance(bar)
    except KeyboardInterrupt:
        print(f"Stopped. The same command goes on with {out}.", file=sys.stderr)
        raise typer.Exit(130) from None
    print(f"{tasks} tasks in {out}; learn from them: python -m ranker.train --records {out} --out FOLDER")


def _done(out: Path) -> set[str]:
    """Ids of the tasks that are there whole; lines of others, cut off by a kill, are taken out."""
    if not out.exists():
        out.parent.mkdir(parents=True, exist_ok=True)
        return set()
    if not b'{"task":'.startswith((end := out.read_bytes().rpartition(b"\n")[2])[:8]):
        raise RecordError(f"{out} ends with {len(end):,} bytes that are no record; name another file with --out.")
    counts: dict[str, int] = {}
    kept: list[Record] = list(read_records(out))
    for record in kept:
        counts[record.task.id] = counts.get(record.task.id, 0) + 1
    roles = {record.task.id: record.task.role for record in kept}
    whole = {task for task, count in counts.items() if count >= expected(roles[task] == "test")}
    write_records(out, (record for record in kept if record.task.id in whole))
    return whole


def worker(parent: int) -> None:
    """A process that computes on one core and ends with the one that started it, also where that one is killed."""
    one_thread()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def one_thread() -> None:
    """Each process computes on one core."""
    threadpool_limits(1)
    warnings.simplefilter("ignore")
    sklearn.set_config(skip_parameter_validation=True, assume_finite=True)


def task_id(seed: int, index: int, testing: bool) -> str:
    """A name that no other seed gives."""
    return f"made-{'t' if testing else ''}{seed}-{index}"


def expected(testing: bool) -> int:
    """Records of one task."""
    return KNOWN_WHEN_TESTING + KEPT_WHEN_TESTING if testing else INSTRUCTIONS


def outcomes(seed: int, index: int, testing: bool) -> list[Record]:
    """One task and the outcome of each instruction of its group."""
    group = index // GROUP
    test = testing or group % TEST_EVERY == TEST_EVERY - 1
    draw = np.random.default_rng([seed, index, int(testing)])
    world = make(draw, test)
    kinds = {name: kind_of(world.table[name]) for name in world.table}
    numbers = task_numbers(world.table, kinds, world.target, world.classes)
    modality = "series" if world.ordered else "text" if "text" in kinds.values() else "tabular"
    text = task_text(modality, world.metric, numbers)
    name = task_id(seed, index, testing)
    task = TaskRecord(id=name, family=world.family, role="test" if test else "train", text=text, numbers=numbers)
    matrices = Matrices(world.table, world.classes)
    with np.errstate(all="ignore"):
        tried = [(plan, said, attempt(world, matrices, plan, test)) for plan, said in instructions(seed, group, test)]
    noise = standard_errors([result.scores for _, _, result in tried])
    return [record(world, task, *one, error) for one, error in zip(tried, noise, strict=True)]


def make(draw: np.random.Generator, test: bool) -> World:
    """A task of some family; those kept for testing only where it tests."""
    families = [name for name in FAMILIES if test or name not in KEPT_FAMILIES]
    real = [name for name in REAL if test or name not in KEPT_REAL]
    if draw.random() < REAL_SHARE:
        return make_real(str(draw.choice(real)), draw)
    return make_world(str(draw.choice(families)), draw)


def instructions(seed: int, group: int, test: bool) -> Iterator[tuple[Composition, str]]:
    """The group's compositions, each in a wording."""
    chance = random.Random(seed * PERMANENT + group)
    known, kept = universe()
    chosen = chance.sample(known, KNOWN_WHEN_TESTING if test else INSTRUCTIONS)
    chosen += chance.sample(kept, KEPT_WHEN_TESTING) if test else []
    for composition in chosen:
        yield composition, say(composition, chance)


@dataclass(frozen=True)
class Result:
    """What cross-validation said of one instruction."""

    scores: list[float]
    """One a fold; empty where it failed."""
    seconds: float
    status: str
    quick: float | None = None
    quick_seconds: float = 0.0


def attempt(world: World, matrices: Matrices, plan: Composition, race: bool) -> Result:
    """Cross-validate one instruction, and race it where asked; a pipeline that fails is an outcome, too."""
    begin = time.perf_counter()
    try:
        scores, status = cross_validated(world, matrices, plan), "ok"
    except (ValueError, FloatingPointError, np.linalg.LinAlgError) as fault:
        scores, status = [], f"error: {type(fault).__name__}"
    seconds = time.perf_counter() - begin
    if not race:
        return Result(scores, seconds, status)
    begin = time.perf_counter()
    try:
        quick = raced(world, matrices, plan)
    except (ValueError, FloatingPointError, np.linalg.LinAlgError):
        quick = None
    return Result(scores, seconds, status, quick, time.perf_counter() - begin)


def standard_errors(scores: list[list[float]]) -> list[float | None]:
    """The standard error of each mean over folds, without what all instructions have in common on a fold."""
    whole = np.array([found for found in scores if found])
    if not len(whole):
        return [None for _ in scores]
    common = whole.mean(axis=0) - whole.mean()
    return [
        float(np.std(np.array(found) - common, ddof=1) / np.sqrt(len(found))) if found else None for found in scores
    ]


def record(world: World, task: TaskRecord, plan: Composition, said: str, result: Result, error: float | None) -> Record:
    """One line of the file."""
    return Record(
        task=task,
        instruction=InstructionRecord(id=plan.key, text=said, source="composition"),
        score=round(float(np.mean(result.scores)), 6) if result.scores else None,
        error=None if error is None else round(error, 6),
        higher_is_better=world.metric in ("accuracy", "roc_auc"),
        metric=world.metric,
        seconds=round(result.seconds, 4),
        status=result.status,
        versions=VERSIONS,
        quick=None if result.quick is None else round(result.quick, 6),
        quick_seconds=round(result.quick_seconds, 4),
    )


def cross_validated(world: World, matrices: Matrices, plan: Composition) -> list[float]:
    """The metric on each fold."""
    splits = TimeSeriesSplit(FOLDS) if world.ordered else KFold(FOLDS, shuffle=True, random_state=0)
    if world.classes and not world.ordered:
        splits = StratifiedKFold(FOLDS, shuffle=True, random_state=0)
    target = answers_of(world)
    return [fold_score(world, matrices, plan, target, *split) for split in splits.split(matrices.numbers, target)]


def raced(world: World, matrices: Matrices, plan: Composition) -> float:
    """The metric on a third of RACED_ROWS rows, learned from the others."""
    rows = np.random.default_rng(0).permutation(len(world.table))[:RACED_ROWS]
    rows = np.sort(rows) if world.ordered else rows
    cut = 2 * len(rows) // 3
    return fold_score(world, matrices, plan, answers_of(world), rows[:cut], rows[cut:])


def answers_of(world: World) -> np.ndarray:
    """Class codes or numbers."""
    return pd.factorize(world.target, sort=True)[0] if world.classes else world.target.to_numpy(float)


def fold_score(
    world: World, matrices: Matrices, plan: Composition, target: np.ndarray, train: np.ndarray, test: np.ndarray
) -> float:
    """The metric on the rows `test`, learned from the rows `train`."""
    score = class_score if world.classes else number_score
    matrix = matrices.fold(plan, target, train)
    found = score(world.metric, model(plan.model, world.classes), matrix, target, train, test)
    if not np.isfinite(found):
        raise FloatingPointError("the score is no finite number")
    return found


def number_score(
    metric: str, model: Any, matrix: np.ndarray, target: np.ndarray, train: np.ndarray, test: np.ndarray
) -> float:
    """The error of one fold; guesses far outside of what was seen are cut."""
    mean, spread = target[train].mean(), target[train].std() or 1.0
    model.fit(matrix[train], (target[train] - mean) / spread)
    low, high = target[train].min() - 3 * spread, target[train].max() + 3 * spread
    wrong = np.clip(model.predict(matrix[test]) * spread + mean, low, high) - target[test]
    return float(np.abs(wrong).mean() if metric == "mae" else np.sqrt((wrong**2).mean()))


def class_score(
    metric: str, model: Any, matrix: np.ndarray, target: np.ndarray, train: np.ndarray, test: np.ndarray
) -> float:
    """The metric of one fold, of class probabilities."""
    model.fit(matrix[train], target[train])
    guessed = np.zeros((len(test), int(target.max()) + 1))
    guessed[:, model.classes_] = model.predict_proba(matrix[test])
    if metric == "accuracy":
        return float((guessed.argmax(axis=1) == target[test]).mean())
    if metric == "roc_auc":
        return float(roc_auc_score(target[test], guessed[:, 1])) if len(set(target[test])) > 1 else 0.5
    clipped = np.clip(guessed, 1e-3, 1.0)
    clipped /= clipped.sum(axis=1, keepdims=True)
    return float(-np.log(clipped[np.arange(len(test)), target[test]]).mean())


def kind_of(column: pd.Series) -> str:
    """The kind as a profile would name it."""
    return "text" if column.dtype == "string" else "category" if column.dtype == "category" else "number"


if __name__ == "__main__":
    app()
