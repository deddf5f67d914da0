"""`python -m agents.batch TASKS...`: solve many tasks, each in a process of its own, whatever happens in between.

Exit codes: 0 all have a valid submission, 1 some have none, 2 bad input, 3 the machine, 130 interrupted.
Imports of what is heavy are late, so that `--help` answers at once, and that Ray is needed only where it is asked for.
"""

from __future__ import annotations

import os
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agents.run import (
    BAD_INPUT,
    INTERRUPTED,
    MACHINE,
    NONE_FOUND,
    Attempts,
    FirstValid,
    Metric,
    Minutes,
    Model,
    Policy,
    Preset,
    Privacy,
    Ranker,
    Seed,
    fail,
)

if TYPE_CHECKING:
    from agents.batch_local import Place
    from agents.batch_share import Share

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

Tasks = Annotated[
    list[str] | None,
    typer.Argument(
        help="Task files, data folders, competitions of MLE-bench, folders that hold such ones, or globs of these."
    ),
]
Out = Annotated[
    Path, typer.Option(help="The folder of the batch. The same call goes on with it; name another one to begin anew.")
]
Workers = Annotated[
    int | None,
    typer.Option(
        min=1, help="Tasks side by side; they share the machine. Default: one for two cores, as memory allows."
    ),
]
Usd = Annotated[float | None, typer.Option(min=0, help="What the models may cost in each task, in US dollars.")]
TotalUsd = Annotated[float | None, typer.Option(min=0, help="What the models may cost in all tasks together.")]
Retries = Annotated[
    int, typer.Option(min=0, help="How often a task is gone on with after a failure of the machine, with a pause.")
]
Again = Annotated[
    bool, typer.Option("--again", help="Begin those anew that were refused, or ended without a valid submission.")
]
ShardOption = Annotated[
    str | None,
    typer.Option("--shard", metavar="I/N", help="Work on the I-th of N parts, beside others on the same --out."),
]
Mlebench = Annotated[
    Path | None,
    typer.Option(metavar="DIR", help="Add all competitions of MLE-bench in DIR, and write OUT/submission.jsonl."),
]
Ray = Annotated[
    str | None,
    typer.Option(metavar="auto|ADDRESS", help="Run the tasks on a Ray cluster; --workers then bounds those under way."),
]
RayResource = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="With --ray: only on nodes that declare it, such as docker."),
]
RayFetch = Annotated[
    bool, typer.Option("--ray-fetch", help="With --ray, where OUT is on no shared storage: fetch results through Ray.")
]
RayStore = Annotated[
    str | None,
    typer.Option(
        metavar="URL", help="With --ray, likewise: run folders go through storage such as s3://BUCKET/FOLDER."
    ),
]
RayRoot = Annotated[
    Path | None, typer.Option(metavar="DIR", help="With --ray: where this program lies on the nodes. Default: as here.")
]
TaskCpus = Annotated[
    float | None, typer.Option(min=0.1, help="Cores of one task. Default: the machine's, divided by --workers.")
]
TaskMemory = Annotated[
    int | None, typer.Option("--task-memory-mb", min=1024, help="Memory of one task's containers together, in MiB.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress; errors and the place of the results only.")]


