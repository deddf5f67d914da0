"""`python -m sandbox.run`: what it takes, what it says, what it leaves."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.run import BAD_INPUT, CODE_FAILED, MACHINE, OK, BadInput, read_job
from tests.sandbox_image import find_image

SCRIPT = "open('submission.csv', 'w').write(open('data/train.csv').read())\nprint('done')\n"


def run(*words: object, **env: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sandbox.run", *map(str, words)]
    return subprocess.run(command, check=False, capture_output=True, text=True, env=env or None, timeout=120)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    (folder / "train.csv").write_text("id,y\n1,2\n")
    return folder


@pytest.fixture
def blend(tmp_path: Path) -> Path:
    folder = tmp_path / "solution"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"member-{name}.py").write_text(f"open('submission.csv', 'w').write('{name}')")
    (folder / "blend.py").write_text(
        "import os\nassert os.path.exists('data/train.csv')\n"
        "texts = [open(f'members/{name}').read() for name in sorted(os.listdir('members'))]\n"
        "open('submission.csv', 'w').write(repr((sorted(os.listdir('members')), texts)))"
    )
    return folder


def test_scripts_are_found_in_files_and_folders(tmp_path: Path, data: Path, blend: Path) -> None:
    script = tmp_path / "x.py"
    script.write_text(SCRIPT)
    assert read_job(script, data).last == script
    job = read_job(blend, data)
    assert list(job.members) == ["a", "b"]
    assert job.last == blend / "blend.py"
    single = tmp_path / "single"
    single.mkdir()
    (single / "solution.py").touch()
    assert read_job(single, data).last == single / "solution.py"


def test_bad_input_is_named(tmp_path: Path, data: Path) -> None:
    for solution, folder, text in (
        (tmp_path / "none.py", data, "check the path"),
        (data, data, "solution.py"),
        (tmp_path / "x.py", tmp_path / "none", "--data"),
    ):
        with pytest.raises(BadInput, match=text):
            read_job(solution, folder)
    for mount, text in (("weights", "NAME=PATH"), ("../x=/etc", "plain name"), ("weights=/none", "does not exist")):
        with pytest.raises(BadInput, match=text):
            read_job(tmp_path / "x.py", None, [mount])
    result = run(tmp_path / "none.py", "--data", data)
    assert result.returncode == BAD_INPUT
    assert "check the path" in result.stderr
    assert "Traceback" not in result.stderr


def test_no_engine_is_the_machines_fault(tmp_path: Path, data: Path) -> None:
    (tmp_path / "x.py").write_text(SCRIPT)
    result = run(tmp_path / "x.py", "--data", data, DOCKER_HOST="unix:///nonexistent.sock")
    assert result.returncode == MACHINE
    assert "No container engine" in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.docker
def test_a_script_writes_its_submission(tmp_path: Path, data: Path) -> None:
    (tmp_path / "x.py").write_text(SCRIPT)
    out = tmp_path / "out" / "mine.csv"
    result = run(tmp_path / "x.py", "--data", data, "--out", out, "--memory-mb", 256, "--image", find_image())
    assert result.returncode == OK, result.stderr
    assert out.read_text() == "id,y\n1,2\n"
    assert result.stdout == "done\n"
    assert "x.py: ok" in result.stderr


@pytest.mark.docker
def test_any_script_runs_with_other_files_and_without_data(tmp_path: Path) -> None:
    weights = tmp_path / "weights"
    weights.mkdir(mode=0o755)
    (weights / "model.txt").write_text("7")
    (tmp_path / "note.txt").write_text("n")
    (tmp_path / "x.py").write_text(
        "import os\nseen = [open('mounts/w/model.txt').read(), open('mounts/note.txt').read(), os.listdir('.')]\n"
        "try:\n    open('mounts/w/model.txt', 'w')\nexcept OSError as error:\n    seen.append(error.strerror)\n"
        "open('seen.json', 'w').write(repr(seen))"
    )
    out = tmp_path / "out.json"
    mounts = ["--mount", f"w={weights}", "--mount", f"note.txt={tmp_path / 'note.txt'}", "--disk-mb", 16]
    words = [tmp_path / "x.py", *mounts, "--output", "seen.json", "--out", out, "--memory-mb", 256]
    result = run(*words, "--image", find_image())
    assert result.returncode == OK, result.stderr
    assert out.read_text() == "['7', 'n', ['mounts'], 'Read-only file system']"


@pytest.mark.docker
def test_a_blend_sees_its_members(tmp_path: Path, data: Path, blend: Path) -> None:
    out = tmp_path / "mine.csv"
    result = run(blend, "--data", data, "--out", out, "--memory-mb", 256, "--image", find_image())
    assert result.returncode == OK, result.stderr
    assert out.read_text() == "(['a.csv', 'b.csv'], ['a', 'b'])"


@pytest.mark.docker
def test_failing_code_is_told_with_its_line(tmp_path: Path, data: Path) -> None:
    (tmp_path / "x.py").write_text("x = 1\nraise ValueError('oh')\n")
    out = tmp_path / "mine.csv"
    result = run(tmp_path / "x.py", "--data", data, "--out", out, "--memory-mb", 256, "--image", find_image())
    assert result.returncode == CODE_FAILED
    assert not out.exists()
    assert "ValueError: oh (line 2 of the script)" in result.stderr
