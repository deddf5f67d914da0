"""The working folder of a container: disk with an enforced quota, gone with the container.

As root on Linux it is an ext4 image behind a loop device. Once the container runs, the image is unmounted
lazily and unlinked here: only the container's own mount keeps it alive, so that nothing is left even when
this process is killed. Where that cannot be had, the container gets a tmpfs of that size (memory) instead.
"""

from __future__ import annotations

import logging
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sandbox.base import WORK_DIR, Mount
from sandbox.owner import is_dead, owner
from sandbox.temp_folders import sweep_temp_folders

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
            if os.path.ismount(self.mount):  # else another process has swept it at the same moment
                _LOG.warning("%s stays mounted (%s)", self.mount, _reason(error))
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
    except BaseException as error:
        if scratch:
            scratch.release()
        if not isinstance(error, (OSError, subprocess.SubprocessError)):
            raise  # Ctrl-C
        _LOG.warning("no loop device could be mounted (%s): the working folder is kept in memory", _reason(error))
        return None
    return scratch


def sweep_scratch() -> int:
    """Remove what dead processes left behind, their temporary folders too; how many folders that were."""
    found = dead_scratch()
    for scratch in found:
        scratch.release()
    return sum(not scratch.folder.exists() for scratch in found) + sweep_temp_folders()


def dead_scratch() -> list[Scratch]:
    """What dead processes left behind: in today's place, and wherever else one is still mounted."""
    if os.geteuid() != 0:
        return []
    folders = {scratch_of(Path(point)) for point in ext4_mounts()} - {None}
    if os.environ.get(PLACE) != "memory":
        try:
            folders |= {folder for folder in _home().iterdir() if folder.name.startswith(_PREFIX)}
        except OSError:
            pass  # it cannot be made, so nobody has used it
    return [Scratch(folder) for folder in sorted(filter(None, folders)) if is_dead(maker(folder))]


def scratch_of(path: Path) -> Path | None:
    """The scratch folder of one of its two entries; None for anything else."""
    folder = path.parent
    return folder if path.name in ("mount", "image") and folder.name.startswith(_PREFIX) else None


def maker(folder: Path) -> str:
    """Who made a scratch folder, for `sandbox.owner`."""
    return folder.name.removeprefix(_PREFIX)


def ext4_mounts() -> list[str]:
    """Where ext4 is mounted, which only root can have done (proc(5): blanks and the like are written in octal)."""
    try:
        text = Path("/proc/self/mounts").read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:  # not Linux
        return []
    points = [line.split()[1] for line in text.splitlines() if line.split()[2:3] == ["ext4"]]
    return [re.sub(r"\\([0-7]{3})", _character, point) for point in points]


def scratch_home() -> Path:
    """Where scratch folders are made."""
    return Path(os.environ.get(PLACE) or f"/var/tmp/linguacodus-{os.geteuid()}")


def _home() -> Path:
    """A folder on disk (never /tmp, which may be memory), closed to other users."""
    home = scratch_home()
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    if home.is_symlink() or home.stat().st_uid != os.geteuid():
        raise OSError(f"{home} belongs to another user")
    return home


def _make_image(path: Path, megabytes: int) -> None:
    with path.open("wb") as image:
        image.truncate(megabytes * 2**20)
    options = "lazy_itable_init=1,nodiscard"
    _command("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal,^resize_inode", "-E", options, str(path))


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


def _character(octal: re.Match[str]) -> str:
    return chr(int(octal[1], 8))


def _reason(error: BaseException) -> str:
    """The program's own last words where it has any."""
    told = (getattr(error, "stderr", None) or b"").decode("utf-8", "replace").strip()
    return told.splitlines()[-1][:200] if told else str(error)


def _command(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=_COMMAND_SECONDS, stdin=subprocess.DEVNULL)
