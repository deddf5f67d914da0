"""`python -m ranker.placed_records PLACED --out FILE`: placed instructions as records, to train or evaluate a ranker.

A third of the competitions is kept for testing, by a hash of their names. There are no numbers of a task in it, so
only what reads text can learn from these.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from ranker.placed import Placed, PlacedError, read_placed
from ranker.records import InstructionRecord, Record, TaskRecord, share_of, write_records

TEST_SHARE = 1 / 3
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    placed: Annotated[Path, typer.Argument(help="JSON lines as ranker.extract writes.")],
    out: Annotated[Path, typer.Option(help="The records; packed where the name ends in .gz.")],
) -> None:
    """Turn ranked instructions of notebooks into records; what counts is the place within a competition."""
    try:
        records = placed_records(read_placed(placed))
        write_records(out, records)
    except (PlacedError, OSError) as fault:
        print(fault, file=sys.stderr)
        raise typer.Exit(2) from None
    tasks = {record.task.id: record.task.role for record in records}
    kept = sum(role == "test" for role in tasks.values())
    print(f"{len(records)} records of {len(tasks)} competitions in {out}; {kept} competitions are kept for testing.")


def placed_records(lines: Sequence[Placed]) -> list[Record]:
    """One record a line; the score is the place, and lower is better."""
    return [_record(line, number) for number, line in enumerate(lines)]


def _record(line: Placed, number: int) -> Record:
    text = f"{line.data_type} {line.metric}. {line.task}".strip()
    task = TaskRecord(id=f"placed-{line.task_id}", family="placed", role=_role(line.task_id), text=text, numbers={})
    plan = InstructionRecord(id=f"notebook-{number}", text=line.instruction, source="notebook")
    known = {"score": float(line.rank), "error": 0.0, "higher_is_better": False, "seconds": 0.0, "status": "ok"}
    return Record.model_validate({"task": task, "instruction": plan, "metric": line.metric, **known})


def _role(task: int | str) -> Literal["train", "test"]:
    return "test" if share_of(str(task)) < TEST_SHARE else "train"


if __name__ == "__main__":
    app()
