"""What set-up stands on: pins, the image's name, what of this host's settings goes into a build, what scripts say."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from sandbox.image import image_tag
from sandbox.image_base import debian_mirror
from sandbox.pip_settings import parse_settings, portable
from scripts.summary import summary

ROOT = Path(__file__).resolve().parent.parent
PINNED = re.compile(r"[A-Za-z0-9_.-]+==[A-Za-z0-9_.!]+")


@pytest.mark.parametrize("name", ["constraints.txt", "sandbox/requirements.txt"])
def test_every_line_is_an_exact_pin_without_addresses(name: str) -> None:
    lines = [line for line in (ROOT / name).read_text().splitlines() if line and not line.startswith("#")]
    assert [line for line in lines if not PINNED.fullmatch(line)] == []
    assert len(lines) == len({line.split("==")[0].lower().replace("_", "-") for line in lines})


def test_every_dependency_is_pinned() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [
        *project["dependencies"],
        *project["optional-dependencies"]["ranker"],
        *project["optional-dependencies"]["dev"],
    ]
    names = {re.split(r"[\[>=<]", want)[0].lower().replace("_", "-") for want in wanted}
    pins = {
        line.split("==")[0].lower().replace("_", "-") for line in (ROOT / "constraints.txt").read_text().splitlines()
    }
    assert names - pins == set()


def test_torch_is_pinned_exactly_and_not_needed_by_the_program() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text().splitlines()
    assert not [line for line in project["dependencies"] if line.startswith(("torch", "transformers", "peft"))]


def test_the_tag_changes_with_what_the_user_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("LINGUACODUS_EXTRA_PIP", raising=False)
    plain = image_tag()
    monkeypatch.setenv("LINGUACODUS_EXTRA_PIP", "timm  xlrd")
    extended = image_tag()
    assert re.fullmatch(r"linguacodus-sandbox:[0-9a-f]{12}", plain)
    assert plain != extended == image_tag()


def test_only_web_addresses_of_pip_reach_the_build() -> None:
    text = (
        "global.index-url='https://example.org/simple'\nglobal.extra-index-url='file:///opt/a https://example.net/b'\n"
    )
    settings = parse_settings(text + "global.find-links='/opt/wheels'\n:env:.timeout='9'\nglobal.timeout='5'\nnoise")
    assert portable(settings) == {
        "index-url": "https://example.org/simple",
        "extra-index-url": "https://example.net/b",
        "timeout": "9",
    }


@pytest.mark.parametrize(
    ("name", "text", "mirror"),
    [
        ("sources.list", "deb [signed-by=/k] http://mirror.test/debian/ bookworm main\n", "http://mirror.test/debian"),
        (
            "sources.list.d/debian.sources",
            "Types: deb\nURIs: https://m.test/debian\nSuites: trixie\n",
            "https://m.test/debian",
        ),
        ("sources.list", "deb http://mirror.test/ubuntu noble main\n", None),
        ("sources.list", "# deb http://mirror.test/debian bookworm main\n", None),
    ],
)
def test_the_debian_mirror_is_the_hosts(tmp_path: Path, name: str, text: str, mirror: str | None) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / name).write_text(text)
    assert debian_mirror(tmp_path) == ([mirror] if mirror else [])


@pytest.mark.parametrize(
    "script", sorted(ROOT.glob("scripts/*.sh")) + [ROOT / ".ci" / "run"], ids=lambda path: path.name
)
def test_scripts_are_well_formed(script: Path) -> None:
    assert subprocess.run(["bash", "-n", script], capture_output=True, check=False).stderr == b""


def test_make_help_lists_the_commands_of_the_readme() -> None:
    said = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for command in ("demo", "test", "test-long", "lint", "image", "clean-images", "clean-runs"):
        assert f"make {command} " in said


def test_a_machine_without_python_is_told_so_in_one_sentence(tmp_path: Path) -> None:
    done = _setup_with_only(tmp_path, ["bash", "dirname", "cat", "sha256sum", "cut", "id"], {})
    assert done.returncode == 3
    assert done.stderr == "Python 3.11 or newer is needed and was not found; install it and run this again.\n"


def test_set_up_is_quick_where_all_is_there() -> None:
    command = ["bash", "scripts/setup.sh", "venv"]
    assert subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True, timeout=5).stderr == ""


def _setup_with_only(folder: Path, programs: list[str], variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Run set-up in a copy of what it needs, with nothing but `programs` to be found."""
    (folder / "bin").mkdir()
    for name in programs:
        (folder / "bin" / name).symlink_to(shutil.which(name) or "")
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    return subprocess.run(
        [os.fspath(folder / "bin" / "bash"), "scripts/setup.sh"],
        cwd=folder,
        env={"PATH": os.fspath(folder / "bin")} | variables,
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_the_closing_line_adds_up_all_parts(tmp_path: Path) -> None:
    suite = '<testsuites><testsuite tests="{}" failures="{}" errors="0" skipped="0"/></testsuites>'
    (tmp_path / "host.xml").write_text(suite.format(5, 0))
    (tmp_path / "ml.xml").write_text(suite.format(4, 1))
    assert summary(tmp_path, ["tests in the image"]) == (
        "Failed part: tests in the image\n8 passed, 1 failed, 0 skipped",
        1,
    )
    (tmp_path / "ml.xml").write_text(suite.format(4, 0))
    assert summary(tmp_path, []) == ("9 passed, 0 failed, 0 skipped", 0)
    assert summary(tmp_path, ["style and types"])[1] == 1
