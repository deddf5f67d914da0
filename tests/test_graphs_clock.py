"""The seconds of work of a run, over the processes that worked on it."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from graphs.clock import Clock
from tests.test_end_to_end import wait_until

BEAT = 0.02


def noted(file: Path) -> float:
    """What the next process would begin with."""
    return float(json.loads(file.read_text())["seconds"]) if file.exists() else 0.0


def test_what_a_killed_process_did_counts_and_the_time_after_it_does_not(tmp_path: Path) -> None:
    file = tmp_path / "clock.json"
    clock, began = Clock(file, BEAT), time.monotonic()
    assert wait_until(lambda: noted(file) > 0.2, 20)
    clock._closed.set()  # killed: it notes nothing more
    lived = time.monotonic() - began
    time.sleep(0.5)
    assert 0.2 <= Clock(file, 60.0).worked(0.1) <= lived + 0.3, "the downtime counts"


def test_a_run_that_has_no_notes_goes_on_from_what_is_known(tmp_path: Path) -> None:
    for content in (
        None,
        "",
        "[]",
        '{"seconds": "many"}',
        '{"seconds": null}',
        '{"seconds": NaN}',
        '{"seconds": Infinity}',
    ):
        file = tmp_path / "clock.json"
        if content is not None:
            file.write_text(content)
        clock = Clock(file)
        first = clock.worked(100.0)
        assert first == pytest.approx(100.0, abs=5.0)
        assert clock.worked(first) == pytest.approx(first, abs=5.0), "counted twice"
        clock.close()


def test_a_folder_that_cannot_be_written_stops_no_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    clock = Clock(tmp_path / "file/clock.json", BEAT)
    clock.close()
    assert clock.worked(1.0) >= 1.0