@app.command()
def main(
    tasks: Tasks = None,
    out: Out = Path("runs/batch"),
    workers: Workers = None,
    model: Model = None,
    metric: Metric = None,
    attempts: Attempts = None,
    minutes: Minutes = None,
    usd: Usd = None,
    total_usd: TotalUsd = None,
    privacy: Privacy = None,
    policy: Policy = None,
    preset: Preset = None,
    ranker: Ranker = None,
    first_valid: FirstValid = False,
    seed: Seed = None,
    retries: Retries = 2,
    again: Again = False,
    shard: ShardOption = None,
    mlebench: Mlebench = None,
    ray: Ray = None,
    ray_resource: RayResource = None,
    ray_fetch: RayFetch = False,
    ray_store: RayStore = None,
    ray_root: RayRoot = None,
    task_cpus: TaskCpus = None,
    task_memory_mb: TaskMemory = None,
    quiet: Quiet = False,
) -> None:
    """Solve many tasks. What was done stays done: the same call again begins only what is missing."""
    from agents.batch_check import check_cluster, check_options
    from agents.batch_entries import Orders
    from agents.batch_local import local_place
    from agents.batch_session import Call, run_batch
    from agents.batch_share import Share, passed_on
    from agents.batch_tasks import find_tasks, parse_shard
    from grading.base import TaskError
    from sandbox.base import SandboxError

    options = {"model": model, "metric": metric, "attempts": attempts, "minutes": minutes, "privacy": privacy}
    options |= {"policy": policy, "preset": preset, "ranker": ranker, "first-valid": first_valid, "seed": seed}
    try:
        part = parse_shard(shard)
        found = find_tasks(tasks or [], lambda line: print(line, file=sys.stderr))
        found = list(dict.fromkeys(found + competitions_in(mlebench)))
        if not found:
            raise TaskError("Name at least one task: a task.yaml, a folder of tasks, or --mlebench DIR.")
        check_options(model, privacy, policy, preset, ranker, here=ray is None)
        cluster = {"--ray-resource": ray_resource, "--ray-fetch": ray_fetch, "--ray-store": ray_store}
        check_cluster(ray, cluster | {"--ray-root": ray_root})
        said = Share(task_cpus or 0.0, task_memory_mb or 0)
        if ray is None:
            place = local_place(workers, said, -(-len(found) // part.of), ranker)
        else:
            place = cluster_place(ray, ray_resource, ray_fetch, ray_store, ray_root, workers, said)
        orders = Orders(out.resolve(), place.share, passed_on(options), metric, model, usd, str(ray_root or ""))
        call = Call(found, orders, place.workers, part, total_usd, again, retries, quiet=quiet)
        closing = run_batch(call, place.runner)
        jsonl = write_jsonl(mlebench, orders.out)
    except TaskError as fault:
        fail(str(fault), BAD_INPUT)
    except (SandboxError, OSError) as fault:
        fail(str(fault), MACHINE)
    print(f"Results: {orders.out / 'index.html'} (and results.csv and results.json beside it)")
    if jsonl:
        print(f"For mlebench grade: {jsonl}")
    if closing.interrupted:
        command = shlex.join(["python", "-m", "agents.batch", *sys.argv[1:]])
        fail(f"Stopped. Go on with: {command}", INTERRUPTED)
    raise typer.Exit(0 if closing.all_done else NONE_FOUND)


def competitions_in(folder: Path | None) -> list[Path]:
    """All competitions of MLE-bench in a folder. Raises: TaskError where there is none."""
    if folder is None:
        return []
    from agents.mlebench import competitions

    return [path.resolve() for path in competitions(folder)]


def write_jsonl(mlebench: Path | None, out: Path) -> Path | None:
    """The file that `mlebench grade` takes, of all competitions; null where one has no valid submission."""
    if mlebench is None:
        return None
    from agents.batch_table import read_rows
    from agents.mlebench import write_submissions

    rows = {row.task: row for row in read_rows(out).values() if row.valid}
    found = {path.name: rows.get(str(path)) for path in competitions_in(mlebench)}
    files = {slug: out / "runs" / row.name / "submission.csv" if row else None for slug, row in found.items()}
    return write_submissions(files, out)


def cluster_place(
    address: str,
    resource: str | None,
    fetch: bool,
    store: str | None,
    root: Path | None,
    workers: int | None,
    said: Share,
) -> Place:
    """A Ray cluster. Raises: TaskError where Ray is not installed, or no cluster answers."""
    from grading.base import TaskError

    # Read when Ray is imported: nothing is told to its makers, and its nodes' own logs stay on the nodes.
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DEDUP_LOGS_SKIP_REGEX="^")
    try:
        from agents.batch_ray import ray_place
        from agents.batch_ray_node import Way
    except ModuleNotFoundError as fault:
        raise TaskError(f"--ray {address}: {fault.name} is not installed; pip install '.[cluster]'.") from None
    return ray_place(address, resource, Way(fetch, store), root, workers, said)


if __name__ == "__main__":
    app()
