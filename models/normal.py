"""When are two prompts the same? What varies by itself from run to run does not count."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

from models.chat import Message

_VARYING = (
    (re.compile(r"0x[0-9a-fA-F]{4,}"), "0x#"),  # addresses
    (re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d)?"), "#time"),
    (re.compile(r"\b\d+(?:\.\d+){2,}(?:[a-z.+-]+\d*)*"), "#version"),
    (re.compile(r"-?\b\d+\.\d+(?:e[+-]?\d+)?\b"), "#.#"),  # seconds, scores, short versions
    (re.compile(r"\b\d+ ?(s|ms|seconds|minutes|MiB|MB|kB)\b"), r"# \1"),
    (re.compile(r"/tmp/[\w./-]+"), "/tmp/#"),
)


def normal(text: str) -> list[str]:
    """The lines of `text` without times, addresses, versions and decimals, in an order of their own.

    The order of lines is left out of account too: results of scripts that ran side by side arrive in any order.
    """
    for pattern, instead in _VARYING:
        text = pattern.sub(instead, text)
    return sorted(line.strip() for line in text.splitlines() if line.strip())


def fingerprint(messages: Sequence[Message]) -> str:
    """The same for conversations that differ only in what varies by itself."""
    digest = hashlib.sha256()
    for message in messages:
        digest.update("\n".join([message.role, *normal(message.content), ""]).encode())
    return digest.hexdigest()[:16]


def difference(ours: str, recorded: str) -> str:
    """The first line of each that the other has not."""
    mine, theirs = Counter(normal(ours)), Counter(normal(recorded))
    new, gone = next(iter(mine - theirs), ""), next(iter(theirs - mine), "")
    return f"now {new[:160]!r}, recorded {gone[:160]!r}"
