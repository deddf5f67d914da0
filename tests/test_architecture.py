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
COMMAND = 'if __name__ == "__main__":\n    f()'
ROOMS = ["entries", "graphs", "agents", "ranker", "models", "recipes", "grading", "sandbox", "prompts"]
"""Top to bottom: a room may import itself and what stands after it."""
ENTRIES = {
    "agents/run.py",
    "agents/batch.py",
    "agents/batch_check.py",
    "agents/batch_child.py",
    "agents/batch_entries.py",
    "agents/batch_job.py",
    "agents/batch_local.py",
    "agents/batch_loop.py",
    "agents/batch_money.py",
    "agents/batch_page.py",
    "agents/batch_ray.py",
    "agents/batch_ray_node.py",
    "agents/batch_ray_store.py",
    "agents/batch_report.py",
    "agents/batch_results.py",
    "agents/batch_session.py",
    "agents/batch_share.py",
    "agents/batch_table.py",
    "agents/batch_tasks.py",
    "agents/batch_terminal.py",
    "agents/drive.py",
    "agents/kaggle_api.py",
    "agents/kaggle_run.py",
    "agents/kaggle_submit.py",
    "agents/kaggle_task.py",
    "agents/mlebench.py",
    "agents/preview.py",
    "agents/summary.py",
    "agents/terminal.py",
}
CHILD_PROCESSES = {"models/local_child.py"}
"""Run in processes of their own, so that what they load stays out of the host's."""
RANKER_ON_THE_HOST = (
    *("__init__", "base", "prior", "explore", "process", "shared", "records", "words", "terms"),
    *("placed", "placed_records", "notebooks"),
    *("extract", "extract_ask", "extract_run", "extract_scores", "extract_watch"),
    *("sft", "sft_prompt", "sft_data", "sft_records", "sft_report", "sft_screen"),
)
"""Modules of ranker/ that a run may load. All others learn, in processes of their own, with libraries of their own."""
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


def learns(path: str) -> bool:
    """The learning side of ranker/."""
    return path.startswith("ranker/") and Path(path).stem not in RANKER_ON_THE_HOST


def imported(source: str | ast.AST) -> Iterator[str]:
    """Modules that a source text imports anywhere, also inside functions."""
    for node in ast.walk(ast.parse(source) if isinstance(source, str) else source):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            yield from names if node.module in ROOMS else [node.module or ""]


def late_imports(source: str) -> set[str]:
    """What a command (a file that is started with `python -m`) imports in its functions only."""
    body = ast.parse(source).body
    if not any(isinstance(node, ast.If) and "__name__" in ast.unparse(node.test) for node in body):
        return set()
    late = [node for node in body if isinstance(node, ast.FunctionDef)]
    early = {module for node in body if node not in late for module in imported(node)}
    return {module for node in late for module in imported(node)} - early


def faults(path: str, source: str) -> list[str]:
    """What is wrong with the imports of one file."""
    own, found = room_of(path), learning_faults(path, source)
    alone = runs_in_container(path) or learns(path) or path in CHILD_PROCESSES
    for module in imported(source):
        top = module.split(".")[0]
        target = room_of(module.replace(".", "/") + ".py")
        if target in ROOMS and ROOMS.index(target) < ROOMS.index(own):
            found.append(f"{path} imports {module}: {own} stands below {target}")
        if top in ONLY_IN_CONTAINERS and not alone:
            found.append(f"{path} imports {module}, which only containers and processes of their own load")
        if own not in ALLOWED_LIBRARIES.get(top, {own}) and not runs_in_container(path):
            found.append(f"{path} imports {module}, which is not the business of {own}")
    return found


def learning_faults(path: str, source: str) -> list[str]:
    """Imports of the learning side from elsewhere; a command of ranker/ may, but late: its --help needs no torch."""
    if learns(path):
        return []
    late = late_imports(source) if path.startswith("ranker/") else set()
    found = [m for m in imported(source) if learns(m.replace(".", "/") + ".py") and m not in late]
    return [f"{path} imports {module}, which is loaded in a process of its own" for module in found]


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
        ("ranker/process.py", "import numpy"),
        ("ranker/words.py", "def f():\n    import lightgbm"),
        ("ranker/process.py", "from ranker.bundle import load_bundle"),
        ("ranker/process.py", "from ranker import child"),
        ("ranker/process.py", "def f():\n    import ranker.child"),
        ("graphs/live.py", "from ranker.model import Scorer"),
        ("agents/run.py", f"def f():\n    from ranker.bundle import load_bundle\n{COMMAND}"),
        ("ranker/sft.py", f"from ranker.sft_session import train\n{COMMAND}"),
        ("ranker/sft.py", f"import ranker.sft_session\ndef f():\n    import ranker.sft_session\n{COMMAND}"),
        ("ranker/newcomer.py", "from graphs.state import State"),
        ("ranker/newcomer.py", "from docker import DockerClient"),
    ],
)
def test_a_planted_import_is_found(path: str, source: str) -> None:
    assert faults(path, source)


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("ranker/meta.py", "import lightgbm\nfrom ranker.outcomes import Outcomes\nfrom ranker.records import Record"),
        ("ranker/sft.py", f"def f():\n    from ranker.sft_session import train\n{COMMAND}"),
        ("graphs/live.py", "from ranker.process import load_ranker"),
    ],
)
def test_what_may_be_imported_is_no_fault(path: str, source: str) -> None:
    assert not faults(path, source)


def test_every_module_of_the_rankers_host_side_is_there() -> None:
    """A name that is left behind when a file goes would hide a fault of the next file of that name."""
    assert set(RANKER_ON_THE_HOST) <= {path.stem for path in (ROOT / "ranker").glob("*.py")}


def test_names_resolve_inside_the_repository() -> None:
    """`agents` and the like are generic names: another installed package must not win."""
    for package in (agents, graphs, prompts, sandbox):
        assert Path(str(package.__file__)).is_relative_to(ROOT)


def test_agents_package_holds_a_docstring_only() -> None:
    body = ast.parse((ROOT / "agents/__init__.py").read_text()).body
    assert len(body) == 1
    assert isinstance(body[0], ast.Expr)
