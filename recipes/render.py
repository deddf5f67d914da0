"""Turn a recipe and a task into one script that needs nothing of this program."""

from __future__ import annotations

import ast
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from grading.base import Task

FOLDER = Path(__file__).resolve().parent
PARTS = "recipes.parts."
_PARSING = threading.Lock()
"""Python 3.11's parser fails with SystemError when threads parse at the same time (CPython issue 106905)."""
BEGIN = "# --- settings (filled in for the task; these values are an example) ---"
END = "# --- end of settings ---"


def settings(task: Task, safe: bool) -> dict[str, object]:
    """The values of a script's settings block, in its order."""
    return {
        "TRAIN": f"data/{task.train}",
        "TEST": f"data/{task.test}",
        "SAMPLE": f"data/{task.sample_submission}",
        "ID": task.id,
        "TARGETS": list(task.targets),
        "COLUMNS": list(task.columns),
        "PROBLEM": task.problem,
        "OUTPUT": task.output,
        "METRIC": task.metric,
        "CLASSES": list(task.classes),
        "IGNORE": list(task.train_only),
        "SPLIT": task.split,
        "SPLIT_COLUMN": task.split_column,
        "TIME": task.time,
        "SHARED": list(task.shared),
        "SAFE": safe,
    }


def parse(source: str) -> ast.Module:
    """The syntax tree of a script that compiles, one thread at a time. Raises: SyntaxError, ValueError."""
    with _PARSING, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd escapes and the like: none of them keeps a script from running
        tree = ast.parse(source)
        compile(tree, "solution.py", "exec")  # finds what a tree alone does not show, such as a return outside
        return tree


def render(name: str, task: Task, safe: bool = False, **extra: object) -> str:
    """The script of recipe `name` for `task`: settings filled in, parts copied in, no import of this program.

    `extra` are settings that only this recipe has.

    Raises:
        FileNotFoundError: there is no such recipe.
    """
    with _PARSING:
        return _render(name, settings(task, safe) | extra)


def _render(name: str, values: dict[str, object]) -> str:
    source = (FOLDER / f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    body = source.split(END, 1)[1]
    needed = _needed(tree)
    pieces = [
        f'"""{ast.get_docstring(tree)}"""',
        _block(values),
        "\n".join(["from __future__ import annotations", "", *sorted(_imports(tree) | needed.imports)]),
        "\n\n\n".join(needed.sources),
        body.strip(),
    ]
    return _futures_first("\n\n\n".join(piece for piece in pieces if piece)) + "\n"


def _futures_first(script: str) -> str:
    """A `__future__` import must precede every other statement."""
    line = "from __future__ import annotations\n"
    before, after = script.split(line, 1)
    docstring, rest = before.split('"""\n', 1)
    return f'{docstring}"""\n\n{line}{rest}{after.lstrip()}'


def _block(values: dict[str, object]) -> str:
    lines = [f"{name} = {value!r}" for name, value in values.items()]
    return "\n".join(["# --- settings ---", *lines, END])


@dataclass
class _Needed:
    """What a recipe uses from the parts."""

    imports: set[str] = field(default_factory=set)
    sources: list[str] = field(default_factory=list)
    seen: set[tuple[str, str]] = field(default_factory=set)


def _needed(tree: ast.Module) -> _Needed:
    needed = _Needed()
    for part, name in _part_imports(tree):
        _collect(part, name, needed)
    return needed


def _collect(part: str, name: str, needed: _Needed) -> None:
    """Add the definition of `name` in `part`, and before it all that it uses."""
    if (part, name) in needed.seen:
        return
    needed.seen.add((part, name))
    source, tree, definitions = _part(part)
    node = definitions[name]
    used = {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}
    others = {local: other for other, local in _part_imports(tree)}
    for wanted in sorted(used):
        if wanted in others:
            _collect(others[wanted], wanted, needed)
        elif wanted in definitions and wanted != name:
            _collect(part, wanted, needed)
    needed.imports |= _imports(tree, used)
    needed.sources.append(_text(source, node))


@cache
def _part(name: str) -> tuple[str, ast.Module, dict[str, ast.stmt]]:
    """Source, syntax tree and definitions of a part; each is read once a process."""
    source = (FOLDER / "parts" / f"{name}.py").read_text(encoding="utf-8")
    tree = ast.parse(source)
    return source, tree, _definitions(tree)


def _text(source: str, node: ast.stmt) -> str:
    """A definition with its decorators and the comments right above it."""
    decorators = node.decorator_list if isinstance(node, ast.FunctionDef | ast.ClassDef) else []
    first = min([node.lineno, *(d.lineno for d in decorators)]) - 1
    lines = source.splitlines()
    while first > 0 and lines[first - 1].startswith("#"):
        first -= 1
    return "\n".join(lines[first : node.end_lineno])


def _definitions(tree: ast.Module) -> dict[str, ast.stmt]:
    found: dict[str, ast.stmt] = {}
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found[node.name] = node
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            found.update({t.id: node for t in targets if isinstance(t, ast.Name)})
    return found


def _part_imports(tree: ast.Module) -> Iterator[tuple[str, str]]:
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(PARTS):
            yield from (((node.module or "").removeprefix(PARTS), alias.name) for alias in node.names)


def _imports(tree: ast.Module, used: set[str] | None = None) -> set[str]:
    """Import lines, one a name, that do not come from this program; with `used`, only those of these names."""
    lines: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Import):
            module = "import {}"
        elif isinstance(node, ast.ImportFrom) and not _own(node):
            module = f"from {node.module} import {{}}"
        else:
            continue
        for alias in node.names:
            local = alias.asname or alias.name.split(".")[0]
            if used is None or local in used:
                lines.add(module.format(ast.unparse(alias)))
    return lines


def _own(node: ast.ImportFrom) -> bool:
    return node.module == "__future__" or (node.module or "").split(".")[0] in ("recipes", "grading")
