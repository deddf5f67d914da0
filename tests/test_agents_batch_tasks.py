"""Which tasks a batch has, what they are called, how shards divide them, and what becomes of single ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from agents.batch_entries import Prepared
from agents.batch_tasks import BatchTask, Shard, find_tasks, parse_shard, with_names
from grading.base import TaskError
from grading.task import load_spec
from graphs.folder import RunFolder
from tests.batches import MODEL, a_task, arguments, calls, orders, results, solve


def found(*named: object) -> list[Path]:
    """The tasks, where nothing may be passed over."""
    return find_tasks([str(name) for name in named], pytest.fail)


def test_files_folders_and_globs_are_taken_in_order_and_each_task_once(tmp_path: Path) -> None:
    tasks = [a_task(tmp_path / "many" / name) for name in ("b", "a", "c")]
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "train.csv").touch()
    competition = tmp_path / "bench/titanic"
    (competition / "prepared/public").mkdir(parents=True)
    (competition / "prepared/private").mkdir()
    (competition / "prepared/private/train.csv").touch()
    b, a, c = tasks
    assert found(c, tmp_path / "many") == [c, a, b]
    assert found(tmp_path / "many" / "*") == [a, b, c]
    assert found(tmp_path / "many" / "**") == [a, b, c]
    assert found(tmp_path / "*/[ab]/task.yaml") == [a, b]
    assert found(plain, a.parent, a) == [plain, a]
    assert found(tmp_path) == [competition, a, b, c, plain]
    assert found(competition / "prepared/public") == [competition]


def test_files_that_a_shell_brings_along_are_passed_over_and_said(tmp_path: Path) -> None:
    task, said = a_task(tmp_path / "a"), list[str]()
    (tmp_path / "README.md").touch()
    (tmp_path / "__pycache__").mkdir()
    named = [str(path) for path in sorted(tmp_path.iterdir())]
    assert find_tasks(named, said.append) == [task]
    assert len(said) == 2
    assert "README.md: is no task" in said[0]


@pytest.mark.parametrize("named", ["nowhere.yaml", "none*", "empty"])
def test_what_is_not_there_is_one_sentence(tmp_path: Path, named: str) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(TaskError, match=named.replace("*", r"\*")):
        found(tmp_path / named)


def test_tasks_of_one_name_get_folders_of_their_own_that_stay() -> None:
    one, two, three = Path("/x/titanic/task.yaml"), Path("/y/titanic/task.yaml"), Path("/x/titanic/other.yaml")
    alone = with_names([one], {})
    assert [task.name for task in alone] == ["titanic"]
    both = {task.path: task.name for task in with_names([one, two, three], {})}
    assert len(set(both.values())) == 3
    assert all(name.startswith("titanic-") for name in both.values())
    later = with_names([two, one, three], {str(one): "titanic"})
    assert [task.name for task in later] == [both[two], "titanic", "titanic-other"]


def test_names_are_plain_file_names() -> None:
    assert [task.name for task in with_names([Path("/x/a b/../ü;rm"), Path("/")], {})] == ["rm", "task"]


def test_shards_have_each_task_once_whatever_the_order() -> None:
    tasks = [BatchTask(str(number), Path(f"/{number}")) for number in (7, 3, 9, 1, 4)]
    parts = [Shard(number, 3).part(tasks) for number in (1, 2, 3)]
    assert sorted(task.name for part in parts for task in part) == ["1", "3", "4", "7", "9"]
    assert [set(Shard(number, 3).part(tasks[::-1])) for number in (1, 2, 3)] == [set(part) for part in parts]
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert Shard().part(tasks) == tasks


def test_a_shard_is_said_as_i_of_n() -> None:
    assert parse_shard("2/8") == Shard(2, 8)
    assert parse_shard(None) == Shard(1, 1)
    for text in ("0/8", "9/8", "1", "1/0", "a/b", "-1/8", "1/2/3"):
        with pytest.raises(TaskError, match="--shard"):
            parse_shard(text)


def test_a_run_that_is_refused_on_the_way_loses_nothing(tmp_path: Path) -> None:
    """A key is missing in this shell, say: once it is there, the same call goes on, and so does --again."""
    out, task = tmp_path / "out", a_task(tmp_path / "task", "machine", "refuse", "refuse", "ok")
    solve(out, task, retries=0)
    profile = RunFolder(out / "runs/task").profile
    profile.parent.mkdir()
    profile.touch()
    for again in (False, True):
        assert not solve(out, task, again=again).all_done
        found = results(out)["task"]
        assert (found["status"], found["code"], found["fault"]) == ("stopped", 2, "a sentence about refuse")
    assert solve(out, task).all_done
    assert calls(out) == [("task", "begin"), *[("task", "resume")] * 3]


@pytest.mark.parametrize(("blind", "left"), [(True, "graded/submission.csv"), (False, "attempts/0001/predictions.csv")])
def test_a_submission_that_was_removed_is_put_back_by_its_run_or_made_anew(
    tmp_path: Path, blind: bool, left: str
) -> None:
    out, task = tmp_path / "out", a_task(tmp_path / "task", "ok", "ok", "machine", "ok", text=f"models: {MODEL}\n")
    solve(out, task, usd=2.0)
    run = RunFolder(out / "runs/task")
    (run.path / left).parent.mkdir(parents=True)
    (run.path / left).touch()
    report = json.loads(run.report.read_text()) | {"blind": blind}
    report["attempts"][0]["runs"] = [{"view": 0, "predictions": left}]
    run.report.write_text(json.dumps(report))
    run.submission.unlink()
    assert solve(out, task, usd=2.0).all_done
    run.report.write_text(json.dumps(report))
    run.submission.unlink()
    assert not solve(out, task, retries=0).all_done
    (run.path / left).unlink()
    assert solve(out, task, usd=2.0).all_done
    assert calls(out) == [("task", "begin"), ("task", "resume"), ("task", "resume"), ("task", "begin")]
    assert arguments(out, "task")[-2:] == ["--usd", "2.000000"]
    assert (out / "earlier/task/1/report.json").exists()


MISTAKES = {
    "data": 'data: "\\0x"',
    "files.train": 'files: {train: "a\\0"}',
    "metric.file": 'metric: {file: "\\0.py", direction: minimize}',
    "views.file": 'views: {file: "~nobody-of-this-name/a.py"}',
    "mounts.w": f"mounts: {{w: {'a' * 300}}}",
    "'prices.m.inputs'": "prices: {m: {input: 1, output: 1, inputs: 1}}",
}


@pytest.mark.parametrize("field", MISTAKES)
def test_a_mistake_in_one_task_file_costs_one_task_and_is_one_sentence(tmp_path: Path, field: str) -> None:
    out, wrong = tmp_path / "out", a_task(tmp_path / "wrong", "refuse", text=MISTAKES[field])
    solve(out, wrong, a_task(tmp_path / "right"))
    assert {name: row["status"] for name, row in results(out).items()} == {"wrong": "refused", "right": "done"}
    with pytest.raises(TaskError, match=rf"{re.escape(str(wrong))}: [^:]*{re.escape(field)}"):
        load_spec(wrong)


def test_what_nobody_foresaw_of_one_task_is_left_to_its_own_process(tmp_path: Path) -> None:
    prepared = Prepared(BatchTask("a", Path("~nobody-of-this-name/task.yaml")), orders(tmp_path))
    with pytest.raises(RuntimeError):
        load_spec(prepared.task.path)
    assert prepared.size() == 0
    assert prepared.job(None, False).task == "~nobody-of-this-name/task.yaml"


def test_a_done_task_whose_run_says_nothing_of_what_it_delivered_is_begun_anew(tmp_path: Path) -> None:
    out, task = tmp_path / "out", a_task(tmp_path / "task")
    solve(out, task)
    run = RunFolder(out / "runs/task")
    run.submission.unlink()
    run.report.unlink()
    assert solve(out, task).all_done
    assert calls(out) == [("task", "begin"), ("task", "begin")]


def test_a_cap_is_never_rounded_up(tmp_path: Path) -> None:
    out = tmp_path / "out"
    solve(out, a_task(tmp_path / "task", text=f"models: {MODEL}\n"), total_usd=0.6666667)
    assert arguments(out, "task")[-2:] == ["--usd", "0.666666"]
