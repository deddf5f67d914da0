"""`python -m sandbox.doctor [--prune] [--json]`: what of the sandbox works here, what is wrong, and how to mend it.

Limits and walls are read in a container that is started for it, not believed. Exit codes: 0 all is well (warnings
included), 3 something is wrong.
"""

from __future__ import annotations

import json
import logging
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated

import docker
import typer

from sandbox.base import SandboxError
from sandbox.check_engine import Answer, ask_engine, check_disks, check_image
from sandbox.docker_sandbox import DockerSandbox
from sandbox.finding import Finding, Mark
from sandbox.judge import (
    judge_calls,
    judge_isolation,
    judge_limits,
    judge_pool,
    judge_speed,
    judge_walls,
    judge_work,
)
from sandbox.leftovers import Leftover, discard_all, find_leftovers
from sandbox.pool import most_idle
from sandbox.probe import PROBE_LIMITS, measure, measure_warm

OK, MACHINE = 0, 3
"""Exit codes."""
SCRATCH_LOG, POOL_LOG = "sandbox.scratch", "sandbox.pool"
_PRUNE = "python -m sandbox.doctor --prune"
_SHOWN = 5
_MARKS: dict[Mark, tuple[str, str]] = {
    "ok": ("ok", "green"),
    "note": ("note", "cyan"),
    "warn": ("warn", "yellow"),
    "wrong": ("WRONG", "red"),
}


@dataclass
class Visit:
    """What one call of the doctor has seen so far."""

    prune: bool
    answer: Answer | None = None
    image: str | None = None
    left: list[Leftover] = field(default_factory=list)
    """What was left when it began."""
    removed: int = 0
    complaints: dict[str, list[str]] = field(default_factory=lambda: {SCRATCH_LOG: [], POOL_LOG: []})
    """Warnings that the sandbox logged meanwhile, by the name of the log."""


def examine(visit: Visit) -> Iterator[Finding]:
    """Every check in turn; what is found is told at once."""
    yield from _safely("engine", lambda: _engine(visit))
    yield from _safely("leftovers", lambda: _first_look(visit))
    yield from _safely("image", lambda: _image(visit))
    yield from _safely("disk", lambda: check_disks(visit.answer.root_folder if visit.answer else ""))
    yield from _safely("probe", lambda: _probe(visit))
    yield from _safely("leftovers", lambda: _last_look(visit))


def _safely(what: str, check: Callable[[], Iterable[Finding]]) -> Iterator[Finding]:
    """The check's findings; a failing machine is a finding too."""
    try:
        yield from check()
    except (SandboxError, OSError) as error:
        found, _, mend = str(error).rpartition("; ")  # our sentences end with what to do
        yield Finding("wrong", what, found or mend, mend=mend if found else "")


def _engine(visit: Visit) -> Iterator[Finding]:
    visit.answer, finding = ask_engine()
    yield finding


def _image(visit: Visit) -> Iterator[Finding]:
    if visit.answer:
        visit.image, finding = check_image(visit.answer.client)
        yield finding


def _probe(visit: Visit) -> Iterator[Finding]:
    answer = visit.answer
    if not answer or not visit.image:
        yield Finding("note", "probe", "limits, walls and the pool are not checked: nothing can be started")
        return
    with DockerSandbox(visit.image) as sandbox:
        measured = measure(sandbox, answer.client)
        yield from judge_limits(PROBE_LIMITS, measured)
        yield judge_work(PROBE_LIMITS, measured, visit.complaints[SCRATCH_LOG])
        yield from judge_walls(measured)
        yield judge_calls(measured, answer.words)
        yield judge_isolation(measured, answer.words)
        yield judge_speed(measured)
        yield _pool(visit, sandbox, answer)


def _pool(visit: Visit, sandbox: DockerSandbox, answer: Answer) -> Finding:
    if not most_idle(answer.ram_mb):
        return Finding("note", "warm pool", f"not used: {answer.ram_mb} MiB of memory have no room for one that waits")
    complaints = visit.complaints[POOL_LOG]
    return judge_pool(measure_warm(sandbox, answer.client, lambda: bool(complaints)), complaints)


