"""What is no fault of a batch's tasks: a machine that is away, a full disk, a broken table, money that is spent."""

from __future__ import annotations

import gc
import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from agents.batch_job import Ended, Job
from agents.batch_loop import LONGEST, Outage
from agents.batch_money import fair_part
from agents.batch_session import Call, Closing, run_batch
from agents.batch_table import Row, open_table, read_rows
from agents.batch_tasks import Shard
from grading.base import TaskError
from graphs.full_disk import DiskFull
from sandbox.base import SandboxError
from tests.batches import MODEL, a_task, arguments, calls, orders, results, solve
from tests.engines import fill, loop_disk

AWAY = Ended("failed", 3, 0.0, 0.0, "exit code 3: no engine answers")
LOST = Ended("failed", None, 0.0, 0.0, "its node was lost")
CRASH = Ended("failed", 1, 0.0, 0.0, "exit code 1: a bug of ours")
DONE = Ended("done", 0, 0.0, 0.0)


@dataclass
class Machine:
    """A runner that ends each task at once, as `end` says of its name."""

    end: Callable[[str], Ended]
    begun: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """What the batch said."""

    def start(self, job: Job) -> Future[Ended]:
        self.begun.append(job.name)
        ended: Future[Ended] = Future()
        ended.set_result(self.end(job.name))
        return ended

    def stop(self) -> None: ...

    @contextmanager
    def lent(self) -> Iterator[Machine]:
        yield self


def work_on(
    machine: Machine, folder: Path, names: str, workers: int = 1, pause_s: float = 0.3, retries: int = 2
) -> tuple[Closing, list[str]]:
    """A call over tasks with these letters, and what it said."""
    paths, said = [a_task(folder / name) for name in names], machine.said
    call = Call(paths, orders(folder / "out"), workers, pause_s=pause_s, retries=retries, quiet=True, say=said.append)
    return run_batch(call, machine.lent), said


def away_for(waits: int, how: Ended = AWAY) -> Machine:
    """A machine that fails everything until the batch has said so often that it waits."""
    said: list[str] = []
    return Machine(lambda _: how if len(said) < waits else DONE, said=said)


@pytest.mark.parametrize("how", [AWAY, LOST])
def test_an_outage_costs_a_few_tries_and_no_task(how: Ended, tmp_path: Path) -> None:
    machine, since = away_for(2, how), time.monotonic()
    closing, said = work_on(machine, tmp_path, "abcdef")
    assert closing.all_done
    assert time.monotonic() - since > 0.3 + 0.6
    assert machine.begun[:4] == list("abcd")
    assert sorted(machine.begun[4:]) == list("abcef")
    assert said == [
        f"The machine has failed {number} tasks in a row (the last: {how.fault}), so the batch waits {wait} s before "
        "it begins another."
        for number, wait in ((2, 0.3), (3, 0.6))
    ]


def test_tasks_side_by_side_that_fail_at_once_are_one_outage_and_then_one_tries(tmp_path: Path) -> None:
    """None of the four that fail at once has met a longer outage than the others; e fails alone, f is done."""
    machine = away_for(2)
    closing, said = work_on(machine, tmp_path, "abcdefghij", workers=4)
    assert closing.all_done
    assert machine.begun[:6] == list("abcdef")
    assert len(machine.begun) == 10 + 5
    assert ["waits 0.3 s" in said[0], "waits 0.6 s" in said[1], len(said)] == [True, True, 2]


def test_the_waits_grow_to_a_bound_and_a_task_that_lives_ends_them() -> None:
    outage = Outage(20.0)
    assert [outage.met("a", 0.0), outage.met("a", 1.0), outage.until] == [False, False, 0.0]
    assert outage.met("b", 2.0)
    assert outage.until == 22.0
    assert not outage.met("c", 3.0)
    waits = []
    for number in range(7):
        outage.begun(f"n{number}", 100.0)
        assert outage.until == 100.0 + outage.wait_s
        assert outage.met(f"n{number}", 200.0)
        waits.append(outage.until - 200.0)
    assert waits == [40.0, 80.0, 160.0, 320.0, 600.0, 600.0, 600.0]
    assert LONGEST * 20.0 == 600.0


@pytest.mark.parametrize("own", [AWAY, CRASH])
def test_what_one_task_fails_by_does_not_slow_the_others_down(own: Ended, tmp_path: Path) -> None:
    """Of a machine that is there: the tasks b and d fail by themselves, or several crash by a bug of ours."""
    bad = "bd" if own == AWAY else "bcd"
    machine, since = Machine(lambda name: own if name in bad else DONE), time.monotonic()
    closing, said = work_on(machine, tmp_path, "abcdef", pause_s=60.0, retries=0)
    assert time.monotonic() - since < 30
    assert machine.begun == list("abcdef")
    assert not said
    assert [name for name, row in closing.rows.items() if row.status == "failed"] == list(bad)


def test_one_task_that_fails_at_every_try_waits_by_itself(tmp_path: Path) -> None:
    closing, said = work_on(Machine(lambda _: AWAY), tmp_path, "a")
    assert (closing.rows["a"].status, closing.rows["a"].tries, said) == ("failed", 3, [])


def test_sigterm_ends_the_wait_at_once(tmp_path: Path) -> None:
    said: list[str] = []

    def stop(sentence: str) -> None:
        said.append(sentence)
        if "waits" in sentence:
            os.kill(os.getpid(), signal.SIGTERM)

    paths, since = [a_task(tmp_path / name) for name in "abc"], time.monotonic()
    call = Call(paths, orders(tmp_path / "out"), 1, pause_s=60.0, quiet=True, say=stop)
    closing = run_batch(call, Machine(lambda _: AWAY).lent)
    assert time.monotonic() - since < 30
    assert closing.interrupted
    assert {name: row.status for name, row in closing.rows.items()} == {"a": "failed", "b": "failed", "c": "waiting"}
    assert len(said) == 2


