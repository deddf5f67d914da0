"""From a model's answer to a whole script that is worth a container. Prose is never taken for code."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise

from models.answers import blocks, spoken, unclosed
from models.base import BadAnswer
from recipes.render import parse

PYTHON = ("python", "py", "python3")
MAX_CHARACTERS = 200_000
"""A longer script is no script."""
LONGEST_CHANGE = 200
"""Characters of the sentence that says what was changed."""
MOST_MIDDLES = 20
"""Lines of one edit that are tried as the one between its two parts."""
_BEGIN = re.compile(r"^<{5,9} SEARCH[ \t]*\n", re.MULTILINE)
_MIDDLE = re.compile(r"^={5,9}[ \t]*\n", re.MULTILINE)
_END = re.compile(r"^>{5,9} REPLACE[ \t]*$", re.MULTILINE)
_CHANGE = re.compile(r"^[^\w\n]*Change:[^\w\n]*(.+)$", re.MULTILINE | re.IGNORECASE)
_NOTEBOOK = re.compile(r"\s*(?:\w+\s*=\s*)?[%!]")


@dataclass(frozen=True)
class Draft:
    """A script, and what was changed to make it."""

    code: str
    change: str = ""


def whole_script(modules: Sequence[str]) -> Callable[[str], Draft]:
    """Reads an answer that is one whole script; `modules` are what can be imported besides the standard library."""

    def read(answer: str) -> Draft:
        text = spoken(answer)
        return Draft(checked(_block(text), modules), _change(text))

    return read


def changed_script(before: str, modules: Sequence[str]) -> Callable[[str], Draft]:
    """Reads an answer that is a whole script, or edits of `before`."""

    def read(answer: str) -> Draft:
        text = spoken(answer)
        edits = _edits(text)
        code = _edited(before, edits) if edits else _block(text)
        if code.strip() == before.strip():
            raise BadAnswer("The script is the same as before; change it.")
        return Draft(checked(code, modules), _change(text))

    return read


def next_part(before: str, modules: Sequence[str], last: bool) -> Callable[[str], str]:
    """Reads an answer that is the next part of a script that begins with `before`; with `last` the script is whole."""

    def read(answer: str) -> str:
        part = _block(spoken(answer))
        if before and before.strip() in part:
            raise BadAnswer("It repeats the modules that are written already; answer with the new one alone.")
        if last:
            checked(f"{before}{part}", modules)
        else:
            _check_imports(f"{before}{part}", modules)
        return part

    return read


def checked(code: str, modules: Sequence[str]) -> str:
    """`code`, if it is a script that can be run.

    Raises: BadAnswer for what does not compile, imports what is not installed, or writes no submission.
    """
    _check_imports(code, modules)
    if "submission.csv" not in code:
        raise BadAnswer("The script never writes submission.csv.")
    return code.strip() + "\n"


def _check_imports(code: str, modules: Sequence[str]) -> None:
    """Raises: BadAnswer for what does not compile or imports what is not installed."""
    missing = sorted({name for name in _imports(_tree(code)) if not _importable(name, modules)})
    if missing:
        raise BadAnswer(f"These modules are not installed and cannot be: {', '.join(missing)}. Do without them.")


def _tree(code: str) -> ast.Module:
    """The syntax tree of a script. Raises: BadAnswer."""
    if len(code) > MAX_CHARACTERS:
        raise BadAnswer(f"The script has {len(code)} characters; {MAX_CHARACTERS} are allowed.")
    try:
        return parse(code)
    except SyntaxError as fault:
        raise BadAnswer(f"The script does not compile: {_syntax(fault)}") from None
    except ValueError as fault:
        raise BadAnswer(f"The script does not compile: {fault}.") from None
    except (RecursionError, MemoryError):
        raise BadAnswer("The script does not compile: its expressions are nested too deeply.") from None


def _syntax(fault: SyntaxError) -> str:
    line = (fault.text or "").strip()[:120]
    where = f" in line {fault.lineno}: {line!r}" if fault.lineno else ""
    notebook = " It must be plain Python, without notebook commands such as %matplotlib or !pip."
    return f"{fault.msg}{where}.{notebook if _NOTEBOOK.match(line) else ''}"


def _whole(code: str) -> bool:
    """Whether no docstring is open at the end: only there can a script hold a line that looks like its block's end."""
    if all(code.count(quotes) % 2 == 0 for quotes in ('"""', "'''")):
        return True
    try:
        _tree(code)
    except BadAnswer:
        return False
    return True