def _first_look(visit: Visit) -> Iterator[Finding]:
    """Before anything of ours is started: opening a sandbox sweeps too."""
    visit.left = find_leftovers(_client(visit))
    faults = discard_all(visit.left) if visit.prune else []
    for fault in faults:
        yield Finding("warn", "leftovers", f"could not be removed: {fault}")


def _last_look(visit: Visit) -> Iterator[Finding]:
    """What is left now, and what has gone meanwhile."""
    now = find_leftovers(_client(visit))
    gone = [leftover for leftover in visit.left if leftover not in now]
    sure, unsure = [item for item in now if item.sure], [item for item in now if not item.sure]
    visit.removed = len(gone)
    if gone:
        how = "removed" if visit.prune else "swept when the probe opened its sandbox, as at every opening"
        yield Finding("ok", "leftovers", f"{_count(gone)} {how}", data={"removed": _names(gone)})
    if sure:
        means = "they take disk or memory, and serve nobody"
        mend = "see above" if visit.prune else _PRUNE
        yield Finding(
            "warn", "leftovers", f"{_count(sure)} that dead processes left", means, mend, {"left": _names(sure)}
        )
    if unsure:
        found = (
            f"{_count(unsure)} that may belong to a living process are left alone: {', '.join(_names(unsure)[:_SHOWN])}"
        )
        yield Finding(
            "note",
            "leftovers",
            found,
            mend="remove them by hand when nothing of ours runs",
            data={"unsure": _names(unsure)},
        )
    if not (gone or now):
        unseen = "" if visit.answer else " of what can be seen without an engine"
        yield Finding("ok", "leftovers", f"none{unseen}")


def _client(visit: Visit) -> docker.DockerClient | None:
    return visit.answer.client if visit.answer else None


def _count(leftovers: Iterable[Leftover]) -> str:
    counted = Counter(leftover.kind for leftover in leftovers)
    return ", ".join(f"{number} {kind}{'s' if number > 1 else ''}" for kind, number in counted.items())


def _names(leftovers: Iterable[Leftover]) -> list[str]:
    return [f"{leftover.kind} {leftover.name}" for leftover in leftovers]


def _say(finding: Finding) -> None:
    """A line for what was found, and one each for what it means and how to mend it."""
    word, colour = _MARKS[finding.mark]
    lines = [f"{typer.style(f'{word:<5}', fg=colour)}  {finding.what:<15} {finding.found}"]
    lines += [f"{'':<23}{text}" for text in (finding.means, finding.mend and f"-> {finding.mend}") if text]
    for line in lines:
        typer.echo(_printable(line))


def _printable(text: str) -> str:
    """Names of files may hold what the terminal cannot show."""
    encoding = sys.stdout.encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


class _Keeper(logging.Handler):
    """Keeps what the sandbox logs, so that it is told as a finding and not between the lines."""

    def __init__(self, kept: dict[str, list[str]]) -> None:
        super().__init__(logging.WARNING)
        self._kept = kept

    def emit(self, record: logging.LogRecord) -> None:
        self._kept.setdefault(record.name, []).append(record.getMessage())


def main(
    prune: Annotated[bool, typer.Option("--prune", help="Remove what dead processes of ours left behind.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of lines.")] = False,
) -> None:
    """See whether the sandbox works on this machine, what is wrong, and how to mend it."""
    visit = Visit(prune)
    logging.getLogger("sandbox").addHandler(_Keeper(visit.complaints))
    logging.getLogger("sandbox").propagate = False
    findings = []
    for finding in examine(visit):
        findings.append(finding)
        if not as_json:
            _say(finding)
    marks = Counter(finding.mark for finding in findings)
    if as_json:
        told = {
            "ok": not marks["wrong"],
            "removed": visit.removed,
            "checks": [finding.as_json() for finding in findings],
        }
        typer.echo(json.dumps(told))
    else:
        typer.echo(_verdict(marks))
    raise typer.Exit(MACHINE if marks["wrong"] else OK)


def _verdict(marks: Counter[Mark]) -> str:
    if marks["wrong"]:
        return f"{marks['wrong']} wrong, {marks['warn']} to be looked at."
    return f"All is well, {marks['warn']} to be looked at." if marks["warn"] else "All is well."


if __name__ == "__main__":
    typer.run(main)
