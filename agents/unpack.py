"""Unpacks archives that came from elsewhere: nothing leaves the folder, no bomb fills the disk, no link is made."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath

from grading.base import TaskError

MAX_FILES = 5_000_000
MAX_RATIO = 200
"""A table of repeated lines may shrink so far; what unpacks to more than this, and to more than HARMLESS, is a bomb."""
HARMLESS = 2 * 2**30
"""Bytes that are unpacked however small the archive is."""
RESERVE = 2**30
"""Bytes of the disk that are left free."""


def unpack(archive: Path, folder: Path, free: int | None = None, harmless: int = HARMLESS) -> None:
    """Put the files of a zip archive below `folder`. `free` stands for the room on its disk.

    Raises:
        TaskError: it is broken, a bomb, has names that lead out of the folder, or does not fit on the disk.
        OSError: the disk.
    """
    folder.mkdir(parents=True, exist_ok=True)
    room = (shutil.disk_usage(folder).free if free is None else free) - RESERVE
    try:
        with zipfile.ZipFile(archive) as file:
            _check(file, archive, room, harmless)
            for member in file.infolist():
                _place(file, member, archive, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError) as fault:
        if isinstance(fault, TaskError):
            raise
        raise TaskError(f"{archive}: cannot be unpacked ({fault}); delete it and download it again.") from None


def unpack_inner(folder: Path) -> None:
    """Unpack the archives that lie in `folder` itself, each into a folder of its own, and delete them.

    An archive that holds one table only stays as it is: tables are read as they lie there.

    Raises: as `unpack`.
    """
    for archive in sorted(folder.glob("*.zip")):
        if archive.is_symlink() or not zipfile.is_zipfile(archive) or _one_file(archive):
            continue
        place = folder / archive.stem
        if not place.exists():
            part = folder / f".{archive.stem}.part"
            shutil.rmtree(part, ignore_errors=True)
            unpack(archive, part)
            inner = part / archive.stem
            alone = inner.is_dir() and len(list(part.iterdir())) == 1
            (inner if alone else part).rename(place)
            shutil.rmtree(part, ignore_errors=True)
        archive.unlink()


def _one_file(archive: Path) -> bool:
    try:
        with zipfile.ZipFile(archive) as file:
            return sum(not member.is_dir() for member in file.infolist()[:100]) == 1
    except (zipfile.BadZipFile, ValueError):
        return False


def _check(file: zipfile.ZipFile, archive: Path, room: int, harmless: int) -> None:
    """zipfile writes no more of a member than it declares, so that the declared sizes bound what comes out."""
    members = file.infolist()
    whole, packed = sum(member.file_size for member in members), archive.stat().st_size
    if len(members) > MAX_FILES:
        raise TaskError(f"{archive}: holds {len(members)} files, more than {MAX_FILES}; it is not unpacked.")
    if whole > harmless and whole > MAX_RATIO * packed:
        raise TaskError(f"{archive}: would unpack to {whole / 1e9:.1f} GB from {packed / 1e6:.1f} MB; it is no data.")
    if whole > room:
        raise TaskError(
            f"{archive}: unpacks to {whole / 1e9:.1f} GB, and the disk has room for {max(0, room) / 1e9:.1f} GB; make "
            f"room and run it again."
        )


def _place(file: zipfile.ZipFile, member: zipfile.ZipInfo, archive: Path, folder: Path) -> None:
    name = PurePosixPath(member.filename.replace("\\", "/"))
    kind = stat.S_IFMT(member.external_attr >> 16)
    if (
        name.is_absolute()
        or ".." in name.parts
        or ":" in member.filename[:2]
        or kind not in (0, stat.S_IFREG, stat.S_IFDIR)
    ):
        raise TaskError(f"{archive}: {member.filename[:200]!r} would lead out of the folder; it is not unpacked.")
    target = folder / name
    if member.is_dir():
        target.mkdir(parents=True, exist_ok=True)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    with file.open(member) as source, target.open("wb") as out:
        shutil.copyfileobj(source, out, 2**20)
