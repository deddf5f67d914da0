"""The README's drawn graph and file tree are true. `python tests/test_readme.py` writes both anew."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from graphs.pipeline import builder

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
FOLDERS = {
    "agents": "ROLES and ENTRIES",
    "graphs": "ORDER: the LangGraph state machine",
    "models": "MINDS: chat models through LangChain, behind one gate",
    "ranker": "LEARNING: the order in which instructions are tried",
    "recipes": "FLOOR: scripts that need no model",
    "recipes/parts": "what recipes share; copied into each script that is delivered",
    "grading": "TRUTH: task, blind score, delivery (host side)",
    "grading/worker": "the grader itself; runs in a container of its own",
    "sandbox": "WALL: Docker + Jupyter",
    "prompts": "WORDS: Jinja files",
    "examples": "small real tasks with their answers kept beside them",
    "benchmarks": "measurements",
}
FILES = {
    "Dockerfile.sandbox": "the image that generated code runs in",
    "Makefile": "make demo, make test and the rest",
    "constraints.txt": "the exact versions that are installed",
    "langgraph.json": "what LangGraph Studio serves",
    "pyproject.toml": "dependencies and the settings of ruff, mypy and pytest",
}


def summary(path: Path) -> str:
    """First line of a module's docstring."""
    text = ast.get_docstring(ast.parse(path.read_text())) or ""
    return text.splitlines()[0].rstrip(".:")


def tree() -> str:
    """Every room with its files, a line each."""
    lines = [f"{name:<28} {what}" for name, what in FILES.items()]
    for folder, what in FOLDERS.items():
        lines.append(f"{folder + '/':<28} {what}")
        paths = [path for path in sorted((ROOT / folder).glob("*.py")) if path.name != "__init__.py"]
        lines += [f"  {path.name:<26} {summary(path)}" for path in paths]
    return "\n".join(lines)


def drawing() -> str:
    """The graph as LangGraph draws it, with the attempts' subgraph."""
    return builder.compile().get_graph(xray=True).draw_mermaid().strip()


def blocks() -> dict[str, str]:
    """What stands between the README's markers."""
    return {"graph": f"```mermaid\n{drawing()}\n```", "tree": f"```text\n{tree()}\n```"}


def block(name: str, text: str) -> str:
    """The part of `text` between the markers of `name`."""
    found = re.search(rf"<!-- {name} -->\n(.*?)\n<!-- /{name} -->", text, re.DOTALL)
    assert found, f"README.md has no block {name}"
    return found[1]


def test_the_drawn_graph_is_the_graph() -> None:
    assert block("graph", README.read_text()) == blocks()["graph"], "run python tests/test_readme.py"


def test_the_file_tree_is_the_tree() -> None:
    assert block("tree", README.read_text()) == blocks()["tree"], "run python tests/test_readme.py"


def test_every_folder_of_the_tree_exists() -> None:
    assert all((ROOT / folder).is_dir() for folder in FOLDERS)
    assert all((ROOT / name).is_file() for name in FILES)


def write() -> None:
    """Put the true blocks into the README."""
    text = README.read_text()
    for name, content in blocks().items():
        before, after = f"<!-- {name} -->\n", f"\n<!-- /{name} -->"
        text = text.replace(before + block(name, text) + after, before + content + after)
    README.write_text(text)


if __name__ == "__main__":
    write()
