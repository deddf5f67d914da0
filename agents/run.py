"""`python -m agents.run TASK`: solve one task.

Exit codes: 0 valid submission, 1 none found, 2 bad input, 3 the machine.
Imports of LangGraph and Docker are late, so that `--help` answers at once.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from agents.drive import Outcome

NONE_FOUND, BAD_INPUT, MACHINE, INTERRUPTED = 1, 2, 3, 130
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

TaskArgument = Annotated[
    Path | None,
    typer.Argument(help="A task.yaml, a folder that holds one, or a plain data folder (then --metric is needed)."),
]
Out = Annotated[Path | None, typer.Option(help="The run folder to make; default: runs/NAME-TIME.")]
Model = Annotated[str, typer.Option(help="The language model; none: recipes alone.")]
Metric = Annotated[str | None, typer.Option(help="Metric by name, such as accuracy or rmsle; wins over the task's.")]
Attempts = Annotated[
    int | None, typer.Option(min=1, help="How many instructions are tried at most; default: the task's, or 6.")
]
Minutes = Annotated[
    float | None, typer.Option(min=0.2, help="Wall clock of the whole run; default: the task's, or 30.")
]
FirstValid = Annotated[bool, typer.Option("--first-valid", help="Stop at the first valid submission.")]
Parallel = Annotated[int | None, typer.Option(min=1, help="Scripts side by side; default: cores // cpus of a script.")]
Seed = Annotated[int, typer.Option(help="Seed of views, scripts and resamples.")]
Resume = Annotated[
    Path | None, typer.Option(help="Go on with this run folder (everything else stays as it was started).")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the inferred task, views, candidates and largest cost; run nothing.")
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress; errors and the place of the submission only.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object instead of tables.")]


@app.command()
def main(
    task: TaskArgument = None,
    out: Out = None,
    model: Model = "none",
    metric: Metric = None,
    attempts: Attempts = None,
    minutes: Minutes = None,
    first_valid: FirstValid = False,
    parallel: Parallel = None,
    seed: Seed = 0,
    resume: Resume = None,
    dry_run: DryRun = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Solve a Kaggle-style task: a valid submission, the script that makes it, and a score that can be trusted."""
    if (task is None) == (resume is None):
        fail("Name a task (a task.yaml or a data folder), or a run folder with --resume RUN; not both.", BAD_INPUT)
    if model != "none":
        fail(f"--model {model}: this version solves tasks with its recipes only: leave --model out.", BAD_INPUT)
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    from agents.drive import new_run_folder, preview, solve
    from agents.summary import show_preview, show_report
    from agents.terminal import watcher
    from grading.base import TaskError
    from graphs.context import Context
    from sandbox.base import SandboxError

    context = Context(metric, attempts, minutes, first_valid, parallel, seed)
    try:
        if dry_run and task:
            found = preview(task, context)
            print(json.dumps(found, indent=1)) if as_json else show_preview(found)
            return
        folder = resume or new_run_folder(task, out)
        with watcher(quiet or as_json) as watch:
            outcome = solve(task, folder, context, watch)
    except TaskError as fault:
        fail(str(fault), BAD_INPUT)
    except SandboxError as fault:
        fail(str(fault), MACHINE)
    if outcome.interrupted:
        fail(f"Stopped. Go on with: python -m agents.run --resume {folder}", INTERRUPTED)
    print(json.dumps(outcome.report | {"run": str(folder)})) if as_json else show_report(outcome.report, folder, quiet)
    raise typer.Exit(exit_code(outcome))


def exit_code(outcome: Outcome) -> int:
    """0 where a valid submission was delivered, else 1."""
    return 0 if outcome.report.get("valid") else NONE_FOUND


def fail(sentence: str, code: int) -> None:
    """Say it on stderr and end."""
    print(sentence, file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
