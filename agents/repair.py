"""repair: from a script that failed to one that may not. A recipe has its safe variant; a model mends all others."""

from __future__ import annotations

import builtins
from collections.abc import Sequence
from dataclasses import dataclass

from agents.brief import Brief, sample, shown
from agents.scripts import Draft, changed_script
from agents.write import SCRIPT_TOKENS
from models.base import Data, Mind, Question
from models.secrets import redact
from sandbox.base import ExecutionResult

MAX_TRIES = 3
"""Tries of one attempt, the first one included."""
AROUND = 3
"""Lines of the script that are shown before and after the one that failed."""
TRACEBACK_CHARACTERS = 2_500
PRINTED_CHARACTERS = 1_500
_ADVICE = {
    "timeout": "It must be several times faster: fewer folds, models, trees or rows, or cheaper features. Keep in mind "
    "TIME_LIMIT_S, and write a first submission early.",
    "out_of_memory": "It must use several times less memory: sparse or float32 data, fewer columns, no copies, fewer "
    "processes side by side.",
    "killed": "Its process was killed from within: leave out what forks, ends or signals processes.",
    "output_limit": "It printed far too much: print a few lines only.",
}


@dataclass(frozen=True)
class Failed:
    """A try that did not count."""

    code: str
    result: ExecutionResult
    faults: Sequence[str]
    """Why it did not count: the error, or what is wrong with its submission."""
    limit: float
    """Seconds that it was allowed."""
    tried: Sequence[str] = ()
    """What earlier repairs of this attempt changed, and how those ended."""


def repair(mind: Mind, brief: Brief, failed: Failed, attempt: str, tries: int) -> Draft:
    """The next script to try after `tries` failed ones.

    Raises: NoAnswer, ReplayDiffers.
    """
    result = failed.result
    invalid, tail = result.status == "ok", _tail(result)
    variables = brief.about() | brief.contract() | {
        "script": shown(failed.code),
        "status": "invalid submission" if invalid else result.status,
        "seconds": f"{result.seconds:.1f}",
        "limit": f"{failed.limit:.0f}" if result.status == "timeout" else "",
        "error": [sample("\n".join(failed.faults), TRACEBACK_CHARACTERS)] if invalid else _error(failed),
        "lines": shown(failing_lines(failed.code, result.error.line)) if result.error and result.error.line else None,
        "printed": Data(tail, "output", PRINTED_CHARACTERS) if tail else None,
        "tried": sample("\n".join(failed.tried)) if failed.tried else None,
        "advice": _ADVICE.get(result.status, ""),
    }  # fmt: skip
    read = changed_script(failed.code, brief.profile.modules)
    key = f"{attempt}/repair-{tries}"
    return mind.ask(Question(key, "repair", "repair", variables, read, max_tokens=SCRIPT_TOKENS, seconds=brief.seconds))


def failing_lines(code: str, line: int) -> str:
    """The lines around one, numbered, with a mark at it."""
    lines = code.splitlines()
    first, last = max(1, line - AROUND), min(len(lines), line + AROUND)
    return "\n".join(f"{'>' if n == line else ' '} {n:4d} {lines[n - 1]}" for n in range(first, last + 1))


def own_frames(traceback: str) -> str:
    """A traceback without the frames of libraries but the last one: what failed is the script's, not theirs."""
    parts = traceback.split("\n\n")
    library = [n for n, part in enumerate(parts) if part.lstrip().startswith("File ")]
    left_out = set(library[:-1])
    kept = [part for n, part in enumerate(parts) if n not in left_out]
    if left_out:
        kept.insert(kept.index(parts[library[-1]]), f"  [... {len(left_out)} frames of libraries ...]")
    return "\n\n".join(kept)


def _error(failed: Failed) -> list[Data]:
    """The kind of an error leaves at any level; its message and traceback may hold cells, so they do not."""
    error = failed.result.error
    if error is None:
        return [sample("\n".join(failed.faults), TRACEBACK_CHARACTERS)]
    # A script may name an exception of its own after a cell, so only Python's are told at every level.
    known = isinstance(getattr(builtins, error.type, None), type)
    kind = (error.type if known else "an exception") if failed.result.status == "error" else "it was stopped"
    first = Data(f"{kind} in line {error.line}" if error.line else kind)
    frames = own_frames(error.traceback).strip()
    texts = [frames] if error.message in frames else [error.message, frames]  # the traceback ends with the message
    return [first, *(sample(text, TRACEBACK_CHARACTERS) for text in texts if text)]


def _tail(result: ExecutionResult) -> str:
    """The end of what was printed, "" where nothing was."""
    # Secrets go before the text is cut: half of one would not be known as such.
    texts = [redact(text)[-PRINTED_CHARACTERS:] for text in (result.stdout, result.stderr)]
    return "\n".join(text for text in texts if text.strip())
