"""The sums of the live table."""

from __future__ import annotations

import time
from pathlib import Path

from agents.batch_report import money
from agents.batch_table import Row
from agents.batch_terminal import Board
from grading.base import TaskError


def test_what_running_tasks_have_spent_and_worked_so_far_is_in_the_sums() -> None:
    looks = []

    def spent(name: str) -> float:
        looks.append(name)
        if name == "odd":
            raise TaskError("its record cannot be read")
        return 0.75

    began = time.time() - 120
    running = Row("b", "/b", "running", begun=began, usd=0.5, seconds=60.0)
    odd = Row("odd", "/odd", "running", begun=began, usd=0.125)
    board = Board({row.name: row for row in (Row("a", "/a", "done", usd=1.0, seconds=60.0), running, odd)}, spent)
    assert board.sums() == "3 tasks: 1 done, 2 running; 6.0 min of work, 1.8750 USD"
    board.sums()
    assert looks == ["b", "odd"], "looked at again at once"
    board.take(Row("b", "/b", "done", usd=0.8, seconds=200.0))
    assert board.sums().endswith("1.9250 USD"), "what it is known to have cost in the end"


def test_a_task_without_a_folder_here_has_spent_nothing_that_is_known(tmp_path: Path) -> None:
    assert money(tmp_path / "runs/elsewhere") == 0.0
