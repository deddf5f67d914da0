"""Imports run one way, and heavy libraries stay where they belong."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import agents
import graphs
import prompts
import sandbox

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ["entries", "graphs", "agents", "ranker", "models", "recipes", "grading", "sandbox", "prompts"]
"""Top to bottom: a room may import itself and what stands after it."""
ENTRIES = {
    "agents/run.py",
    "agents/batch.py",
    "agents/drive.py",
    "agents/preview.py",
    "agents/summary.py",
    "agents/terminal.py",
}
CHILD_PROCESSES = {"models/local_child.py"}
"""Run in processes of their own, so that what they load stays out of the host's."""
ONLY_IN_CONTAINERS = {
    "pandas",
    "numpy",
    "sklearn",
    "scipy",
    "lightgbm",
    "xgboost",
    "catboost",
    "matplotlib",
    "PIL",
    "torch",
}
ALLOWED_LIBRARIES = {
    "langgraph": {"graphs", "entries"},
    "docker": {"sandbox"},
    "jupyter_client": {"sandbox"},
    "jinja2": {"prompts"},
}
"""Libraries that one room (and who drives it) keeps to itself."""


def room_of(path: str) -> str:
    """The room of a file, named relative to the root."""
    return "entries" if path in ENTRIES else path.split("/")[0]


def runs_in_container(path: str) -> bool:
    """Recipe scripts and the grader's worker run in containers; what offers and renders recipes does not."""
    host = {"__init__", "base", "recipe", "render", "catalogue"}
    name = Path(path).stem
    is_script = path.startswith("recipes/") and name not in host and not name.startswith("catalogue")
    return path.startswith("grading/worker/") or is_script or path == "sandbox/relay.py"


def imported(source: str) -> Iterator[str]:
    """Modules that a source text imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def faults(path: str, source: str) -> list[str]:
    """What is wrong with the imports of one file."""
    own, found = room_of(path), []
    for module in imported(source):
        top = module.split(".")[0]
        target = room_of(module.replace(".", "/") + ".py")
        if target in ROOMS and ROOMS.index(target) < ROOMS.index(own):
            found.append(f"{path} imports {module}: {own} stands below {target}")
        if top in ONLY_IN_CONTAINERS and not runs_in_container(path) and path not in CHILD_PROCESSES:
            found.append(f"{path} imports {module}, which only containers have")
        if own not in ALLOWED_LIBRARIES.get(top, {own}) and not runs_in_container(path):
            found.append(f"{path} imports {module}, which is not the business of {own}")
    return found


def sources() -> Iterator[tuple[str, str]]:
    for room in [*ROOMS[1:]]:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield path.relative_to(ROOT).as_posix(), path.read_text()


def test_imports_run_one_way() -> None:
    found = [fault for path, source in sources() for fault in faults(path, source)]
    assert not found, "\n".join(found)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("sandbox/kernel.py", "from grading.base import Task"),
        ("grading/grader.py", "def f():\n    import graphs.state"),
        ("agents/write.py", "from agents.run import main"),
        ("agents/write.py", "from langgraph.graph import StateGraph"),
        ("graphs/plan.py", "import pandas as pd"),
        ("graphs/nodes.py", "from docker import DockerClient"),
        ("recipes/render.py", "import numpy"),
    ],
)
def test_a_planted_import_is_found(path: str, source: str) -> None:
    assert faults(path, source)


def test_names_resolve_inside_the_repository() -> None:
    """`agents` and the like are generic names: another installed package must not win."""
    for package in (agents, graphs, prompts, sandbox):
        assert Path(str(package.__file__)).is_relative_to(ROOT)


def test_agents_package_holds_a_docstring_only() -> None:
    body = ast.parse((ROOT / "agents/__init__.py").read_text()).body
    assert len(body) == 1
    assert isinstance(body[0], ast.Expr)
