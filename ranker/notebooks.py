"""What a model is shown of a notebook: its code first, its words where there is room, its outputs never."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, ValidationError

from sandbox.elide import clean, elide

SUFFIXES = (".ipynb", ".py")
MAX_BYTES = 20_000_000
"""A larger file is not read. Notebooks are large by their outputs, which are of no use here."""
ROOM = 24_000
"""Characters of one notebook that are shown: about 8,000 tokens."""
LONGEST_LINE = 300
"""Characters of one line: longer ones are tables, keys or pictures written as text."""
LOOKING_ROOM = 160
"""Characters of a cell that only looks at the data, where not all code fits."""
NOTE_ROOM = 300
"""Characters of a cell of words."""
SHORTEST_NOTE = 40
"""Where less room than this is left for each, words are left out."""
_LOOKS = re.compile(r"\b(?:plt|sns|px|go|fig|ax)\.|\.(?:plot|hist|head|tail|describe|info|value_counts|isnull)\(")
_WORKS = re.compile(
    r"\.(?:fit|predict|transform|compile|train|to_csv)\w*\(|^[ \t]*(?:def|class)\b|\][ \t]*=[^=]", re.MULTILINE
)
_MAGIC = re.compile(r"[ \t]*[%!]")


class NotebookError(ValueError):
    """A notebook cannot be used. The text says why and does not name it."""


@dataclass(frozen=True)
class Cell:
    """A cell as its author wrote it."""

    code: bool
    """Else it is words."""
    text: str

    @property
    def looks(self) -> bool:
        """Whether it prints or draws something and brings nothing that a later cell could use."""
        return bool(_LOOKS.search(self.text)) and not _WORKS.search(self.text)


class _RawCell(BaseModel):
    """A cell of nbformat 4, or of 3, which says `input`. All else in it, outputs too, is read over."""

    model_config = ConfigDict(extra="ignore")

    cell_type: str
    source: str | list[str] = Field(default="", validation_alias=AliasChoices("source", "input"))


class _Sheet(BaseModel):
    model_config = ConfigDict(extra="ignore")

    cells: list[_RawCell] = []


class _Notebook(_Sheet):
    worksheets: list[_Sheet] = []
    """Where nbformat 3 keeps its cells."""


def read_notebook(path: Path) -> list[Cell]:
    """The cells of an .ipynb file, or the paragraphs of a .py file, in order; at least one of them is code.

    Raises: NotebookError.
    """
    data = _bounded(path)
    cells = list(_paragraphs(data) if path.suffix == ".py" else _cells(data))
    if not any(cell.code for cell in cells):
        raise NotebookError("it holds no code")
    return cells


def shown(cells: Sequence[Cell], room: int = ROOM) -> str:
    """The cells as one text of about `room` characters: words as comments, what is cut says by how much.

    Code that only looks at the data is cut first, then the longest cells; words get what room code leaves.
    """
    lengths = [len(cell.text) for cell in cells if cell.code]
    if sum(lengths) > room:
        cells = [_glimpse(cell) for cell in cells]
        lengths = [len(cell.text) for cell in cells if cell.code]
    most = _level(lengths, room)
    left = room - sum(min(length, most) for length in lengths)
    most_words = _level([min(len(cell.text), NOTE_ROOM) for cell in cells if not cell.code], left)
    return "\n\n".join(part for cell in cells if (part := _part(cell, most, most_words)))


def _part(cell: Cell, most: int, most_words: int) -> str:
    if cell.code:
        return _cut(cell.text, most)
    words = " ".join(cell.text.split())
    return f"# [words] {words[:most_words]}" if most_words >= min(SHORTEST_NOTE, len(words)) else ""


def _glimpse(cell: Cell) -> Cell:
    return replace(cell, text=_cut(cell.text, LOOKING_ROOM)) if cell.code and cell.looks else cell


def _cut(text: str, most: int) -> str:
    """`elide` leaves out one character of a text that just fits, where its length is odd."""
    return text if len(text) <= most else elide(text, most)


def _level(lengths: Sequence[int], room: int) -> int:
    """The largest length to which all can be cut so that they fit: the short ones stay whole."""
    left, many = room, len(lengths)
    for length in sorted(lengths):
        if length * many > left:
            return left // many
        left, many = left - length, many - 1
    return max(lengths, default=0)


def _bounded(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as fault:
        raise NotebookError(f"it cannot be read ({fault.strerror or type(fault).__name__})") from None
    if len(data) > MAX_BYTES:
        raise NotebookError(f"it has more than {MAX_BYTES // 1_000_000} MB; clear its outputs")
    return data.removeprefix(b"\xef\xbb\xbf")


def _cells(data: bytes) -> Iterator[Cell]:
    try:
        notebook = _Notebook.model_validate_json(data)
    except ValidationError:
        raise NotebookError("it is no notebook in JSON; save it anew from Jupyter") from None
    for raw in [*notebook.cells, *(cell for sheet in notebook.worksheets for cell in sheet.cells)]:
        code = raw.cell_type == "code"
        text = _tidy(raw.source if isinstance(raw.source, str) else "".join(raw.source))
        if text and (code or raw.cell_type in ("markdown", "heading")):
            yield Cell(code, text)


def _paragraphs(data: bytes) -> Iterator[Cell]:
    """A script in pieces that begin at the left edge after a blank line, so that its middle is not cut as a whole."""
    piece: list[str] = []
    for line in _tidy(data.decode("utf-8", "replace")).split("\n"):
        if piece and not piece[-1] and line[:1].strip():
            yield Cell(True, "\n".join(piece).rstrip())
            piece = []
        piece.append(line)
    if any(piece):
        yield Cell(True, "\n".join(piece))


def _tidy(source: str) -> str:
    """Without magics, commands of a shell, endless lines and repeated blank ones."""
    lines: list[str] = []
    for line in clean(source).splitlines():
        if _MAGIC.match(line) or not (line.strip() or (lines and lines[-1])):
            continue
        lines.append(_cut(line.rstrip(), LONGEST_LINE).replace("\n", " "))
    return "\n".join(lines).rstrip()
