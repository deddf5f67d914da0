"""`python -m agents.run TASK`: solve one task.

Exit codes: 0 valid submission, 1 none found, 2 bad input, 3 the machine, 4 waiting for a review.
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

NONE_FOUND, BAD_INPUT, MACHINE, REVIEW, INTERRUPTED = 1, 2, 3, 4, 130
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)

TaskArgument = Annotated[
    Path | None,
    typer.Argument(
        help="A task.yaml, a folder that holds one, a plain data folder, a competition as MLE-bench prepares it, or "
        "kaggle:SLUG. Where nothing names the metric, give --metric."
    ),
]
Out = Annotated[Path | None, typer.Option(help="The run folder to make; default: runs/NAME-TIME.")]
Model = Annotated[
    str | None,
    typer.Option(
        help="The language model: openai:NAME, anthropic:NAME, ollama:NAME (each with @URL for a server of your own), "
        "hf:FOLDER[+ADAPTER], replay:RUN, or none: recipes alone. Default: the task's, or none."
    ),
]
Usd = Annotated[float | None, typer.Option(min=0, help="What all calls of models may cost together, in US dollars.")]
Privacy = Annotated[
    str | None,
    typer.Option(help="What may leave for a model: schema, samples (default) or output.", metavar="LEVEL"),
]
Preset = Annotated[
    str | None,
    typer.Option(help="A pipeline in the place of ours: linguacodus, as its paper describes it.", metavar="NAME"),
]
Policy = Annotated[
    str | None,
    typer.Option(help="How to search: race (ours, default), greedy (as AIDE), or linear.", metavar="NAME"),
]
Ranker = Annotated[
    str | None,
    typer.Option(
        help="What orders the instructions: a FOLDER of ranker.train, prior (the recipes' priors), or off. "
        "Default: $LINGUACODUS_RANKER, or the fine-tuned one that ships.",
        metavar="FOLDER|prior|off",
    ),
]
Start = Annotated[Path | None, typer.Option(help="A script of your own that joins the race.")]
Review = Annotated[
    bool, typer.Option("--review", help="Stop after ranking, to drop, reorder, change or add instructions.")
]
ReplayExecutions = Annotated[
    bool, typer.Option("--replay-executions", help="With --model replay:RUN: take results of scripts from RUN too.")
]
Metric = Annotated[str | None, typer.Option(help="Metric by name, such as accuracy or rmsle; wins over the task's.")]
Attempts = Annotated[
    int | None, typer.Option(min=1, help="How many instructions are tried at most; default: the task's, or 6.")
]
Minutes = Annotated[
    float | None, typer.Option(min=0.2, help="Wall clock of the whole run; default: the task's, or 30.")
]
FirstValid = Annotated[bool, typer.Option("--first-valid", help="Stop at the first valid submission.")]
Parallel = Annotated[int | None, typer.Option(min=1, help="Scripts side by side; default: cores // cpus of a script.")]
Cpus = Annotated[
    float | None,
    typer.Option(min=0.1, help="Cores of one script; wins over the task's. Default: half of all, up to 4."),
]
MemoryMb = Annotated[
    int | None,
    typer.Option(min=256, help="Memory of one script in MiB; wins over the task's. Default: its share of 80 % of all."),
]
Seed = Annotated[int | None, typer.Option(help="Seed of views, scripts and resamples; default: 0.")]
Resume = Annotated[
    Path | None, typer.Option(help="Go on with this run folder (everything else stays as it was started).")
]
ReplayReworded = Annotated[
    bool, typer.Option("--replay-reworded", help="With --model replay:RUN: accept prompts that differ from the record.")
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Show the inferred task, views, candidates and largest cost; run nothing.")
]
Submit = Annotated[
    bool,
    typer.Option("--submit", help="Send the submission to Kaggle (of kaggle:SLUG, or a task that says kaggle: SLUG)."),
]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress; errors and the place of the submission only.")]
Json = Annotated[bool, typer.Option("--json", help="Print the report as one JSON object instead of tables.")]


@app.command()
def main(
    task: TaskArgument = None,
    out: Out = None,
    model: Model = None,
    metric: Metric = None,
    attempts: Attempts = None,
    minutes: Minutes = None,
    usd: Usd = None,
    privacy: Privacy = None,
    policy: Policy = None,
    preset: Preset = None,
    ranker: Ranker = None,
    start: Start = None,
    review: Review = False,
    first_valid: FirstValid = False,
    parallel: Parallel = None,
    cpus: Cpus = None,
    memory_mb: MemoryMb = None,
    seed: Seed = None,
    resume: Resume = None,
    replay_executions: ReplayExecutions = False,
    replay_reworded: ReplayReworded = False,
    dry_run: DryRun = False,
    submit: Submit = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Solve a Kaggle-style task: a valid submission, the script that makes it, and a score that can be trusted."""
    check_call(task, resume, privacy)
    # Prompts and states go to the models that the user names and to nobody else.
    os.environ.update(LANGSMITH_TRACING="false", LANGCHAIN_TRACING_V2="false")
    os.environ.setdefault("LANGGRAPH_STRICT_MSGPACK", "true")
    from agents.drive import new_run_folder, solve
    from agents.kaggle_api import KaggleDown
    from agents.kaggle_run import fetched, submitted
    from agents.preview import preview
    from agents.summary import show_preview, show_report
    from agents.terminal import watcher
    from grading.base import TaskError
    from graphs.context import Context
    from models.base import ReplayDiffers
    from sandbox.base import SandboxError

    context = Context(
        metric=metric,
        attempts=attempts,
        minutes=minutes,
        first_valid=first_valid,
        parallel=parallel,
        cpus=cpus,
        memory_mb=memory_mb,
        seed=seed,
        model=model,
        usd=usd,
        privacy=privacy,  # type: ignore[arg-type]  # one of the levels, as seen above
        policy=policy,
        preset=preset,
        ranker=ranker,
        start=str(start) if start else None,
        review=review,
        replay_executions=replay_executions,
        replay_reworded=replay_reworded,
    )
    tell = silent if quiet or as_json else say
    try:
        task = fetched(task, resume, submit, tell, quiet or as_json)
        if dry_run and task:
            found = preview(task, context)
            print(json.dumps(found, indent=1)) if as_json else show_preview(found)
            return
        folder = resume or new_run_folder(task, out)
        with watcher(quiet or as_json) as watch:
            outcome = solve(task, folder, context, watch)
    except (TaskError, ReplayDiffers) as fault:
        fail(str(fault), BAD_INPUT)
    except (SandboxError, KaggleDown) as fault:
        fail(str(fault), MACHINE)
    except KeyboardInterrupt:
        fail("Stopped before the run began: start it again by the same command.", INTERRUPTED)
    if outcome.interrupted:
        fail(f"Stopped. Go on with: python -m agents.run --resume {folder}", INTERRUPTED)
    if outcome.review:
        fail(f"Waiting for you: change {outcome.review}, then: python -m agents.run --resume {folder}", REVIEW)
    if not as_json:
        show_report(outcome.report, folder, quiet)
    sent, unsent = submitted(folder, outcome.report, tell) if submit else ({}, None)
    if as_json:
        print(json.dumps(outcome.report | {"run": str(folder)} | sent))
    if unsent:
        fail(*unsent)
    raise typer.Exit(exit_code(outcome))


def check_call(task: Path | None, resume: Path | None, privacy: str | None) -> None:
    """End with a sentence where the arguments do not go together, before anything heavy is imported."""
    if (task is None) == (resume is None):
        fail("Name a task (a task.yaml or a data folder), or a run folder with --resume RUN; not both.", BAD_INPUT)
    if privacy not in (None, "schema", "samples", "output"):
        fail(f"--privacy {privacy}: is no level; choose schema, samples or output.", BAD_INPUT)


def exit_code(outcome: Outcome) -> int:
    """0 where a valid submission was delivered, else 1."""
    return 0 if outcome.report.get("valid") else NONE_FOUND


def say(sentence: str) -> None:
    """Tell the user how it goes on."""
    print(sentence, flush=True)


def silent(_sentence: str) -> None:
    """Tell nothing."""


def fail(sentence: str, code: int) -> None:
    """Say it on stderr and end."""
    print(sentence, file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
