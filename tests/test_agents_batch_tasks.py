"""Which tasks a batch has, what they are called, and how shards divide them."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.batch_tasks import BatchTask, Shard, find_tasks, parse_shard, with_names
from grading.base import TaskError
from tests.batches import a_task


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
