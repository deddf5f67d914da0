"""Temporary folders of ours: named so that those of dead processes can be found and swept."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from sandbox.owner import owner, state

KINDS = ("members", "preview", "base", "ranker")
"""What they are for. A name is linguacodus-KIND-MAKER-RANDOM."""
_START = "linguacodus-"


def temp_prefix(kind: str) -> str:
    """How the name of a temporary folder of this process begins, for `tempfile`."""
    return f"{_START}{kind}-{owner()}-"


def left_temp_folders() -> list[tuple[Path, bool]]:
    """This user's folders whose maker is not known to live, and whether it is known to be dead."""
    places = {Path(tempfile.gettempdir()).resolve(), Path("/var/tmp")}
    found = [(path, _judge(path)) for place in places for path in _listed(place)]
    return sorted((path, judged == "dead") for path, judged in found if judged in ("dead", "unknown"))


def sweep_temp_folders() -> int:
    """Remove those of dead processes; how many that were."""
    dead = [path for path, is_dead in left_temp_folders() if is_dead]
    for path in dead:
        shutil.rmtree(path, ignore_errors=True)
    return sum(not path.exists() for path in dead)


def _judge(path: Path) -> str:
    kind, _, maker = path.name.removeprefix(_START).partition("-")
    return state(maker) if kind in KINDS and _is_own_folder(path) else "none of ours"


def _listed(place: Path) -> list[Path]:
    try:
        return [path for path in place.iterdir() if path.name.startswith(_START)]
    except OSError:
        return []


def _is_own_folder(path: Path) -> bool:
    try:
        return path.is_dir() and not path.is_symlink() and path.lstat().st_uid == os.geteuid()
    except OSError:
        return False
