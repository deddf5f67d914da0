"""The delivered solution: scripts that run by themselves, and the same as a notebook."""

from __future__ import annotations

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from grading.base import Task
from recipes.render import render


def solution_files(scripts: dict[str, str], weights: dict[str, float], task: Task) -> dict[str, str]:
    """File name -> text of `solution/`: one script, or the members of a blend and the script that blends them."""
    if len(scripts) == 1:
        return {"solution.py": next(iter(scripts.values()))}
    members = {f"member-{name}.py": text for name, text in scripts.items()}
    rounded = {name: round(weight, 6) for name, weight in weights.items()}
    return members | {"blend.py": render("blend", task, WEIGHTS=rounded)}


def solution_notebook(files: dict[str, str], titles: dict[str, str], task: Task) -> str:
    """The files of `solution/` as one notebook; it expects the task's files in ./data."""
    intro = (
        f"# {task.name}\n\n{task.description}\n\nScored by {task.metric} ({task.direction}). Put the data in `./data`."
    )
    cells = [new_markdown_cell(intro)]
    for name, text in files.items():
        member = name.removeprefix("member-").removesuffix(".py")
        title = {"blend": "Blend", "solution": next(iter(titles.values()))}.get(member) or titles[member]
        cells += [new_markdown_cell(f"## {title}"), new_code_cell(text)]
        if name.startswith("member-"):
            cells.append(new_code_cell(_keep_member(member)))
    return str(nbformat.writes(new_notebook(cells=cells)))


def _keep_member(name: str) -> str:
    """The cell that puts a member's submission where the blend looks for it."""
    return f'import os\n\nos.makedirs("members", exist_ok=True)\nos.replace("submission.csv", "members/{name}.csv")'
