"""Commands of the program as a user calls them: in a process of their own, or in this one where only words count.

A process takes seconds to import what a run needs. What a command says and with which code it ends is the same in this
one; what only a process shows (that it ends, that nothing else writes to its output) is tested once a command in one.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import chdir
from pathlib import Path
from unittest.mock import patch

import typer
from typer.testing import CliRunner

ROOT = Path(__file__).resolve().parent.parent
Ended = subprocess.CompletedProcess[str]
"""How a command ended: `returncode`, `stdout`, `stderr`."""


def process(
    module: str, *arguments: str | Path, folder: Path = ROOT, env: Mapping[str, str] | None = None, seconds: float = 60
) -> Ended:
    """`python -m MODULE ARGUMENTS` in `folder`; `env` is added to the environment."""
    command = [sys.executable, "-m", module, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | dict(env or {})
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=seconds, check=False, env=environment
    )


def here(app: typer.Typer, *arguments: str | Path, folder: Path = ROOT, env: Mapping[str, str] | None = None) -> Ended:
    """The same command in this process, which it leaves as it was: environment and working folder are put back.

    What `main` would die of with a traceback is raised.
    """
    words = list(map(str, arguments))
    with chdir(folder), patch.dict(os.environ, env or {}):
        done = CliRunner().invoke(app, words, catch_exceptions=False)
    return Ended(words, done.exit_code, done.stdout, done.stderr)
