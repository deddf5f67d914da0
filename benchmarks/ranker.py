"""The ranker against the order of the recipes' priors, end to end, with one and with three attempts.

`python -m benchmarks.ranker TASKS`: folders as of benchmarks.kaggle. Where both order the first attempts alike, the
run is made once and counts for both. Regret is in the share of teams beaten: the best of all runs of a task less this.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from statistics import mean
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.kaggle import Result, solve
from sandbox.image import ensure_image

ATTEMPTS = (1, 3)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
Key = tuple[str, int]
"""Ranker and number of attempts."""


@app.command()
def main(
    tasks: Annotated[Path, typer.Argument(help="Folder of task folders, with grade.py.")],
    ranker: Annotated[str, typer.Option(help="As of agents.run: the one that is compared with prior.")] = "shipped",
    only: Annotated[list[str] | None, typer.Option(help="Task to run; may be repeated. Default: all.")] = None,
    minutes: Annotated[float, typer.Option(help="As of agents.run.")] = 6,
    seed: Annotated[int, typer.Option(help="As of agents.run.")] = 0,
    out: Annotated[Path, typer.Option(help="Folder for the runs.")] = Path("runs/ranker"),
) -> None:
    """Solve every task by both orders and print one table; its last line is JSON."""
    out = out / time.strftime("%Y%m%d-%H%M%S")
    out.mkdir(parents=True)
    image, console = ensure_image(), Console(highlight=False)
    found: dict[str, dict[Key, Result]] = {}
    for folder in (answers.parent.parent for answers in sorted(tasks.glob("*/private/answers.csv"))):
        if only and folder.name not in only:
            continue
        found[folder.name] = compare(folder, out, ["prior", ranker], minutes, seed, image)
        said = ", ".join(f"{name} {n}: {result.beats}" for (name, n), result in found[folder.name].items())
        console.print(f"{folder.name}: {said}", markup=False, soft_wrap=True)
    report = summary(found, ["prior", ranker])
    console.print(table(report))
    print(json.dumps(report))


def compare(folder: Path, out: Path, rankers: list[str], minutes: float, seed: int, image: str) -> dict[Key, Result]:
    """All runs of one task."""
    orders = {ranker: order(folder, ranker, seed) for ranker in rankers}
    made: dict[tuple[str, ...], Result] = {}
    results: dict[Key, Result] = {}
    for attempts in ATTEMPTS:
        for ranker in rankers:
            first = tuple(orders[ranker][:attempts])
            if first not in made:
                options = ["--attempts", str(attempts), "--minutes", str(minutes), "--seed", str(seed)]
                place = out / f"{folder.name}-{attempts}-{Path(ranker).name}"
                made[first] = solve(folder, place, [*options, "--ranker", ranker], image)
            results[ranker, attempts] = made[first]
    return results


def order(folder: Path, ranker: str, seed: int) -> list[str]:
    """The instructions as the ranker orders them."""
    command = [sys.executable, "-m", "agents.run", str(folder / "task.yaml"), "--dry-run", "--json"]
    command += ["--ranker", ranker, "--seed", str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return [candidate["instruction"] for candidate in json.loads(done.stdout)["candidates"]]


def summary(found: dict[str, dict[Key, Result]], rankers: list[str]) -> dict[str, dict[str, float]]:
    """Of each ranker and number of attempts: mean share of teams beaten, mean regret, valid submissions."""
    report = {}
    for attempts in ATTEMPTS:
        for ranker in rankers:
            runs = [results[ranker, attempts] for results in found.values()]
            beaten = [run.beats for run in runs if run.beats is not None]
            lost = [
                max(r.beats or 0.0 for r in results.values()) - (results[ranker, attempts].beats or 0.0)
                for results in found.values()
                if any(r.beats is not None for r in results.values())
            ]
            report[f"{ranker}, {attempts} attempt(s)"] = {
                "beats": round(mean(beaten), 4) if beaten else 0.0,
                "regret": round(mean(lost), 4) if lost else 0.0,
                "valid": sum(run.valid for run in runs),
                "tasks": len(runs),
            }
    return report


def table(report: dict[str, dict[str, float]]) -> Table:
    """The report as a table."""
    rows = Table("order, attempts", "mean share of teams beaten", "mean regret", "valid")
    for name, row in report.items():
        rows.add_row(name, f"{row['beats']:.4f}", f"{row['regret']:.4f}", f"{row['valid']} of {row['tasks']}")
    return rows


if __name__ == "__main__":
    app()
