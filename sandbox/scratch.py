"""The working folder of a container: disk with an enforced quota, gone with the container.

As root on Linux it is an ext4 image behind a loop device. Once the container runs, the image is unmounted
lazily and unlinked here: only the container's own mount keeps it alive, so that nothing is left even when
this process is killed. Where that cannot be had, the container gets a tmpfs of that size (memory) instead.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sandbox.base import WORK_DIR, Mount
from sandbox.owner import is_dead, owner

DISK = "disk (ext4 image on a loop device, its size is the quota)"
MEMORY = "memory (tmpfs, its size is the quota; it counts into the memory limit)"
PLACE = "LINGUACODUS_SCRATCH"
"""Environment variable: the folder for the images, or "memory"."""

_LOG = logging.getLogger(__name__)
_PREFIX = "scratch-"
_COMMAND_SECONDS = 60


@dataclass(frozen=True)
class Scratch:
    """A mounted image, still visible to the host."""

    folder: Path
    """Holds `image` and `mount`; nothing else."""

    @property
    def mount(self) -> Path:
        """Where the file system is mounted on the host."""
        return self.folder / "mount"

    def release(self) -> None:
        """Let go of it on the host; a container that has it mounted keeps it. May be called twice."""
        try:
            if os.path.ismount(self.mount):
                _command("umount", "--lazy", str(self.mount))
        except (OSError, subprocess.SubprocessError) as error:
            _LOG.warning("%s stays mounted (%s)", self.mount, error)
            return
        shutil.rmtree(self.folder, ignore_errors=True)


def make_scratch(megabytes: int, uid: int, gid: int, mounts: Iterable[Mount]) -> Scratch | None:
    """An empty quota-bound folder of `uid` with mountpoints for `mounts`; None where only memory can be had."""
    if os.geteuid() != 0 or os.environ.get(PLACE) == "memory" or not shutil.which("mkfs.ext4"):
        return None
    scratch = None
    try:
        scratch = Scratch(Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{owner()}-", dir=_home())))
        _make_image(scratch.folder / "image", megabytes)
        scratch.mount.mkdir()
        _command("mount", "-o", "loop,nosuid,nodev,noatime", str(scratch.folder / "image"), str(scratch.mount))
        _prepare(scratch.mount, uid, gid, mounts)
    except (OSError, subprocess.SubprocessError) as error:
        _LOG.warning("the working folder is kept in memory: no loop device could be mounted (%s)", error)
        if scratch:
            scratch.release()
        return None
    return scratch


def sweep_scratch() -> int:
    """Remove what dead processes left behind; how many folders that were."""
    if os.geteuid() != 0 or os.environ.get(PLACE) == "memory":
        return 0
    try:
        left = [folder for folder in _home().iterdir() if folder.name.startswith(_PREFIX)]
    except OSError:
        return 0
    dead = [folder for folder in left if is_dead(folder.name.removeprefix(_PREFIX))]
    for folder in dead:
        Scratch(folder).release()
    return len(dead)


def _home() -> Path:
    """A folder on disk (never /tmp, which may be memory), closed to other users."""
    home = Path(os.environ.get(PLACE, f"/var/tmp/linguacodus-{os.geteuid()}"))
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.geteuid():
        raise OSError(f"{home} belongs to another user")
    return home


def _make_image(path: Path, megabytes: int) -> None:
    with path.open("wb") as image:
        image.truncate(megabytes * 2**20)
    options = "lazy_itable_init=1,nodiscard"
    _command("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", "-E", options, str(path))


def _prepare(root: Path, uid: int, gid: int, mounts: Iterable[Mount]) -> None:
    (root / "lost+found").rmdir()
    for mount in mounts:
        _make_mountpoint(root, mount)
    for path in [root, *root.rglob("*")]:
        os.chown(path, uid, gid)


def _make_mountpoint(root: Path, mount: Mount) -> None:
    target = PurePosixPath(mount.target)
    if not target.is_relative_to(WORK_DIR) or ".." in target.parts:
        return
    point = root / target.relative_to(WORK_DIR)
    if mount.source.is_dir():
        point.mkdir(parents=True, exist_ok=True)
    else:
        point.parent.mkdir(parents=True, exist_ok=True)
        point.touch()


def _command(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=_COMMAND_SECONDS, stdin=subprocess.DEVNULL)
