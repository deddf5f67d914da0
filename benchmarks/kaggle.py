"""Solve real tasks whose answers are kept aside, and grade the submissions outside of the solver.

`python -m benchmarks.kaggle TASKS`: TASKS holds one folder a task with task.yaml, its data and private/answers.csv,
and a `grade.py TASK_DIR SUBMISSION.csv` that prints one JSON object ({"score": .., "beats": ..}, or {"invalid": ..}
and exit 1). Each task is solved by `python -m agents.run` in a process of its own; grade.py runs in the sandbox image,
which has what it needs, without network and with nothing mounted but the tasks and that submission.

`--policy race --policy linear --seed 0 --seed 1 --seed 2 --workers 2` solves each task with each policy and each seed,
two side by side, and says how much the first policy gains.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from itertools import product
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from agents.batch_share import divided, machine, share_options
from benchmarks.kaggle_policies import Graded, compare
from grading.base import Direction
from sandbox.image import ensure_image

GRADE_SECONDS = 300
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@dataclass(frozen=True)
class Result:
    """One task, solved and graded."""

    task: str
    valid: bool
    score: float | None
    """By grade.py on the kept answers."""
    estimate: float | None
    """Ours, from audit rows."""
    low: float | None
    high: float | None
    inside: bool | None
    """Whether the true score lies in our 95 % prediction interval."""
    beats: float | None
    """Share of real teams beaten; None without a leaderboard."""
    seconds: float
    source: str | None
    fault: str | None
    host_memory_mb: float
    """Peak memory of the solver's own process, containers not counted."""
    host_cpu_seconds: float
    """CPU time of that process: what is spent outside of containers."""
    direction: Direction | None = None


@app.command()
def main(
    tasks: Annotated[Path, typer.Argument(help="Folder of task folders, with grade.py.")],
    only: Annotated[list[str] | None, typer.Option(help="Task to run; may be repeated. Default: all.")] = None,
    model: Annotated[str, typer.Option(help="As of agents.run.")] = "none",
    ranker: Annotated[str, typer.Option(help="As of agents.run.")] = "shipped",
    policy: Annotated[list[str] | None, typer.Option(help="As of agents.run; may be repeated. Default: race.")] = None,
    attempts: Annotated[int, typer.Option(help="As of agents.run.")] = 4,
    minutes: Annotated[float, typer.Option(help="As of agents.run.")] = 6,
    seed: Annotated[list[int] | None, typer.Option(help="As of agents.run; may be repeated. Default: 0.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Runs side by side, which share this machine.")] = 1,
    out: Annotated[Path, typer.Option(help="Folder for the runs and results.json.")] = Path("runs/kaggle"),
    as_json: Annotated[bool, typer.Option("--json", help="Print one last line of JSON.")] = False,
) -> None:
    """Solve and grade; write a table and OUT/results.json."""
    wanted = set(only or [])
    folders = [p.parent.parent for p in sorted(tasks.glob("*/private/answers.csv"))]
    folders = [folder for folder in folders if not wanted or folder.name in wanted]
    if missing := wanted - {folder.name for folder in folders}:
        raise typer.BadParameter(f"{tasks} has no task {', '.join(sorted(missing))} with private/answers.csv")
    out = out / time.strftime("%Y%m%d-%H%M%S")
    out.mkdir(parents=True)
    image = ensure_image()
    console = Console(highlight=False)
    options = ["--model", model, "--ranker", ranker, "--attempts", str(attempts), "--minutes", str(minutes)]
    if workers > 1:
        options += share_options(divided(machine(), workers), None)
    results: dict[tuple[str, int], list[Result]] = {key: [] for key in product(policy or ["race"], seed or [0])}

    def one(job: tuple[Path, tuple[str, int]]) -> None:
        folder, (name, number) = job
        run = out / f"{name}-{number}" / folder.name
        run.parent.mkdir(exist_ok=True)
        found = solve(folder, run, [*options, "--policy", name, "--seed", str(number)], image)
        results[name, number].append(found)
        console.print(f"{name}, seed {number}: {describe(found)}", markup=False, soft_wrap=True)

    with ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(one, product(folders, results)):
            (out / "results.json").write_text(json.dumps(whole(results), indent=1))
    for (name, number), found in results.items():
        console.print(table(found, f"{name}, seed {number}"))
    if len(results) > 1:
        console.print_json(data=whole(results)["compared"])
    if as_json:
        print(json.dumps(whole(results)))


