"""The batch over tasks whose runs end as their files say: order, crashes, retries, what is missing, money, results."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sqlite3
import threading
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from agents.batch_entries import Prepared
from agents.batch_job import Job, work
from agents.batch_share import Share, share_options
from agents.batch_table import Row, open_table, read_rows
from agents.batch_tasks import BatchTask, Shard
from agents.batch_terminal import Board
from grading.base import TaskError
from grading.task import load_spec
from graphs.context import Context
from graphs.prepare import prepare
from sandbox.files import locked
from tests.batches import MODEL, a_task, arguments, calls, orders, results, solve


def test_tasks_are_begun_in_order_and_all_results_are_written(tmp_path: Path) -> None:
    out, paths = tmp_path / "out", [a_task(tmp_path / name) for name in ("c", "a", "b")]
    closing = solve(out, *paths)
    assert closing.all_done
    assert calls(out) == [("c", "begin"), ("a", "begin"), ("b", "begin")]
    lines = list(csv.DictReader((out / "results.csv").open()))
    assert [line["name"] for line in lines] == ["a", "b", "c"]
    assert {(line["valid"], line["estimate"], line["low"], line["high"]) for line in lines} == {
        ("True", "1.5", "1.0", "2.0")
    }
    whole = json.loads((out / "results.json").read_text())
    assert whole["totals"]["valid"] == whole["totals"]["tasks"] == 3
    assert (out / whole["tasks"][0]["submission"]).read_text() == "id,y\n1,0\n"


def test_a_crash_costs_one_task_and_only_the_machines_failures_are_tried_again(tmp_path: Path) -> None:
    out = tmp_path / "out"
    steps = {"crash": ["crash"], "mended": ["machine", "kill", "ok"], "refused": ["refuse"], "poor": ["invalid"]}
    closing = solve(out, *(a_task(tmp_path / name, *said) for name, said in steps.items()), a_task(tmp_path / "good"))
    assert not closing.all_done
    found = results(out)
    assert {name: (row["status"], row["tries"], row["code"]) for name, row in found.items()} == {
        "crash": ("failed", 3, 1),
        "mended": ("done", 3, 0),
        "refused": ("refused", 1, 2),
        "poor": ("invalid", 1, 1),
        "good": ("done", 1, 0),
    }
    assert found["crash"]["fault"] == "exit code 1: RuntimeError: a bug of ours"
    assert found["refused"]["fault"] == "a sentence about refuse"
    assert found["poor"]["fault"] == "nothing worked; the last attempt: timeout after 9 s"
    assert "Traceback" in (out / "runs/crash.log").read_text()
    assert calls(out).count(("mended", "resume")) == 2


def test_the_same_call_again_begins_only_what_is_missing(tmp_path: Path) -> None:
    out, said = tmp_path / "out", list[str]()
    good, poor = a_task(tmp_path / "good"), a_task(tmp_path / "poor", "invalid", "ok")
    broken, refused = a_task(tmp_path / "broken", "machine", "ok"), a_task(tmp_path / "refused", "refuse", "ok")
    solve(out, good, poor, broken, refused, retries=0)
    before = len(calls(out))
    closing = solve(out, good, poor, broken, refused, a_task(tmp_path / "new"), say=said.append)
    assert calls(out)[before:] == [("broken", "resume"), ("new", "begin")]
    assert "3 of 5 tasks" in said[0]
    assert not closing.all_done
    before = len(calls(out))
    assert solve(out, good, poor, broken, refused, again=True).all_done
    assert calls(out)[before:] == [("poor", "begin"), ("refused", "begin")]
    assert (out / "earlier/poor/1/report.json").exists()


def test_tasks_with_larger_tables_begin_first(tmp_path: Path) -> None:
    out, tasks = tmp_path / "out", [a_task(tmp_path / name) for name in ("a", "b", "c")]
    with (tmp_path / "b/train.csv").open("a") as table:
        table.writelines(f"{row},1,2\n" for row in range(2, 1000))
    solve(out, *tasks)
    assert [name for name, _ in calls(out)] == ["b", "a", "c"]


def test_what_was_done_is_done_again_only_where_its_result_is_gone(tmp_path: Path) -> None:
    out, task = tmp_path / "out", a_task(tmp_path / "task")
    solve(out, task)
    shutil.rmtree(out / "runs/task")
    assert solve(out, task).all_done
    assert calls(out) == [("task", "begin"), ("task", "begin")]


def test_a_run_that_was_cut_off_is_gone_on_with_and_one_without_a_record_begun_anew(tmp_path: Path) -> None:
    out, task = tmp_path / "out", a_task(tmp_path / "task")
    (out / "runs/task").mkdir(parents=True)
    (out / "runs/task/.task.json.17").touch()
    with open_table(out, Shard()) as table:
        table.put(Row("task", str(task), "running", tries=1))
    assert solve(out, task).all_done
    assert calls(out) == [("task", "begin")]
    assert results(out)["task"]["tries"] == 2


def test_a_run_that_another_process_works_on_is_waited_for(tmp_path: Path) -> None:
    out, task = tmp_path / "out", a_task(tmp_path / "task")
    (out / "runs/task").mkdir(parents=True)
    lock = locked(out / "runs/task/run.lock")
    threading.Timer(0.3, lock.close).start()
    assert solve(out, task).all_done
    stopping = threading.Event()
    stopping.set()
    with locked(out / "runs/task/run.lock"):
        assert work(Job("task", str(task), str(out)), stopping).status == "stopped"


def test_one_process_works_on_a_batch(tmp_path: Path) -> None:
    out, task = tmp_path / "out", a_task(tmp_path / "task")
    out.mkdir()
    with locked(out / "batch.lock"), pytest.raises(TaskError, match="worked on by another process"):
        solve(out, task)


def test_shards_keep_tables_of_their_own_and_share_the_results(tmp_path: Path) -> None:
    out, paths = tmp_path / "out", [a_task(tmp_path / name) for name in "abcde"]
    for number in (1, 2, 3):
        solve(out, *paths, shard=Shard(number, 3))
    assert sorted(results(out)) == list("abcde")
    assert sorted(calls(out)) == [(name, "begin") for name in "abcde"]
    assert len(list(out.glob("batch-*-of-3.sqlite"))) == 3
    assert solve(out, *paths).all_done
    assert solve(out, *paths, shard=Shard(1, 2)).all_done
    assert len(calls(out)) == 5


def test_tasks_of_one_name_do_not_meet(tmp_path: Path) -> None:
    out = tmp_path / "out"
    solve(out, a_task(tmp_path / "x/task"), a_task(tmp_path / "y/task", "invalid"))
    assert sorted(row["status"] for row in results(out).values()) == ["done", "invalid"]


def test_what_a_broken_table_says_is_one_sentence(tmp_path: Path) -> None:
    out, task = tmp_path / "out", a_task(tmp_path / "task")
    out.mkdir()
    (out / "batch.sqlite").write_bytes(b"no table at all, but long enough to be read as one" * 50)
    with pytest.raises(TaskError, match=r"batch\.sqlite cannot be used"):
        solve(out, task)


def test_the_newest_row_of_a_task_counts(tmp_path: Path) -> None:
    for number, status in ((1, "done"), (2, "failed")):
        with open_table(tmp_path, Shard(number, 2)) as table:
            table.put(Row("a", "/a", status, changed=10.0 - number))  # type: ignore[arg-type]
    sqlite3.connect(tmp_path / "batch-3-of-3.sqlite").close()
    assert read_rows(tmp_path)["a"].status == "done"


class Page(HTMLParser):
    """The tags and links of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]


