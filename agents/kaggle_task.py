"""`kaggle:SLUG`: a competition downloaded once, into a folder that is a task like any other."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import yaml

from agents.kaggle_api import SITE, About, Kaggle, KaggleDown
from agents.unpack import unpack, unpack_inner
from grading.base import TaskError
from grading.metric_names import metric_info, resolve_metric
from grading.task import KAGGLE_SLUG, TASK_FILE
from grading.task_paths import MAX_TEXT
from sandbox.files import locked, write_atomically

PREFIX = "kaggle:"
CACHE = Path("data/kaggle")
"""Below the folder that the program is started in."""
_HEADINGS = {"description": "Description", "evaluation": "Evaluation", "data-description": "Data"}


def kaggle_slug(task: Path | None) -> str | None:
    """The competition that `kaggle:SLUG` names; None for every other task.

    Raises: TaskError where it is no such name.
    """
    if task is None or not str(task).startswith(PREFIX):
        return None
    slug = str(task).removeprefix(PREFIX)
    if not re.fullmatch(KAGGLE_SLUG, slug):
        raise TaskError(
            f"{task}: is no name of a competition; take the last part of the address of its page, as in kaggle:titanic "
            f"for {SITE}/competitions/titanic."
        )
    return slug


def fetch(slug: str, say: Callable[[str], object], quiet: bool, cache: Path = CACHE) -> Path:
    """The folder of a competition; what was downloaded before is taken as it is. Broken off, it goes on.

    Raises: TaskError, KaggleDown.
    """
    folder = cache / slug
    if (folder / TASK_FILE).is_file():
        say(f"kaggle:{slug}: taken from {folder}, where it was downloaded before (delete the folder to do so again)")
        return folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder / ".lock"):
            _download(slug, folder, say, quiet)
    except BlockingIOError:
        raise TaskError(f"kaggle:{slug}: is being downloaded by another process; wait for it.") from None
    except OSError as fault:
        raise KaggleDown(
            f"kaggle:{slug}: {fault.strerror or fault}; see to {folder.resolve()} and the room on its disk."
        ) from None
    return folder


def _download(slug: str, folder: Path, say: Callable[[str], object], quiet: bool) -> None:
    kaggle = Kaggle()
    about = kaggle.about(slug)
    archive, part = folder / f"{slug}.zip", folder / "data.part"
    say(f"kaggle:{slug}: downloading {about.title!r} to {folder}")
    kaggle.download(slug, archive, quiet)
    shutil.rmtree(part, ignore_errors=True)
    try:
        unpack(archive, part)
        unpack_inner(part)
    except TaskError:
        shutil.rmtree(part, ignore_errors=True)
        raise
    shutil.rmtree(folder / "data", ignore_errors=True)
    part.rename(folder / "data")
    write_atomically(folder / "description.md", described(about).encode("utf-8", "replace"))
    write_atomically(folder / TASK_FILE, task_text(slug, about).encode())
    archive.unlink()


def described(about: About) -> str:
    """What Kaggle says of the competition, as one text."""
    parts = [f"# {about.title}"]
    if about.metric:
        parts.append(f'Kaggle calls the metric "{about.metric}".')
    parts += [f"## {heading}\n\n{about.pages[name]}" for name, heading in _HEADINGS.items() if name in about.pages]
    return ("\n\n".join(parts) + "\n")[:MAX_TEXT]


def task_text(slug: str, about: About) -> str:
    """The task file; without a metric where none of ours is called so."""
    fields: dict[str, object] = {"name": slug, "description": "description.md", "data": "data", "kaggle": slug}
    try:
        name = resolve_metric(about.metric)
    except TaskError:
        pass  # what runs next finds it in the description, or asks
    else:
        why = f'because Kaggle calls it "{about.metric[:100]}"'
        fields["metric"] = {"name": name, "direction": metric_info(name).direction, "why": why}
    return yaml.safe_dump(fields, sort_keys=False, allow_unicode=True)
