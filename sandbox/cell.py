"""What one cell said and how it ended, gathered from the relay's frames within fixed bounds."""

from __future__ import annotations

import base64
import binascii
import re
import signal
from collections.abc import Mapping
from typing import Any

from sandbox.base import ExecutionResult, ScriptError, Status
from sandbox.elide import Elided, clean, elide

MAX_PICTURES = 20
MAX_PICTURE_BYTES = 5 * 2**20

_PNG = b"\x89PNG\r\n\x1a\n"
_FRAME_COST = 100
"""Bytes that a frame counts at least, so that a flood of empty ones is a flood too."""
_TRACEBACK_KEPT = 10_000
_MESSAGE_KEPT = 2_000
_SCRIPT_LINE = re.compile(r"Cell In\s?\[\d{1,7}\], line (\d{1,7})")


class Cell:
    """Collects one cell's output. Its fields are claims of the container; the time and memory come from elsewhere."""

    def __init__(self, name: str, output_bytes: int) -> None:
        self.name = name
        self.replied = False
        self.idle = False
        self.exited = False
        """The kernel has ended."""
        self.error: ScriptError | None = None
        self._room = output_bytes
        self._texts = {"stdout": Elided(), "stderr": Elided()}
        self._pictures: list[bytes] = []

    @property
    def flooded(self) -> bool:
        """Whether it has printed more than it may."""
        return self._room < 0

    @property
    def ended(self) -> bool:
        """Whether nothing more needs to be waited for."""
        return self.replied or self.exited or self.flooded

    def take(self, frame: Mapping[str, Any]) -> None:
        """Take in one frame; frames of other cells only count as output."""
        kind = frame.get("kind")
        if kind == "exit":
            self._take_exit(frame)
        elif kind == "picture" and self._take_picture(frame):
            return
        elif kind in ("reply", "idle") and frame.get("cell") == self.name:
            self._take_end(frame)
        elif kind == "text" and frame.get("cell") == self.name:
            self._take_text(frame)
        self._room -= max(_FRAME_COST, _number(frame.get("size")), len(_text(frame.get("data"))))

    def result(self, status: Status, seconds: float, peak_mb: float | None) -> ExecutionResult:
        """The cell as a value."""
        texts = {name: clean(text.text()) for name, text in self._texts.items()}
        return ExecutionResult(
            status, self.error, texts["stdout"], texts["stderr"], seconds, peak_mb, list(self._pictures)
        )

    def _take_text(self, frame: Mapping[str, Any]) -> None:
        text = self._texts["stderr" if frame.get("name") == "stderr" else "stdout"]
        piece, tail = _text(frame.get("text")), _text(frame.get("tail"))
        self._room -= max(0, len(piece) + len(tail) - _number(frame.get("size")))
        text.add(clean(piece), _number(frame.get("cut")), clean(tail))

    def _take_picture(self, frame: Mapping[str, Any]) -> bool:
        if len(self._pictures) >= MAX_PICTURES or frame.get("cell") != self.name:
            return False
        try:
            data = base64.b64decode(_text(frame.get("data")))
        except (binascii.Error, ValueError):
            return False
        if not data.startswith(_PNG) or len(data) > MAX_PICTURE_BYTES:
            return False
        self._pictures.append(data)
        return True

    def _take_end(self, frame: Mapping[str, Any]) -> None:
        if frame.get("kind") == "idle":
            self.idle = True
            return
        self.replied = True
        if frame.get("status") != "ok":
            self.error = _script_error(frame)

    def _take_exit(self, frame: Mapping[str, Any]) -> None:
        self.exited = True
        if self.error is None and not self.replied:
            log = elide(clean(_text(frame.get("log"))), _TRACEBACK_KEPT)
            self.error = ScriptError("ProcessEnded", _describe_exit(_number(frame.get("code"), -1)), log, None)


def _script_error(frame: Mapping[str, Any]) -> ScriptError | None:
    """The exception of a reply; None for `sys.exit()` and `sys.exit(0)`, which are a script's good end."""
    kind, message = _text(frame.get("type")) or "Error", _text(frame.get("message"))
    if kind == "SystemExit" and message in ("", "0", "None"):
        return None
    traceback = clean(_text(frame.get("traceback")))
    lines = _SCRIPT_LINE.findall(traceback)
    return ScriptError(
        clean(kind)[:200],
        elide(clean(message), _MESSAGE_KEPT),
        elide(traceback, _TRACEBACK_KEPT),
        int(lines[-1]) if lines else None,
    )


def _describe_exit(code: int) -> str:
    if code >= 0:
        return f"The Python process ended itself with exit code {code} before the script was through."
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"The Python process was ended by {name}."


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _number(value: object, default: int = 0) -> int:
    return value if isinstance(value, int) and abs(value) < 2**53 else default
