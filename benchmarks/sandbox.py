"""What a session of the sandbox costs, beside the limit of this machine and beside other executors, in one run.

`python -m benchmarks.sandbox`: rounds in which each contender has its turn: a start with its first output, further
cells, the end, and a start whose first cell needs pandas and scikit-learn. Ours run with the default limits, the others
with their own defaults (none), in the same image plus a kernel gateway. Then many cells and many sessions, to see what
grows. The last line is one JSON object; times are medians in milliseconds.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.console import Console

from benchmarks.sandbox_contenders import Cold, Contender, Failed, Pooled, Trial, try_once
from benchmarks.sandbox_growth import over_cells, over_sessions
from benchmarks.sandbox_limit import Limit
from benchmarks.sandbox_peers_setup import NAMES, open_peers
from benchmarks.sandbox_summary import growth, medians, ratios, table, targets
from sandbox.base import SandboxError
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import Engine
from sandbox.image import ensure_image

CELLS = 30
"""After the first, in each round."""
ENOUGH = 4
"""Who fails so many times in a row is given up; on a busy machine the others often run out of their own patience."""
WIDTH = 110
"""Of the table, in characters."""
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    rounds: Annotated[int, typer.Option(min=1, help="How often each contender has its turn.")] = 7,
    cells: Annotated[int, typer.Option(min=0, help="Cells in one session, to see what grows; 0: none.")] = 1000,
    sessions: Annotated[int, typer.Option(min=0, help="Sessions in a row, to see what grows; 0: none.")] = 200,
    peers: Annotated[Path, typer.Option(help="Folder of the other executors' environment.")] = Path("build/peers"),
    lean: Annotated[bool, typer.Option("--lean-gateway", help="Spare the peers' gateway a slow import.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the JSON line only.")] = False,
) -> None:
    """Measure; print a table, and as the last line one JSON object."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    console = Console(highlight=False, stderr=as_json, width=WIDTH)
    load = os.getloadavg()[0]
    try:
        found, trials = measure(rounds, cells, sessions, peers.resolve(), lean=lean)
    except SandboxError as error:
        _say(str(error))
        raise typer.Exit(3) from error
    console.print(table(trials))
    found |= {"rounds": rounds, "cores": os.cpu_count(), "load_before": load, "load_after": os.getloadavg()[0]}
    print(json.dumps(found))


def measure(
    rounds: int, cells: int, sessions: int, folder: Path, *, lean: bool
) -> tuple[dict[str, Any], dict[str, list[Trial]]]:
    """All figures, and the trials that they come from. Raises: SandboxError."""
    image = ensure_image()
    faults: dict[str, str] = {}
    began = time.perf_counter()
    with DockerSandbox(image) as sandbox:
        opening = 1000 * (time.perf_counter() - began)
        with open_peers(folder, image, faults, lean=lean) as peers, _ours(sandbox, image) as ours:
            trials = compare([*ours, *peers], rounds, faults)
        _say(f"{cells} cells in one session, then {sessions} sessions.")
        many = [
            growth("cells", over_cells(sandbox, cells) if cells else None),
            growth("sessions", over_sessions(sandbox, sessions) if sessions else None),
        ]
    trials |= {name: [] for name in NAMES if name not in trials}
    found: dict[str, Any] = {**medians(trials), "opening_ms": round(opening, 1), **many[0], **many[1]}
    found |= {"cell_ms": found["ours_cold_cell_ms"], "close_ms": found["ours_cold_close_ms"]} | ratios(found)
    return found | {"targets": targets(found), "faults": faults, "image": image, "lean_gateway": lean}, trials


def compare(contenders: Sequence[Contender], rounds: int, faults: dict[str, str]) -> dict[str, list[Trial]]:
    """The trials of each; another begins each round. Why one did not work goes into `faults`."""
    trials: dict[str, list[Trial]] = {contender.name: [] for contender in contenders}
    failed = dict.fromkeys(trials, 0)
    for number in range(rounds):
        first = number % len(contenders)
        for contender in [*contenders[first:], *contenders[:first]]:
            if failed[contender.name] == ENOUGH:
                continue
            try:
                trials[contender.name].append(try_once(contender, CELLS))
                failed[contender.name] = 0
            except Failed as failure:
                contender.end()
                failed[contender.name] += 1
                faults[contender.name] = str(failure)
                _say(f"{contender.name}: {failure}")
        done = ", ".join(f"{name} {rows[-1].first:.0f}" for name, rows in trials.items() if rows)
        _say(f"round {number + 1} of {rounds}: {done} ms")
    return trials


@contextmanager
def _ours(sandbox: DockerSandbox, image: str) -> Iterator[list[Contender]]:
    """Ours, and the limits. The pool has a sandbox of its own, so that cold sessions find none."""
    with ExitStack() as stack:
        pooled = stack.enter_context(DockerSandbox(image))
        engine = Engine()
        stack.callback(engine.close)
        kinds: tuple[Literal["quick", "plain"], ...] = ("quick", "plain")
        ours: list[Contender] = [Cold(sandbox), Pooled(pooled), *(Limit(engine, image, kind) for kind in kinds)]
        for contender in ours:
            stack.callback(contender.end)
        yield ours


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    app()