def _block(text: str) -> str:
    """The one script of an answer: its longest Python block."""
    found = blocks(text, *PYTHON, whole=_whole) or blocks(text, "", whole=_whole)
    if unclosed(text, *PYTHON, whole=_whole) or (not found and unclosed(text, "")):
        raise BadAnswer("The code block has no end. Put the whole script into one such block.")
    if not found:
        raise BadAnswer("There is no block that begins with ```python. Put the whole script into one such block.")
    return max(found, key=len)


def _edits(text: str) -> list[str]:
    """What stands between the first and the last line of each edit. Raises: BadAnswer for one without its last line."""
    found: list[str] = []
    for part in _BEGIN.split(text)[1:]:
        end = _END.search(part)
        if end is None:
            raise BadAnswer("An edit does not end with a line `>>>>>>> REPLACE`.")
        found.append(part[: end.start()])
    return found


def _edited(before: str, edits: Sequence[str]) -> str:
    """`before` with every edit made.

    Raises: BadAnswer for one that does not apply, not in one place only, or to lines that another one changes.
    """
    code = before if before.endswith("\n") else f"{before}\n"
    changes = sorted(_place(code, edit) for edit in edits)
    if any(second[0] < first[1] for first, second in pairwise(changes)):
        raise BadAnswer("Two edits change the same lines; make one of them.")
    for start, end, instead in reversed(changes):
        code = code[:start] + instead + code[end:]
    return code


def _place(code: str, edit: str) -> tuple[int, int, str]:
    """Where an edit begins and ends in `code`, and what stands there instead.

    Both parts may hold lines like the one between them: the longest first part that occurs once is meant.
    """
    parts = [(edit[: m.start()], edit[m.end() :]) for m in islice(_MIDDLE.finditer(edit), MOST_MIDDLES)]
    if not parts:
        raise BadAnswer("An edit has no line `=======` between its two parts.")
    for search, instead in reversed(parts):
        places = _occurrences(code, search)
        if len(places) == 1:
            return places[0], places[0] + len(search), instead
    search = parts[0][0]
    times, shown = len(_occurrences(code, search)), search.strip()[:300] or "(empty)"
    raise BadAnswer(f"This SEARCH part occurs {times} times in the script, it must occur once:\n{shown}")


def _occurrences(code: str, search: str) -> list[int]:
    """Where whole lines of `code` are those of `search`."""
    if not search.strip():
        return []
    return [found.start() for found in re.finditer(f"^(?={re.escape(search)})", code, re.MULTILINE)]


def _change(text: str) -> str:
    found = _CHANGE.search(text)
    return " ".join(found.group(1).split()).rstrip(".")[:LONGEST_CHANGE] if found else ""


def _imports(tree: ast.Module) -> Iterator[str]:
    """Top-level modules that a script cannot do without; an import inside a try may fail."""
    optional = {node for block in ast.walk(tree) if isinstance(block, ast.Try) for node in ast.walk(block)}
    for node in ast.walk(tree):
        if node in optional:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # A single file has no neighbours: a relative import is missing too.
            yield "." * node.level + (node.module or "") if node.level else str(node.module).split(".")[0]


def _importable(name: str, modules: Sequence[str]) -> bool:
    """Where the profile could not list what is installed, everything is let through."""
    return not modules or name in sys.stdlib_module_names or name in modules or name in ("__future__", "__main__")
