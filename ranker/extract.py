"""`python -m ranker.extract NOTEBOOKS`: ranked instructions from notebooks of past competitions.

Phase A.1 of Linguacodus (arXiv 2403.11585): a model says in three parts what each notebook does, and the notebooks of a
competition are ordered by their scores. Exit codes: 0 all done, 1 some notebooks have no instruction, 2 bad input,
3 the machine, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import math
import shlex
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, NoReturn

import typer
from rich.console import Console

from grading.base import TaskError
from grading.task import PriceSpec
from models.gate import Gate
from models.load import Loaded, load_model
from models.names import parse_model
from models.records import Records
from ranker.extract_run import ROLE, Extraction, same_model
from ranker.extract_scores import read_scores
from ranker.extract_watch import Watch, closing_lines, watching
from sandbox.files import locked
from sandbox.stopping import stoppable

INCOMPLETE, BAD_INPUT, MACHINE, INTERRUPTED = 1, 2, 3, 130
WIDTH = 130
"""Columns of what goes to a file or a pipe."""
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    notebooks: Annotated[Path, typer.Argument(help="A folder of .ipynb and .py files.", metavar="NOTEBOOKS")],
    scores: Annotated[
        Path, typer.Option(help="csv or JSON lines: file, competition, score, direction[, task, data_type, metric].")
    ],
    out: Annotated[Path, typer.Option(help="JSON lines to write; OUT.llm beside it keeps every exchange.")],
    model: Annotated[str, typer.Option(help="As --model of agents.run: openai:NAME, ollama:NAME, hf:FOLDER, ...")],
    usd: Annotated[float | None, typer.Option(min=0, help="What all calls may cost together, in US dollars.")] = None,
    price: Annotated[
        tuple[float, float] | None, typer.Option(help="USD per million tokens in and out, where no table knows it.")
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask at most so many further notebooks.")] = None,
    parallel: Annotated[int, typer.Option(min=1, max=64, help="Notebooks that are asked at the same time.")] = 4,
) -> None:
    """Turn notebooks of past competitions into ranked instructions; the same call goes on where it stopped."""
    console = Console(highlight=False)
    console = console if console.is_terminal else Console(highlight=False, width=WIDTH)
    try:
        with ExitStack() as stack:
            listed = read_scores(scores, notebooks)
            loaded = _model(model, price, usd)
            stack.callback(loaded.close)
            records = Records(stack.enter_context(_owned(out)))
            gate = Gate({ROLE: model}, {model: loaded}, records, Watch(console, 0).gate, usd=usd)
            same_model(gate, model, out)
            extraction = Extraction(listed, out, gate)
            whole, stopped = _extract(extraction, loaded, console, limit, parallel)
    except TaskError as fault:
        _fail(str(fault), BAD_INPUT)
    except OSError as fault:
        _fail(
            f"{out}: cannot be written ({fault}); make room or name another --out; nothing answered is lost.", MACHINE
        )
    for line in closing_lines(extraction, extraction.outcome):
        console.print(line, markup=False, soft_wrap=True)
    if stopped and not whole:
        _fail(f"Stopped. Go on with: python -m ranker.extract {shlex.join(sys.argv[1:])}", INTERRUPTED)
    raise typer.Exit(0 if whole else INCOMPLETE)


def _extract(
    extraction: Extraction, loaded: Loaded, console: Console, limit: int | None, parallel: int
) -> tuple[bool, bool]:
    """Ask and write. Whether every notebook that was to be asked has its instruction, and whether we were stopped."""
    outcome = extraction.outcome
    with stoppable(extraction.gate.close) as stopping:
        chosen = extraction.recall(limit)
        try:
            if chosen:
                with watching(console, len(chosen)) as watch:
                    extraction.gate.say = watch.gate
                    watch.leaves(loaded)
                    extraction.ask(chosen, parallel, watch.ended)
        finally:
            extraction.write()
    left = {listed.file for listed in chosen} & {*outcome.waiting}
    return not (left or outcome.failed or outcome.lost), stopping.is_set()


def _model(text: str, price: tuple[float, float] | None, usd: float | None) -> Loaded:
    """The model; nothing is sent yet. Raises: TaskError."""
    if price and not all(0 <= usd_a_million < math.inf for usd_a_million in price):
        raise TaskError(f"--price {price[0]:g} {price[1]:g}: write two prices in USD of at least 0.")
    given = {text: PriceSpec(input=price[0], output=price[1])} if price else {}
    name = parse_model(text)
    if name.provider in ("none", "replay"):
        raise TaskError(f"--model {text}: is no model that can be asked; name one such as openai:NAME or hf:FOLDER.")
    loaded = load_model(name, given)
    if usd is not None and loaded.price is None:
        raise TaskError(f"--usd {usd:g}: no price of {text} is known; add --price IN OUT, or leave --usd out.")
    return loaded


@contextmanager
def _owned(out: Path) -> Iterator[Path]:
    """The folder of the records of `out`, locked for this process.

    Raises: TaskError where `out` is somebody else's file, or another process works on it.
    """
    folder = out.with_name(f"{out.name}.llm")
    if out.exists() and not (out.is_file() and folder.is_dir()):
        raise TaskError(f"--out {out}: is there already and was not made by this command; name another file.")
    folder.mkdir(parents=True, exist_ok=True)
    try:
        file = locked(folder / "lock")
    except BlockingIOError:
        raise TaskError(f"--out {out}: another process works on it; wait for it or stop it.") from None
    with file:
        yield folder


def _fail(sentence: str, code: int) -> NoReturn:
    print(sentence, file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
