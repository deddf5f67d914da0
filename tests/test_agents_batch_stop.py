"""SIGTERM, Ctrl-C, a terminal that hangs up: running tasks end, or are stopped; a killed batch leaves no process."""

from __future__ import annotations

import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.batches import a_task, calls, results, solve

ROOT = Path(__file__).resolve().parent.parent


def start(out: Path, workers: int, *paths: Path) -> subprocess.Popen[str]:
    """A batch in a process of its own."""
    command = [sys.executable, "-u", "-m", "tests.batches", str(out), str(workers), *map(str, paths)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def until(condition: Callable[[], bool]) -> None:
    """Wait until it holds."""
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_the_first_signal_lets_running_tasks_end_and_begins_none(tmp_path: Path) -> None:
    out, paths = tmp_path / "out", [a_task(tmp_path / name, "hold") for name in "abc"]
    batch = start(out, 1, *paths)
    until((out / "runs/a/holds").exists)
    batch.send_signal(signal.SIGTERM)
    assert batch.stdout
    assert any("No task begins any more" in line for line in batch.stdout)
    (out / "go").touch()
    batch.communicate(timeout=30)
    assert batch.returncode == 130
    assert {name: row["status"] for name, row in results(out).items()} == {"a": "done", "b": "waiting", "c": "waiting"}
    assert solve(out, *paths).all_done
    assert calls(out) == [(name, "begin") for name in "abc"]


def test_the_second_signal_stops_what_runs_to_be_gone_on_with(tmp_path: Path) -> None:
    out, paths = tmp_path / "out", [a_task(tmp_path / name, "wait", "ok") for name in "abc"]
    batch = start(out, 2, *paths)
    until(lambda: all((out / f"runs/{name}/waits").exists() for name in "ab"))
    batch.send_signal(signal.SIGINT)
    assert batch.stdout
    assert any("No task begins any more" in line for line in batch.stdout)
    assert batch.poll() is None
    batch.send_signal(signal.SIGINT)
    printed, _ = batch.communicate(timeout=30)
    assert batch.returncode == 130
    assert "can be gone on with" in printed
    statuses = {name: row["status"] for name, row in results(out).items()}
    assert statuses == {"a": "stopped", "b": "stopped", "c": "waiting"}
    assert solve(out, *paths[:2]).all_done
    assert calls(out)[2:] == [("a", "resume"), ("b", "resume")]


@pytest.mark.parametrize("signals", [1, 2])
def test_a_terminal_that_hangs_up_lets_running_tasks_end(signals: int, tmp_path: Path) -> None:
    """Its whole process group is told, as by a shell that ends; and nobody reads what is printed any more."""
    out, paths = tmp_path / "out", [a_task(tmp_path / name, "hold") for name in "abc"]
    master, terminal = pty.openpty()
    command = [sys.executable, "-u", "-m", "tests.batches", str(out), "1", *map(str, paths)]
    batch = subprocess.Popen(command, cwd=ROOT, stdout=terminal, stderr=terminal, start_new_session=True)
    os.close(terminal)
    until((out / "runs/a/holds").exists)
    os.close(master)
    for _ in range(signals):
        os.killpg(batch.pid, signal.SIGHUP)
        time.sleep(0.4)  # two ticks of the loop, in which it prints
    assert batch.poll() is None
    (out / "go").touch()
    assert batch.wait(30) == 130
    assert {name: row["status"] for name, row in results(out).items()} == {"a": "done", "b": "waiting", "c": "waiting"}
    assert solve(out, *paths).all_done
    assert calls(out) == [(name, "begin") for name in "abc"]


def test_a_hang_up_that_is_ignored_stays_ignored(tmp_path: Path) -> None:
    """As nohup starts it."""
    out, paths = tmp_path / "out", [a_task(tmp_path / name, "hold") for name in "ab"]
    command = [sys.executable, "-u", "-m", "tests.batches", str(out), "1", *map(str, paths)]
    batch = subprocess.Popen(["nohup", *command], cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until((out / "runs/a/holds").exists)
    batch.send_signal(signal.SIGHUP)
    (out / "go").touch()
    printed, _ = batch.communicate(timeout=30)
    assert batch.returncode == 0, printed
    assert {row["status"] for row in results(out).values()} == {"done"}


def test_a_run_ends_with_the_process_that_started_it() -> None:
    """Asked of the watching thread itself: the parent that it is told of is none of its process."""
    code = "import sys; from agents.batch_child import end_with; end_with(int(sys.argv[1]))"
    ended = subprocess.run([sys.executable, "-c", code, "1"], cwd=ROOT, timeout=60, check=False)
    assert ended.returncode == -signal.SIGTERM
