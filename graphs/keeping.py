"""What a try leaves in the run folder: output, result, plots and predictions, as files of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from sandbox.base import ExecutionResult, FetchedFile
from sandbox.files import write_atomically
from sandbox.script import ScriptRun

RESULT, PREDICTIONS, OUTPUT = "result.json", "predictions.csv", "output.txt"
MAX_FAULT_CHARACTERS = 2_000
"""A fault in state is a sentence or a traceback's end; the whole of it is in result.json."""
_RESULT = TypeAdapter(ExecutionResult)


def keep(home: Path, ran: ScriptRun, png: Callable[[bytes], bytes | None]) -> Path | None:
    """Write what came out below `home`, pictures as `png` makes them anew; the predictions, where there are any."""
    result = ran.result
    write_atomically(home / OUTPUT, f"{result.stdout}\n{result.stderr}".encode())
    for number, plot in enumerate(result.plots, start=1):
        picture = png(plot)
        if picture:
            write_atomically(home / "plots" / f"{number:02d}.png", picture)
    record = asdict(replace(result, plots=[])) | {"plots": len(result.plots), "fault": ran.output.fault}
    write_atomically(home / RESULT, json.dumps(record, indent=1).encode())
    if ran.output.data is None:
        return None
    write_atomically(home / PREDICTIONS, ran.output.data)
    return home / PREDICTIONS


def kept(home: Path) -> ScriptRun:
    """What `keep` wrote.

    Raises: FileNotFoundError, ValueError where it is no such record.
    """
    record: dict[str, Any] = json.loads((home / RESULT).read_text())
    fault = record.pop("fault", None)
    record["plots"] = []
    try:
        result = _RESULT.validate_python(record)
    except ValidationError as error:
        raise ValueError(f"{home / RESULT} is no result of a script") from error
    predictions = home / PREDICTIONS
    data = predictions.read_bytes() if predictions.exists() else None
    return ScriptRun(replace(result, plots=plots(home)), FetchedFile(data, None if data is not None else fault))


def plots(home: Path) -> list[bytes]:
    """The pictures of a try on a view, as the grader wrote them anew."""
    return [path.read_bytes() for path in sorted((home / "plots").glob("*.png"))]


def faults_of(ran: ScriptRun) -> list[str]:
    """Why nothing was taken out, for people and for repair; empty where something was."""
    if ran.output.data is not None:
        return []
    result = ran.result
    raised = result.error if result.status == "error" else None
    first = f"{raised.type}: {raised.message}" if raised else f"{result.status} after {result.seconds:.0f} s"
    return [text[:MAX_FAULT_CHARACTERS] for text in (first, ran.output.fault or "") if text]
