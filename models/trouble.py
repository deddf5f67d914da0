"""What went wrong with a call, whatever client said it: one word for the kind, one sentence for people."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import httpx

from models.base import Failure
from models.secrets import redact

PASSING: frozenset[Failure] = frozenset({"timeout", "rate", "server", "connection", "empty"})
"""Worth asking again."""
FINAL: frozenset[Failure] = frozenset({"auth", "quota", "missing"})
"""Asking again cannot help, today."""
MAX_MESSAGE = 300
"""Characters of a server's own words that are kept."""
_LOCAL: dict[str, Failure] = {
    "ContextTooLong": "context", "ChildDied": "connection", "OutOfMemory": "missing", "LocalModelError": "missing"
}  # fmt: skip
"""Exceptions of models.local, which is imported only where it is used."""
_CONTEXT = re.compile(r"context.{0,20}(length|window|size)|too (long|many tokens)|maximum.{0,20}tokens|n_ctx", re.I)
_QUOTA = re.compile(r"quota|billing|credit balance|payment", re.I)
_RATE = re.compile(r"rate.?limit", re.I)
"""A rate limit passes, also where its message names what to pay for a higher one."""
_FORM = re.compile(r"response_format|json_schema|output_config|structured|grammar|\bformat\b|schema", re.I)
_IMAGES = re.compile(r"image|vision|multimodal|multi-modal", re.I)
_TEMPERATURE = re.compile(r"temperature", re.I)
_SYSTEM = re.compile(r"system.{0,10}(role|message|turn|prompt)|role.{0,20}system|roles must alternate", re.I)
_TIMEOUT = re.compile(r"timed? ?out", re.I)


class Trouble(Exception):
    """A call that failed."""

    def __init__(self, kind: Failure, why: str, wait: float | None = None, billed: bool = False) -> None:
        super().__init__(why)
        self.kind = kind
        self.why = why
        self.wait = wait
        """Seconds that the server asks us to wait."""
        self.billed = billed
        """Whether the server may charge for it all the same."""


def trouble(fault: Exception) -> Trouble:
    """What an exception of a client means."""
    status = getattr(fault, "status_code", None)
    if isinstance(status, int) and status >= 400:
        return _refused(status, fault)
    text = said(fault)
    if isinstance(fault, httpx.TimeoutException) or _TIMEOUT.search(type(fault).__name__ + text):
        return Trouble("timeout", f"the server did not answer in time ({text})", billed=True)
    local = _LOCAL.get(type(fault).__name__)
    if local:
        return Trouble(local, text)
    return Trouble("connection", f"the connection broke or brought no proper reply ({text})", billed=True)


def said(fault: Exception) -> str:
    """The words of an exception: one line, bounded, without secrets."""
    text = " ".join(redact(str(fault) or type(fault).__name__).split())
    return text if len(text) <= MAX_MESSAGE else text[:MAX_MESSAGE] + " ..."


def _refused(status: int, fault: Exception) -> Trouble:
    text = f"the server answered {status}: {said(fault)}"
    words = f"{text} {getattr(fault, 'code', '') or ''} {getattr(fault, 'body', '') or ''}"
    if status in (401, 403):
        return Trouble("auth", text)
    if status == 402 or (status == 429 and _out_of_quota(words)):
        return Trouble("quota", text)
    if status == 429:
        return Trouble("rate", text, _wait(fault))
    if status == 404:
        return Trouble("missing", text)
    if status == 408:
        return Trouble("timeout", text, billed=True)
    if status >= 500:
        return Trouble("server", text, _wait(fault))
    return Trouble(_mistaken(status, words), text)


def _out_of_quota(words: str) -> bool:
    return "insufficient_quota" in words or bool(_QUOTA.search(words) and not _RATE.search(words))


def _mistaken(status: int, words: str) -> Failure:
    """Which part of a request was not to the server's liking."""
    if status == 413 or _CONTEXT.search(words):
        return "context"
    if _IMAGES.search(words):
        return "images"
    if _TEMPERATURE.search(words):
        return "temperature"
    if _SYSTEM.search(words):
        return "system"
    return "form" if _FORM.search(words) else "bad"


def _wait(fault: Exception) -> float | None:
    response: Any = getattr(fault, "response", None)
    headers: Mapping[str, str] = getattr(response, "headers", None) or {}
    for name, unit in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            return max(0.0, float(headers[name]) / unit)
        except (KeyError, ValueError):
            continue
    return None
