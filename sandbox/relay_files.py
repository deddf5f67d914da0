"""In the container: take a regular file out of the working folder, piece by piece, trusting nothing about it.

Standard library only. Every part of the path is opened relative to the folder before it and never through a
link, so that what is checked is what is read.
"""

from __future__ import annotations

import base64
import errno
import os
import stat
from collections.abc import Iterator

CHUNK = 2**20
"""Bytes of the file in one frame."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # a FIFO must not block us
_MAX_PARTS = 16


class Refused(Exception):
    """Why a file is not handed out, as one sentence for the script's author."""


def read_file(root: str, path: str, most: int) -> Iterator[dict[str, object]]:
    """The frames that carry file `path` below `root` of at most `most` bytes; the last one has "end" or "fault"."""
    try:
        descriptor = _open(root, path, most)
    except Refused as refusal:
        yield {"kind": "file", "fault": str(refusal)}
        return
    try:
        yield from _chunks(descriptor, path, most)
    finally:
        os.close(descriptor)


def _chunks(descriptor: int, path: str, most: int) -> Iterator[dict[str, object]]:
    total = 0
    while data := os.read(descriptor, CHUNK):
        total += len(data)
        if total > most:
            yield {"kind": "file", "fault": _too_large(path, total, most)}
            return
        yield {"kind": "file", "data": base64.b64encode(data).decode("ascii")}
    yield {"kind": "file", "end": True}


def _open(root: str, path: str, most: int) -> int:
    *folders, name = _parts(path)
    folder = _open_folder(root, folders, path)
    try:
        descriptor = _open_part(name, _FILE, folder, path)
    finally:
        os.close(folder)
    try:
        _check(os.fstat(descriptor), path, most)
    except Refused:
        os.close(descriptor)
        raise
    return descriptor


def _open_folder(root: str, folders: list[str], path: str) -> int:
    try:
        current = os.open(root, _FOLDER)
    except OSError as error:
        raise Refused(f"{path} cannot be reached: the working folder was closed ({error.strerror})") from None
    for part in folders:
        try:
            deeper = _open_part(part, _FOLDER, current, path)
        finally:
            os.close(current)
        current = deeper
    return current


def _parts(path: str) -> list[str]:
    parts = path.split("/")
    if "\0" in path or len(parts) > _MAX_PARTS or any(part in ("", ".", "..") for part in parts):
        raise Refused(f"{path!r} is not a path below the working folder")
    return parts


def _open_part(part: str, flags: int, folder: int, path: str) -> int:
    try:
        return os.open(part, flags, dir_fd=folder)
    except FileNotFoundError:
        raise Refused(f"{path} was not written") from None
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.ENOTDIR):
            raise Refused(f"{path} is or lies behind a link, where a regular file is wanted") from None
        raise Refused(f"{path} cannot be opened as a regular file ({error.strerror})") from None


def _check(found: os.stat_result, path: str, most: int) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise Refused(f"{path} is a folder, where a regular file is wanted")
    if not stat.S_ISREG(found.st_mode):
        raise Refused(f"{path} is not a regular file")
    if found.st_nlink != 1:
        raise Refused(f"{path} is a hard link to another file, where a file of its own is wanted")
    if found.st_size > most:
        raise Refused(_too_large(path, found.st_size, most))


def _too_large(path: str, size: int, most: int) -> str:
    return f"{path} has {size:,} bytes or more; at most {most:,} are taken"
