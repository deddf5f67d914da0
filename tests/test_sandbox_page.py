"""What docs/sandbox.md tells people to type does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "sandbox.md"


@pytest.mark.docker
def test_the_example_in_python_runs() -> None:
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert re.fullmatch(r"ok 42\n \d+ MiB\nb'42'\n", done.stdout), done.stderr


def test_the_options_that_it_names_are_there() -> None:
    for module in ("sandbox.run", "sandbox.doctor"):
        lines = [line for line in PAGE.read_text().splitlines() if line.startswith(f"python -m {module}")]
        named = {option for line in lines for option in re.findall(r"--[a-z-]+", line)}
        text = subprocess.run(
            [sys.executable, "-m", module, "--help"], capture_output=True, text=True, check=True, cwd=ROOT
        ).stdout
        assert named
        assert named <= set(re.findall(r"--[a-z-]+", text))