def test_a_table_on_a_full_disk_is_the_machines_failure_and_stays_whole(tmp_path: Path) -> None:

    def fill_table() -> None:
        with open_table(tmp_path, Shard()) as table:
            table.put(Row("a", "/a", "done"))
            table.connection.execute("PRAGMA max_page_count = 3")
            table.put(*(Row(f"b{number}", "/b" * 500) for number in range(100)))

    with pytest.raises(DiskFull, match=f"{tmp_path} is full") as fault:
        fill_table()
    assert "\n" not in str(fault.value)
    assert "the same command then goes on" in str(fault.value)
    assert list(read_rows(tmp_path)) == ["a"]


def test_a_table_that_cannot_be_written_is_the_machines_failure(tmp_path: Path) -> None:
    """As on a disk that breaks, or where a quota ends: here where files may not grow any more."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)

    def write_on() -> None:
        with open_table(tmp_path, Shard()) as table:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
            table.put(*(Row(f"b{number}", "/b" * 500) for number in range(100)))

    try:
        with pytest.raises(SandboxError, match=r"batch\.sqlite cannot be used \(disk I/O error\)"):
            write_on()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.long
def test_a_batch_whose_disk_fills_up_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with loop_disk(tmp_path, 4):
        disk = tmp_path / "disk"
        paths = [a_task(tmp_path / name) for name in "abc"]

        def end(name: str) -> Ended:
            if name == "b":
                fill(disk)
            return DONE

        call = Call(paths, orders(disk / "out"), 1, quiet=True)
        with pytest.raises(DiskFull, match="is full"):
            run_batch(call, Machine(end).lent)
        (disk / "filler").unlink()
        rows = read_rows(disk / "out")
        assert (rows["a"].status, rows["c"].status) == ("done", "waiting")
        machine = Machine(lambda _: DONE)
        assert run_batch(call, machine.lent).all_done
        gc.collect()  # an exception that was caught holds cursors, and those hold files


def test_another_shards_broken_table_is_left_out_and_this_shard_goes_on(tmp_path: Path) -> None:
    out, paths, said = tmp_path / "out", [a_task(tmp_path / name) for name in "abcd"], list[str]()
    solve(out, *paths, shard=Shard(2, 2))
    (out / "batch-2-of-2.sqlite").write_bytes(b"no table at all, but long enough to be read as one" * 50)
    assert solve(out, *paths, shard=Shard(1, 2), say=said.append).all_done
    assert sorted(results(out)) == ["a", "c"]
    assert len(said) == 1
    assert "batch-2-of-2.sqlite cannot be used" in said[0]
    for shard in (Shard(2, 2), Shard(1, 3), Shard()):
        with pytest.raises(TaskError, match=r"batch-2-of-2\.sqlite cannot be used"):
            solve(out, *paths, shard=shard)


def test_a_table_that_breaks_meanwhile_does_not_end_the_batch(tmp_path: Path) -> None:
    """Also one of another N, where this shard has begun already."""

    def end(_: str) -> Ended:
        (tmp_path / "out/batch-4-of-5.sqlite").write_bytes(b"no table at all" * 200)
        return DONE

    closing, said = work_on(Machine(end), tmp_path, "abc")
    assert closing.all_done
    assert sorted(results(tmp_path / "out")) == ["a", "b", "c"]
    assert len(said) == 1


def test_what_one_part_has_spent_beyond_its_own_is_missing_for_the_others() -> None:
    assert fair_part(10.0, [0.0, 0.0]) == fair_part(10.0, [5.0, 0.0]) == 5.0
    assert fair_part(10.0, [9.0, 0.0]) == 1.0
    assert fair_part(12.0, [9.0, 0.0, 0.0]) == fair_part(12.0, [9.0, 1.5, 0.0]) == 1.5
    assert fair_part(12.0, [9.0, 3.0, 0.0]) == fair_part(-1.0, [0.0, 0.0]) == 0.0


def test_another_number_of_shards_cannot_pass_the_cap(tmp_path: Path) -> None:
    """The cap is 10 USD; a call without --shard has spent 9 of them on the task a, and 0.5 on one no longer named."""
    out, asks = tmp_path / "out", f"models: {MODEL}\n"
    gone, first = (a_task(tmp_path / name, text=asks, usd=usd) for name, usd in (("gone", 0.5), ("a", 9.0)))
    solve(out, gone, first, total_usd=10.0)
    paths = [first, *(a_task(tmp_path / name, text=asks, usd=0.1) for name in "bcd")]
    solve(out, *paths, shard=Shard(2, 2), total_usd=10.0)
    assert arguments(out, "b")[-2:] == ["--usd", "0.500000"]
    assert arguments(out, "d")[-2:] == ["--usd", "0.400000"]
    assert not solve(out, *paths, shard=Shard(1, 2), total_usd=10.0).all_done
    assert "c" not in dict(calls(out))


def test_shards_that_begin_one_after_the_other_have_equal_parts(tmp_path: Path) -> None:
    out, asks = tmp_path / "out", f"models: {MODEL}\n"
    paths = [a_task(tmp_path / name, text=asks, usd=5.0) for name in "ab"]
    for number, name in ((1, "a"), (2, "b")):
        solve(out, *paths, shard=Shard(number, 2), total_usd=10.0)
        assert arguments(out, name)[-2:] == ["--usd", "5.000000"]
