"""`python -m ranker.sft DATA.jsonl --base FOLDER --out ADAPTER`: teach a model to write instructions of a given place.

LoRA on a causal language model that lies in a folder, by placed instructions (ranker/placed.py). docs/writer.md tells
what comes out and how it is used. Exit codes: 0, 2 a mistake in the call or the data, 3 the machine, 130 stopped.
"""

from __future__ import annotations

import hashlib
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from models.local_process import LocalModelError, check_files, check_libraries, child_environment
from ranker.placed import Placed, PlacedError, read_placed
from ranker.sft_data import SftError, Split, hold_out
from ranker.sft_records import ADAPTER, CHECKPOINT, REPORT, FourBit, Settings, owned
from ranker.sft_report import lines_of, prompt_digest
from ranker.sft_screen import Screen

BAD_INPUT, MACHINE, STOPPED = 2, 3, 130
MOST_BYTES = 2**29
"""A larger file of placed instructions is refused before it is read into memory."""
DIGITS = 16
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    data: Annotated[Path, typer.Argument(help="JSON lines: task_id, task, data_type, metric, rank, instruction.")],
    base: Annotated[Path, typer.Option(help="Folder of a Hugging Face causal language model, as safetensors.")],
    out: Annotated[Path, typer.Option(help="Folder for the adapter, the report and the checkpoint.")],
    epochs: Annotated[int, typer.Option(min=1, max=1_000)] = 1,
    batch: Annotated[int, typer.Option(min=1, max=4_096, help="Examples a step.")] = 4,
    lr: Annotated[float, typer.Option(min=1e-8, max=1.0, help="Learning rate after the warm-up.")] = 2e-4,
    rank: Annotated[int, typer.Option(min=1, max=1_024, help="r of LoRA.")] = 16,
    max_tokens: Annotated[
        int, typer.Option(min=16, max=1_000_000, help="Prompt and answer together, at most.")
    ] = 1_536,
    seed: Annotated[int, typer.Option(min=0, max=2**31)] = 0,
    holdout: Annotated[float, typer.Option(min=0.0, max=0.9, help="Share of competitions held out, whole.")] = 0.1,
    steps: Annotated[int | None, typer.Option(min=1, help="Steps at most, over all epochs.")] = None,
    four_bit: Annotated[FourBit, typer.Option(help="Hold the base in 4 bits: auto where a GPU can.")] = "auto",
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the checkpoint in --out, if there is one.")
    ] = False,
) -> None:
    """Fine-tune a local model to write the instruction of the first, second, third, ... place."""
    console = Console(stderr=True)
    try:
        lines = _read(data, base, out)
        settings = Settings(
            data=_digest(data),
            base=_base_digest(base),
            prompt=prompt_digest(),
            epochs=epochs,
            batch=batch,
            lr=lr,
            rank=rank,
            max_tokens=max_tokens,
            seed=seed,
            holdout=holdout,
            steps=steps,
            four_bit=four_bit,
        )
        split = hold_out(lines, holdout, seed)
        with owned(out):
            _train(console, settings, split, data, base, out, resume)
    except (SftError, PlacedError, LocalModelError) as fault:
        _fail(str(fault), BAD_INPUT)
    except KeyboardInterrupt:
        _stopped(out)
    except OSError as fault:
        at, why = fault.filename or out, fault.strerror or fault
        _fail(f"{at} cannot be read or written ({why}); mend that, or name another --out.", MACHINE)


def _read(data: Path, base: Path, out: Path) -> list[Placed]:
    """Everything that can be said without the heavy libraries. Raises: SftError, PlacedError, LocalModelError."""
    if data.is_file() and data.stat().st_size > MOST_BYTES:
        raise SftError(f"{data} has more than {MOST_BYTES:,} bytes; give a part of it.")
    lines = read_placed(data)
    check_files(str(base), None)
    if (base / "adapter_config.json").exists():
        raise SftError(f"--base {base} holds an adapter; merge it into its base first, or name the base.")
    for name, folder in (("--base", base), ("--out", out)):
        if "+" in str(folder.absolute()):
            raise SftError(f"{name} {folder}: hf:BASE+ADAPTER cannot name a folder with a + in its path; rename it.")
    if out.exists() and not out.is_dir():
        raise SftError(f"--out {out} is a file; name a folder.")
    check_libraries()
    return lines


def _train(console: Console, settings: Settings, split: Split, data: Path, base: Path, out: Path, resume: bool) -> None:
    done = (out / REPORT).exists()
    if not resume and (done or (out / CHECKPOINT).exists() or (out / ADAPTER).exists()):
        raise SftError(f"--out {out} already holds a training; add --resume to go on, or name another folder.")
    if done:
        (out / CHECKPOINT).unlink(missing_ok=True)
        print(f"{out} holds a finished training: see {out / REPORT}.")
        return
    os.environ.update(child_environment())  # no way to a hub, before the libraries look
    from ranker.sft_session import Failed, train  # noqa: PLC0415 - torch may be missing, and --help must be quick

    try:
        with Screen(console) as screen:
            report = train(settings, split, data, base, out, screen)
    except Failed as fault:
        _fail(str(fault), MACHINE if fault.memory else BAD_INPUT)
    if report is None:
        _stopped(out)
    print("\n".join([*lines_of(report), f"Report: {out / REPORT}", f"Use it: hf:{base}+{out}"]))


def _stopped(out: Path) -> NoReturn:
    _fail(f"Stopped; the same command with --resume goes on from the last checkpoint in {out}.", STOPPED)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:DIGITS]


def _base_digest(folder: Path) -> str:
    about = hashlib.sha256((folder / "config.json").read_bytes())
    for file in sorted(folder.glob("*.safetensors")):
        about.update(f"{file.name} {file.stat().st_size}\n".encode())
    return about.hexdigest()[:DIGITS]


def _fail(sentence: str, code: int) -> NoReturn:
    print(sentence, file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