def test_the_page_is_escaped_and_its_links_hold(tmp_path: Path) -> None:
    out = tmp_path / "out"
    solve(out, a_task(tmp_path / "<script>x"), a_task(tmp_path / "refused", "refuse"))
    page = Page()
    page.feed((out / "index.html").read_text())
    assert not {"script", "b", "img"} & set(page.tags)
    assert len(page.links) == 4
    assert all((out / link).is_file() for link in page.links)


def test_the_cap_of_the_batch_cannot_be_passed(tmp_path: Path) -> None:
    out, asks = tmp_path / "out", f"models: {MODEL}\n"
    paths = [a_task(tmp_path / name, text=asks, usd=0.6) for name in "abc"]
    free = a_task(tmp_path / "free")
    closing = solve(out, *paths, free, total_usd=1.0)
    assert not closing.all_done
    assert arguments(out, "a")[-2:] == ["--usd", "1.000000"]
    assert arguments(out, "b")[-2:] == ["--usd", "0.400000"]
    assert [name for name, _ in calls(out)] == ["a", "b", "free"]
    waiting = results(out)["c"]
    assert waiting["status"] == "waiting"
    assert "--total-usd 1" in waiting["fault"]
    assert solve(out, *paths, free, total_usd=10.0).all_done
    assert arguments(out, "c")[-2:] == ["--usd", "8.800000"]


