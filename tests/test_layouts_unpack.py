"""Archives from elsewhere: they stay in their folder, fill no disk, and break off with one sentence."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest

from agents.unpack import unpack, unpack_inner
from grading.base import TaskError
from tests.kaggle_server import zipped


def archived(folder: Path, data: bytes) -> Path:
    """An archive on disk."""
    path = folder / "made-up.zip"
    path.write_bytes(data)
    return path


def test_files_and_folders_come_out_as_they_went_in(tmp_path: Path) -> None:
    unpack(archived(tmp_path, zipped({"train.csv": b"a\n1\n", "images/deep/1.png": b"png"})), tmp_path / "out")
    assert (tmp_path / "out/train.csv").read_bytes() == b"a\n1\n"
    assert (tmp_path / "out/images/deep/1.png").read_bytes() == b"png"


@pytest.mark.parametrize("name", ["../evil.csv", "/tmp/evil.csv", "a/../../evil.csv", "..\\evil.csv", "C:\\evil.csv"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str) -> None:
    before = set(tmp_path.parent.rglob("evil.csv"))
    with pytest.raises(TaskError, match="would lead out of the folder"):
        unpack(archived(tmp_path, zipped({name: b"evil"})), tmp_path / "inner/out")
    assert set(tmp_path.parent.rglob("*evil.csv")) == before


def test_a_link_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("passwords")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(TaskError, match="passwords"):
        unpack(archived(tmp_path, out.getvalue()), tmp_path / "out")
    assert not list((tmp_path / "out").iterdir())


def test_a_bomb_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match="it is no data"):
        unpack(archived(tmp_path, zipped({"train.csv": bytes(4 * 2**20)})), tmp_path / "out", harmless=2**20)
    assert not list((tmp_path / "out").iterdir())


def test_what_does_not_fit_on_the_disk_is_not_begun(tmp_path: Path) -> None:
    with pytest.raises(TaskError, match=r"the disk has room for 0\.0 GB; make room"):
        unpack(archived(tmp_path, zipped({"train.csv": b"a"})), tmp_path / "out", free=10)
    assert not list((tmp_path / "out").iterdir())


def test_a_broken_archive_is_one_sentence(tmp_path: Path) -> None:
    whole = zipped({"train.csv": b"a\n1\n" * 1000})
    for data in (b"no archive", whole[: len(whole) // 2], whole.replace(whole[40:60], b"x" * 20, 1)):
        with pytest.raises(TaskError, match="cannot be unpacked"):
            unpack(archived(tmp_path, data), tmp_path / "out")


def test_archives_in_the_archive_become_folders_and_a_zipped_table_stays(tmp_path: Path) -> None:
    (tmp_path / "images.zip").write_bytes(zipped({"1.png": b"1", "2.png": b"2"}))
    (tmp_path / "audio.zip").write_bytes(zipped({"audio/1.wav": b"1", "audio/2.wav": b"2"}))
    (tmp_path / "train.csv.zip").write_bytes(zipped({"train.csv": b"a\n1\n"}))
    unpack_inner(tmp_path)
    names = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file())
    assert names == ["audio/1.wav", "audio/2.wav", "images/1.png", "images/2.png", "train.csv.zip"]
