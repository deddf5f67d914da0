"""Folders that are tasks without a task file: plain data folders, and competitions as MLE-bench lays them out.

MLE-bench (https://github.com/openai/mle-bench) keeps a competition in DIR/<id>/prepared: `public` holds what a solver
may see, with `description.md`; `private` holds the answers, and nothing of it is ever read here.
"""

from __future__ import annotations

from pathlib import Path

from grading.base import TaskError
from grading.task_paths import MAX_TEXT

PREPARED, PUBLIC, PRIVATE = "prepared", "public", "private"
DESCRIPTION = "description.md"
MAX_COMPETITIONS = 1000
"""Entries of a folder that are looked at for competitions."""


def task_name(task: Path) -> str:
    """What a task, given by its file or folder, is called: the folder of the file, the competition, or the folder."""
    path = task.expanduser().resolve()
    if path.suffix in (".yaml", ".yml"):
        return path.parent.name
    return competition_folder(path).name


def competition_folder(folder: Path) -> Path:
    """DIR/<id> for DIR/<id>/prepared/public, DIR/<id>/prepared and itself; any other folder unchanged."""
    if folder.name == PUBLIC and folder.parent.name == PREPARED:
        return folder.parent.parent
    if folder.name == PREPARED and (folder / PUBLIC).is_dir():
        return folder.parent
    return folder


def is_competition(folder: Path) -> bool:
    """Whether it is laid out as MLE-bench lays out a prepared competition."""
    return (folder / PREPARED / PUBLIC).is_dir()


def competitions_below(folder: Path) -> list[Path]:
    """The competition that `folder` is, or the competitions right below it, by name."""
    whole = competition_folder(folder.expanduser().resolve())
    if is_competition(whole):
        return [whole]
    if not whole.is_dir():
        return []
    below = [path for path, _ in zip(sorted(whole.iterdir()), range(MAX_COMPETITIONS), strict=False)]
    return [path for path in below if is_competition(path)]


def folder_fields(folder: Path) -> dict[str, object]:
    """The fields of a task that a folder without a task file stands for.

    Raises: TaskError for the answers of a competition, and for a folder of several.
    """
    whole = competition_folder(folder.resolve())
    if whole.name == PRIVATE and whole.parent.name == PREPARED:
        raise TaskError(f"{folder}: holds the answers of a competition; give {folder.parent / PUBLIC}.")
    if is_competition(whole):
        return _fields(whole / PREPARED / PUBLIC, whole.name)
    if below := competitions_below(whole):
        raise TaskError(
            f"{folder}: holds {len(below)} competition(s); give one, such as {folder / below[0].name}, or solve all "
            f"with python -m agents.batch --mlebench {folder}."
        )
    return _fields(whole, whole.name)


def _fields(data: Path, name: str) -> dict[str, object]:
    return {"data": str(data), "name": name, "description": _description(data / DESCRIPTION)}


def _description(file: Path) -> str:
    """The start of a description, as far as one may go; nothing where there is none.

    Raises: TaskError where it is no text.
    """
    if not file.is_file():
        return ""
    try:
        with file.open(encoding="utf-8") as text:
            return text.read(MAX_TEXT)
    except (UnicodeDecodeError, OSError) as fault:
        raise TaskError(f"{file}: cannot be read as UTF-8 text ({fault}); save it as UTF-8 or take it away.") from None