def test_the_cap_is_shared_among_the_workers_and_a_tasks_own_is_lower(tmp_path: Path) -> None:
    out, asks = tmp_path / "out", f"models: {MODEL}\n"
    own = a_task(tmp_path / "own", text=asks + "budget: {usd: 0.2}\n", seconds=0.1)
    other, third = (a_task(tmp_path / name, text=asks, seconds=0.1) for name in ("other", "third"))
    solve(out, own, other, third, workers=2, total_usd=3.0)
    assert arguments(out, "own")[-2:] == ["--usd", "0.200000"]
    assert arguments(out, "other")[-2:] == ["--usd", "2.800000"]


def test_a_run_that_was_begun_is_paid_from_what_is_left_of_its_own_cap(tmp_path: Path) -> None:
    task = a_task(tmp_path / "task", text=f"models: {MODEL}\nprices: {{'{MODEL}': {{input: 1, output: 1}}}}\n")
    prepare(str(task), str(tmp_path / "runs/task"), Context(usd=2.0, ranker="prior"))
    wish = Prepared(BatchTask("task", task), orders(tmp_path)).wish(anew=False)
    assert (wish.asks, wish.cap, wish.begun) == (True, 2.0, True)


def test_a_share_is_never_passed_and_a_tasks_own_limits_count(tmp_path: Path) -> None:
    assert share_options(Share(1, 4000), None) == ["--parallel", "1", "--cpus", "1", "--memory-mb", "2000"]
    assert share_options(Share(8, 16000), None) == ["--parallel", "2", "--cpus", "4", "--memory-mb", "5333"]
    assert share_options(Share(0.5, 4000), None) == ["--parallel", "1", "--cpus", "0.5", "--memory-mb", "2000"]
    spec = load_spec(a_task(tmp_path / "a", text="limits: {cpus: 2, memory_mb: 900}\n"))
    assert share_options(Share(4, 16000), spec) == ["--parallel", "2", "--cpus", "2", "--memory-mb", "900"]
    assert share_options(Share(1, 1000), spec) == ["--parallel", "1", "--cpus", "1", "--memory-mb", "500"]


def test_the_live_table_shows_what_runs_and_what_came_out_also_where_it_is_narrow() -> None:
    done = Row("spaceship-titanic", "/a", "done", metric="rmse", estimate=1.5, winner="0001: Trees", seconds=90.0)
    board = Board({row.name: row for row in (done, Row("b", "/b", "running", begun=time.time()), Row("c", "/c"))})
    board.take(Row("c", "/c", "refused", fault="a sentence", usd=0.25))
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(board.render())
    shown = console.export_text()
    for text in (
        "done",
        "rmse 1.5",
        "running",
        "refused",
        "a sentence",
        "0.2500",
        "3 tasks: 1 done, 1 running, 1 refused",
    ):
        assert text in shown