def whole(results: dict[tuple[str, int], list[Result]]) -> dict[str, Any]:
    """The summary of one policy with one seed; of several each, and how they compare. JSON-able."""
    summaries = {f"{policy}-{seed}": summary(found) for (policy, seed), found in results.items()}
    if len(summaries) == 1:
        return next(iter(summaries.values()))
    return {"compared": compare(graded(results)), "runs": summaries}


def graded(results: dict[tuple[str, int], list[Result]]) -> list[Graded]:
    """What the comparison of policies needs of them."""
    return [
        Graded(policy, seed, result.task, result.score, result.beats, result.direction)
        for (policy, seed), found in results.items()
        for result in found
    ]


def solve(folder: Path, run: Path, options: list[str], image: str) -> Result:
    """One task: solved, graded, compared with our estimate."""
    command = [sys.executable, "-m", "agents.run", str(folder / "task.yaml"), "--out", str(run), "--json", *options]
    report, log = run.with_suffix(".json"), run.with_suffix(".log")
    since = time.monotonic()
    with report.open("w") as out, log.open("w") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = code = os.waitstatus_to_exitcode(status)
    blank = Result(
        folder.name,
        False,
        None,
        None,
        None,
        None,
        None,
        None,
        round(time.monotonic() - since, 1),
        None,
        None,
        round(usage.ru_maxrss / 1024, 1),
        round(usage.ru_utime + usage.ru_stime, 2),
    )
    if code:
        return replace(blank, fault=(log.read_text().strip().splitlines() or [f"exit code {code}"])[-1])
    said = json.loads(report.read_text())
    delivery = said["delivery"]
    true = grade(folder, run / "submission.csv", image)
    score, low, high = true.get("score"), delivery["low"], delivery["high"]
    return replace(
        blank,
        valid=score is not None,
        score=score,
        estimate=delivery["estimate"],
        low=low,
        high=high,
        inside=low <= score <= high if None not in (score, low, high) else None,
        beats=true.get("beats"),
        source=delivery["source"],
        fault=true.get("invalid"),
        direction=said["task"]["direction"],
    )


def grade(folder: Path, submission: Path, image: str) -> dict[str, Any]:
    """What grade.py says of a submission, run in the sandbox image."""
    mounts = [f"{folder.parent.resolve()}:/tasks:ro", f"{submission.resolve()}:/submission.csv:ro"]
    command = ["docker", "run", "--rm", "--network", "none", "--cap-drop", "ALL", "--user", "1000:1000"]
    command += [part for mount in mounts for part in ("--volume", mount)]
    command += [image, "python", "/tasks/grade.py", f"/tasks/{folder.name}", "/submission.csv"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GRADE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"invalid": f"grade.py took longer than {GRADE_SECONDS} s"}
    lines = done.stdout.strip().splitlines()
    if not lines:
        return {"invalid": (done.stderr.strip().splitlines() or ["grade.py said nothing"])[-1]}
    answer: dict[str, Any] = json.loads(lines[-1])
    return answer


def summary(results: list[Result]) -> dict[str, Any]:
    """All results in one JSON-able object."""
    beaten = [result.beats for result in results if result.beats is not None]
    return {
        "valid": sum(result.valid for result in results),
        "of": len(results),
        "mean_beats": round(sum(beaten) / len(beaten), 4) if beaten else None,
        "inside": sum(bool(result.inside) for result in results),
        "seconds": round(sum(result.seconds for result in results), 1),
        "host_memory_mb": max((result.host_memory_mb for result in results), default=None),
        "tasks": {result.task: asdict(result) for result in results},
    }


def describe(result: Result) -> str:
    """One line while the benchmark runs."""
    return f"{result.task}: {result.fault or result.score}, beats {result.beats}, {result.seconds:.0f} s"


def table(results: list[Result], name: str) -> Table:
    """The results as a table."""
    said = summary(results)
    title = f"{name}: {said['valid']} of {said['of']} valid, {said['inside']} inside, mean beats {said['mean_beats']}"
    rows = Table("task", "score", "our estimate", "95 % interval", "inside", "beats", "source", "time", title=title)
    for r in results:
        interval = f"{r.low:.5g} .. {r.high:.5g}" if r.low is not None and r.high is not None else "-"
        estimate = "-" if r.estimate is None else f"{r.estimate:.5g}"
        score = r.fault or "-" if r.score is None else f"{r.score:.5g}"
        beats = "-" if r.beats is None else f"{r.beats:.2f}"
        rows.add_row(r.task, score, estimate, interval, str(r.inside), beats, r.source or "-", f"{r.seconds:.0f} s")
    return rows


if __name__ == "__main__":
    app()
