"""Which tasks a batch has: from what the user names to a list of tasks, each with a name of its own."""

from __future__ import annotations

import glob
import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from grading.base import TaskError
from grading.layout import PREPARED, PUBLIC, competition_folder, is_competition
from grading.task import TASK_FILE

YAML = (".yaml", ".yml")
DEPTH = 3
"""So many levels below a folder are searched for tasks."""
HASH_DIGITS = 8
"""Of a path, behind a name that several tasks have: one chance in four billion that two are the same."""
_PLAIN = re.compile(r"[^A-Za-z0-9._-]+")


@dataclass(frozen=True)
class BatchTask:
    """One task of a batch."""

    name: str
    """Unique in the batch, and a plain file name."""
    path: Path
    """A task file, a data folder, or a competition of MLE-bench; absolute."""


def find_tasks(named: Iterable[str], passed_over: Callable[[str], object]) -> list[Path]:
    """The tasks that the user named, in that order, each once; folders and globs in the order of their names.

    `passed_over` takes a sentence for each named file that is no task, as `folder/*` of a shell brings them along.

    Raises: TaskError where something does not exist, or holds no task.
    """
    found: dict[Path, None] = {}
    for text in named:
        path = Path(text).expanduser()
        if path.exists() or not glob.has_magic(text):
            tasks = _named(path)
            if not tasks:
                passed_over(f"{text}: is no task (a {TASK_FILE} or a folder), so it is passed over.")
        else:
            tasks = _globbed(str(path))
        found |= dict.fromkeys(tasks)
    return list(found)


def _named(path: Path) -> list[Path]:
    """The task, or those of a folder; none for a file that is no task. Raises: TaskError."""
    if not path.exists():
        raise TaskError(f"{path}: there is no such file or folder; give task files, folders or globs.")
    found = _tasks_at(path)
    if not found and path.is_dir() and not path.name.startswith("__"):
        raise TaskError(
            f"{path}: holds no task; name a folder with a {TASK_FILE}, with train and test files, with "
            f"{PREPARED}/{PUBLIC}, or one that holds such folders."
        )
    return found


def _globbed(pattern: str) -> list[Path]:
    """The tasks among what a glob finds; where it finds a folder and what is in it, the folder does not count."""
    paths = [Path(name) for name in sorted(glob.glob(pattern, recursive=True))]
    holders = {parent for path in paths for parent in path.parents}
    found = [task for path in paths if path not in holders for task in _tasks_at(path)]
    if not found:
        raise TaskError(f"{pattern}: finds no task; give task files, folders or globs.")
    return found


def _tasks_at(path: Path) -> list[Path]:
    if path.is_dir():
        return list(_tasks_below(path.resolve(), DEPTH))
    return [path.resolve()] if path.suffix in YAML else []


def _tasks_below(folder: Path, depth: int) -> Iterator[Path]:
    """A folder that is a task, or those that it holds."""
    if (task := folder / TASK_FILE).is_file():
        yield task
    elif is_competition(whole := competition_folder(folder)) or _holds_train(folder):
        yield whole
    elif depth:
        for inner in sorted(folder.iterdir()):
            if inner.is_dir() and not inner.name.startswith("."):
                yield from _tasks_below(inner, depth - 1)


def _holds_train(folder: Path) -> bool:
    return any(entry.name.lower().startswith("train") and entry.is_file() for entry in folder.iterdir())


def with_names(paths: Sequence[Path], known: Mapping[str, str]) -> list[BatchTask]:
    """Names for run folders: what a task was called before it stays; where several want one name, a hash tells them.

    `known` holds paths of tasks and their names, of earlier calls. What a task is called depends on nothing else but
    on the whole list, so that all shards of a batch agree.
    """
    wanted = {path: known.get(str(path)) or base_name(path) for path in paths}
    owners = {name: path for path, name in known.items()}
    claims = Counter(wanted.values())
    tasks = []
    for path, name in wanted.items():
        taken = owners.get(name, str(path)) != str(path) or (claims[name] > 1 and str(path) not in known)
        tasks.append(BatchTask(f"{name}-{_digits(path)}" if taken else name, path))
    return tasks


def base_name(path: Path) -> str:
    """What a task is called where no other is called so: its folder, and its file where that is no task.yaml."""
    if path.suffix not in YAML:
        name = path.name
    else:
        name = path.parent.name if path.name == TASK_FILE else f"{path.parent.name}-{path.stem}"
    return _PLAIN.sub("-", name).strip(".-")[:80] or "task"


def _digits(path: Path) -> str:
    return hashlib.sha256(str(path).encode("utf-8", "surrogateescape")).hexdigest()[:HASH_DIGITS]


@dataclass(frozen=True)
class Shard:
    """The part of a batch that one of several processes works on."""

    number: int = 1
    of: int = 1

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    def part(self, tasks: Sequence[BatchTask]) -> list[BatchTask]:
        """Every `of`-th task by path, in the order of `tasks`; all shards together have each task once."""
        order = {task: place for place, task in enumerate(sorted(tasks, key=lambda task: str(task.path)))}
        return [task for task in tasks if order[task] % self.of == self.number - 1]


def parse_shard(text: str | None) -> Shard:
    """`I/N`, I from 1 to N. Raises: TaskError."""
    if text is None:
        return Shard()
    match = re.fullmatch(r"(\d{1,6})/(\d{1,6})", text)
    if not match or not 1 <= int(match[1]) <= int(match[2]):
        raise TaskError(f"--shard {text}: is no shard; write I/N, such as 1/8 for the first of eight.")
    return Shard(int(match[1]), int(match[2]))
