"""What the relay hands out of the working folder, and what it does not (the code runs in the container)."""

from __future__ import annotations

import base64
import os
import socket
from pathlib import Path

import pytest

from sandbox.relay_files import CHUNK, read_file


def fetch(root: Path, path: str, most: int = 10 * CHUNK) -> tuple[bytes, str | None]:
    """The data and the fault, as the host puts them together."""
    data = b""
    for frame in read_file(str(root), path, most):
        if "fault" in frame:
            return b"", str(frame["fault"])
        data += base64.b64decode(str(frame.get("data", "")))
    return data, None


def fault(root: Path, path: str, most: int = 1000) -> str:
    data, text = fetch(root, path, most)
    assert text is not None
    assert not data
    return text


def test_a_regular_file_arrives_whole(tmp_path: Path) -> None:
    content = os.urandom(2 * CHUNK + 17)
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "deep" / "er" / "out.bin").write_bytes(content)
    assert fetch(tmp_path, "deep/er/out.bin") == (content, None)
    assert fetch(tmp_path, "deep/er/out.bin", most=len(content)) == (content, None)


def test_an_empty_file_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "submission.csv").touch()
    assert fetch(tmp_path, "submission.csv") == (b"", None)


def test_a_file_that_is_missing_or_too_large_says_so(tmp_path: Path) -> None:
    assert "was not written" in fault(tmp_path, "submission.csv")
    assert "was not written" in fault(tmp_path, "no/submission.csv")
    with (tmp_path / "submission.csv").open("wb") as sparse:
        sparse.truncate(2**40)
    assert "at most 1,000 are taken" in fault(tmp_path, "submission.csv")


@pytest.mark.parametrize(
    "path", ["../secret", "/etc/passwd", "a/../../secret", "", ".", "a//b", "a\0b", "./x", "a/" * 40]
)
def test_a_path_that_leaves_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    assert "not a path below" in fault(tmp_path, path)


def test_links_are_not_followed(tmp_path: Path) -> None:
    work, secret = tmp_path / "work", tmp_path / "secret"
    work.mkdir()
    secret.mkdir()
    (secret / "labels.csv").write_text("label")
    (work / "submission.csv").symlink_to(secret / "labels.csv")
    (work / "folder").symlink_to(secret)
    (work / "hard.csv").hardlink_to(secret / "labels.csv")
    assert "link" in fault(work, "submission.csv")
    assert "link" in fault(work, "folder/labels.csv")
    assert "hard link" in fault(work, "hard.csv")


def test_what_is_no_regular_file_is_refused_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "socket"))
        assert "regular file" in fault(tmp_path, "socket")
    assert "not a regular file" in fault(tmp_path, "fifo")
    assert "is a folder" in fault(tmp_path, "folder")


def test_nothing_stays_open(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "file").write_text("x")
    before = len(os.listdir("/proc/self/fd"))
    for path in ("a/file", "a/none", "b/file", "a", "a/file/x"):
        fetch(tmp_path, path)
    assert len(os.listdir("/proc/self/fd")) == before
