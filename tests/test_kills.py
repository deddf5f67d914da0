"""kill -9 of a run's whole process tree at each boundary of a node and at random moments, with real containers.

Whatever the moment, the run that goes on ends as the run that nobody killed did: tests/mortal_run.py makes both.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.test_end_to_end import ROOT, containers, ids, wait_until

pytestmark = pytest.mark.docker

SEED = os.environ.get("LINGUACODUS_TEST_SEED", "0")
SECONDS = 280
"""No run takes so long, also on a machine that does other things."""
DOWNTIME = 10.0
MOMENTS = 50
LINKS = 5
"""So many kills, one after the other, hit the run of the chain."""
ONCE = ("describe", "propose", "critique", "rank", "finish")
REPEATED = {"plan": 4, "write": 2, "execute": 3, "grade": 3, "record": 3}
BOUNDARIES = [
    *((name, moment, 1) for name in ONCE for moment in ("start", "end")),
    *(
        (name, moment, nth + 1)
        for name, times in REPEATED.items()
        for moment in ("start", "end")
        for nth in range(times)
    ),
    ("review", "start", 1),  # then it waits for a person
    ("review", "start", 2),
    ("review", "end", 1),
]


@dataclass(frozen=True)
class Ended:
    """A run that came to its end."""

    folder: Path
    seconds: float
    """What its processes lasted together."""

    @property
    def report(self) -> dict[str, Any]:
        report: dict[str, Any] = json.loads((self.folder / "report.json").read_text())
        return report

    def outcome(self) -> dict[str, Any]:
        """What must not depend on a kill. Times are no part of it."""
        report = self.report
        attempts = [{key: a[key] for key in ("id", "instruction", "tries", "status")} for a in report["attempts"]]
        runs = [[(run["view"], run["status"], run["value"]) for run in a["runs"]] for a in report["attempts"]]
        told = {key: report["delivery"][key] for key in ("source", "estimate", "low", "high", "faults")}
        return {"attempts": attempts, "runs": runs, "winner": report["winner"], "delivery": told}


def start(folder: Path, *dies_at: object) -> subprocess.Popen[str]:
    """A run, or its continuation, in a session of its own."""
    words = [sys.executable, "-m", "tests.mortal_run", str(folder), str(log_of(folder)), *map(str, dies_at)]
    env = os.environ | {"LANGGRAPH_STRICT_MSGPACK": "true"}
    return subprocess.Popen(words, cwd=ROOT, env=env, stderr=subprocess.PIPE, text=True, start_new_session=True)


def log_of(folder: Path) -> Path:
    return folder.with_suffix(".log")


def kill(process: subprocess.Popen[str]) -> None:
    """The process and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # it has ended
    process.communicate()


def lines(folder: Path) -> list[dict[str, Any]]:
    text = log_of(folder).read_text() if log_of(folder).exists() else ""
    return [json.loads(line) for line in text.splitlines()]


def executed(folder: Path) -> dict[Path, tuple[int, int]]:
    """The results of the executions that have ended, and whose end a checkpoint holds: what none may do again."""
    count = sum(line.get("node") == "grade" and line["moment"] == "start" for line in lines(folder))
    found = [
        (path.stat().st_mtime_ns, path.stat().st_ino, path) for path in folder.glob("attempts/*/try-*/*/result.json")
    ]
    return {path: (time_ns, inode) for time_ns, inode, path in sorted(found)[:count]}


def assert_consistent(folder: Path) -> None:
    """What a person finds after the kill: from the first graded attempt on, a valid submission."""
    submission = folder / "submission.csv"
    if any(line.get("event") == "ended" for line in lines(folder)):
        assert submission.exists(), "an attempt was graded, and there is no submission"
    if submission.exists():
        assert ids(submission) == ids(ROOT / "examples/breast-cancer/public/sample_submission.csv")


def go_on(folder: Path, seconds: float) -> Ended:
    """Go on with a run whose processes have lasted `seconds`, to its end."""
    before, began = executed(folder), time.monotonic()
    process = start(folder)
    try:
        _, said = process.communicate(timeout=SECONDS)
    finally:
        kill(process)
    assert process.returncode == 0, said
    assert not containers(process)
    assert {path: (path.stat().st_mtime_ns, path.stat().st_ino) for path in before} == before, "done twice"
    return Ended(folder, seconds + time.monotonic() - began)


def assert_as_if_nothing_had_happened(run: Ended, whole: Ended) -> None:
    assert run.outcome() == whole.outcome()
    assert (run.folder / "submission.csv").read_bytes() == (whole.folder / "submission.csv").read_bytes()
    assert (run.folder / "solution/solution.py").read_bytes() == (whole.folder / "solution/solution.py").read_bytes()
    assert 0 < run.report["seconds"] <= run.seconds, "downtime was counted"


def killed_at(folder: Path, seconds: float) -> float:
    """Begin, or go on, and kill so many seconds later; how long it lived."""
    began = time.monotonic()
    process = start(folder)
    time.sleep(seconds)
    kill(process)
    lived = time.monotonic() - began
    assert wait_until(lambda: not containers(process, running=True), 30), "a container outlived its killed client"
    assert_consistent(folder)
    return lived


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Ended:
    """The run that nobody kills."""
    return go_on(tmp_path_factory.mktemp("whole") / "run", 0.0)


@pytest.mark.long(always=True)
@pytest.mark.timeout(3 * SECONDS)
@pytest.mark.parametrize(("node", "moment", "nth"), BOUNDARIES)
def test_a_run_that_is_killed_between_two_nodes(node: str, moment: str, nth: int, whole: Ended, tmp_path: Path) -> None:
    folder = tmp_path / "run"
    began = time.monotonic()
    process = start(folder, node, moment, nth)
    try:
        _, said = process.communicate(timeout=SECONDS)
    finally:
        kill(process)
    lived = time.monotonic() - began
    assert process.returncode == -signal.SIGKILL, said
    assert wait_until(lambda: not containers(process, running=True), 30), "a container outlived its killed client"
    assert_consistent(folder)
    assert_as_if_nothing_had_happened(go_on(folder, lived), whole)


@pytest.mark.long(always=True)
@pytest.mark.timeout(3 * SECONDS)
@pytest.mark.parametrize("number", range(MOMENTS))
def test_a_run_that_is_killed_at_any_moment(number: int, whole: Ended, tmp_path: Path) -> None:
    """One in each fiftieth of the time that the whole run takes."""
    moment = (number + random.Random(f"{SEED}-{number}").random()) / MOMENTS * whole.seconds
    lived = killed_at(tmp_path / "run", moment)
    assert_as_if_nothing_had_happened(go_on(tmp_path / "run", lived), whole)


@pytest.mark.long
@pytest.mark.timeout((LINKS + 2) * SECONDS)
def test_a_run_that_is_killed_again_and_again(whole: Ended, tmp_path: Path) -> None:
    dice = random.Random(f"{SEED}-chain")
    lived = sum(killed_at(tmp_path / "run", dice.uniform(0.2, 0.8) * whole.seconds) for _ in range(LINKS))
    time.sleep(DOWNTIME)
    assert_as_if_nothing_had_happened(go_on(tmp_path / "run", lived), whole)
