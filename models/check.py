"""`python -m models.check MODEL`: make one tiny call and say what works."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import BaseModel, ConfigDict

from grading.base import TaskError
from grading.task import PriceSpec
from models.answers import read_json
from models.base import NoAnswer, Question
from models.gate import Gate
from models.load import Loaded, load_model
from models.names import parse_model
from models.records import Record, Records

BAD_INPUT, SILENT = 2, 3
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Sum(BaseModel):
    """The answer to the one question."""

    model_config = ConfigDict(extra="forbid")

    sum: int


@app.command()
def main(
    model: Annotated[str, typer.Argument(help="As --model of agents.run: openai:NAME, ollama:NAME, hf:FOLDER, ...")],
    price: Annotated[
        tuple[float, float] | None, typer.Option(help="USD per million tokens in and out, where no table knows it.")
    ] = None,
) -> None:
    """Make one tiny call of a model and say what works: an answer, structured output, usage, price."""
    given = {model: PriceSpec(input=price[0], output=price[1])} if price else {}
    try:
        name = parse_model(model, "MODEL")
        if name.provider in ("none", "replay"):
            raise TaskError(f"{model} is no model that can be asked; name one such as openai:NAME or hf:FOLDER.")
        loaded = load_model(name, given)
    except TaskError as fault:
        _fail(str(fault), BAD_INPUT)
    try:
        with tempfile.TemporaryDirectory() as folder:
            lines, works = check(loaded, Records(Path(folder)))
    finally:
        loaded.close()
    print("\n".join(lines))
    if not works:
        raise typer.Exit(SILENT)


def check(loaded: Loaded, records: Records) -> tuple[list[str], bool]:
    """Ask once; what works, a line each, and whether the model can be used."""
    gate = Gate({"check": loaded.name.text}, {loaded.name.text: loaded}, records, _ignore)
    question = Question(
        key="check",
        role="check",
        template="check",
        variables={},
        read=lambda text: read_json(text, Sum),
        schema=Sum,
        max_tokens=2_000,
    )
    name = f"{loaded.name.text} ({loaded.where})"
    try:
        verdict = "rightly" if gate.ask(question).sum == 42 else "WRONGLY"
    except NoAnswer as fault:
        [record] = records.all()
        if not record.exchanges or record.exchanges[-1].reply is None:
            return [f"{name} does not answer: {fault.why}"], False
        return [f"{name} answers, but not what is asked: {fault.why}", *_findings(loaded, record)], False
    [record] = records.all()
    seconds = sum(exchange.seconds for exchange in record.exchanges)
    return [f"{name} answers: {verdict}, in {seconds:.1f} s.", *_findings(loaded, record)], True


def _findings(loaded: Loaded, record: Record) -> list[str]:
    last = record.exchanges[-1]
    usage = last.reply.usage if last.reply else None
    refused = [exchange for exchange in record.exchanges if exchange.trouble in ("form", "bad")]
    form = "no: the server refuses a schema; JSON is asked for in words" if refused else "yes"
    form = f"no: {record.why}" if record.failure else form
    counted = "not counted by the server: estimated by length" if usage is None or usage.estimated else "counted"
    tokens = f" ({usage.prompt} + {usage.completion} tokens)" if usage else ""
    price = "not known: give it in the task's prices (--usd is refused without)"
    if loaded.price:
        price = f"{last.usd:.6f} USD for this call, by {loaded.price.source}"
    return [f"Structured output: {form}.", f"Usage: {counted}{tokens}.", f"Price: {price}."]


def _ignore(_: dict[str, Any]) -> None:
    pass


def _fail(sentence: str, code: int) -> None:
    print(sentence, file=sys.stderr)
    raise typer.Exit(code)


if __name__ == "__main__":
    app()
