"""Files of records: what is written is read again, what was cut off is passed over, what is wrong is one sentence."""

from __future__ import annotations

import gzip
import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ranker import records
from ranker.records import (
    LONGEST_LINE,
    InstructionRecord,
    Record,
    RecordError,
    TaskRecord,
    append_record,
    finite,
    normalised,
    read_records,
    write_records,
)

ROOT = Path(__file__).resolve().parent.parent
NAMES = ["records.jsonl", "records.jsonl.gz"]
WRITER = """
import sys
from pathlib import Path
from ranker.records import Record, append_record
record = Record.model_validate_json(sys.stdin.read())
for turn in range(int(sys.argv[2])):
    append_record(Path(sys.argv[1]), record)
"""


def a_record(text: str = "Model: forest.", **changes: Any) -> Record:
    """One outcome of a plan on a task."""
    fields: dict[str, Any] = {
        "task": TaskRecord(id="t1", text="tabular regression", numbers={"rows": 100.0, "probe_linear": -0.25}),
        "instruction": InstructionRecord(id="recipe-forest", text=text, source="recipe:forest"),
        "score": 1.5,
        "error": 0.25,
        "higher_is_better": False,
        "metric": "rmse",
        "seconds": 3.0,
        "status": "ok",
        "versions": {"linguacodus": "1"},
    }
    return Record(**(fields | changes))


def a_line(**changes: Any) -> str:
    """The record as a line, where a field named `task.text` is that of the task."""
    fields = json.loads(a_record().model_dump_json())
    for name, value in changes.items():
        *path, last = name.split("__")
        place = fields
        for step in path:
            place = place[step]
        if value is ...:
            del place[last]
        else:
            place[last] = value
    return json.dumps(fields) + "\n"


def read(path: Path) -> list[Record]:
    return list(read_records(path))


def fault(path: Path) -> str:
    """The sentence that reading ends with."""
    with pytest.raises(RecordError) as caught:
        read(path)
    sentence = str(caught.value)
    assert sentence.endswith(".")
    assert len(sentence.splitlines()) == 1
    assert str(path) in sentence
    return sentence


@pytest.mark.parametrize("name", NAMES)
def test_what_is_written_is_read_again(tmp_path: Path, name: str) -> None:
    failed = a_record("Modèle : réseau 網 🌲\n\u2028\x00", score=None, error=None, status="timeout")
    written = [a_record(), failed, a_record(higher_is_better=True, quick=0.5, quick_seconds=0.1)]
    write_records(tmp_path / name, written)
    assert read(tmp_path / name) == written
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert ((tmp_path / name).read_bytes()[:2] == b"\x1f\x8b") == name.endswith(".gz")


def test_a_failed_write_leaves_the_old_file_whole(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    write_records(path, [a_record()])

    def breaking() -> Any:
        yield a_record(score=2.0)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_records(path, breaking())
    assert read(path) == [a_record()]


def test_the_longest_record_that_can_be_made_can_be_read(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    worst = "\x01" * 20_000
    task = TaskRecord(id="t" * 300, text=worst, numbers={})
    record = a_record(worst, task=task)
    append_record(path, record)
    assert read(path) == [record]


@pytest.mark.parametrize("cut", [1, 5, 40, 200])
def test_a_last_line_that_a_kill_cut_off_is_passed_over(tmp_path: Path, cut: int) -> None:
    path = tmp_path / "records.jsonl"
    for _ in range(3):
        append_record(path, a_record())
    path.write_bytes(path.read_bytes()[:-cut])
    assert read(path) == [a_record()] * 2


def test_a_cut_in_the_middle_of_a_letter_is_passed_over_too(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    append_record(path, a_record())
    append_record(path, a_record("Modèle"))
    whole = path.read_bytes()
    path.write_bytes(whole[: whole.index("è".encode()) + 1])
    assert read(path) == [a_record()]


def test_an_empty_file_holds_no_record(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").touch()
    assert read(tmp_path / "records.jsonl") == []


@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("no json\n", "the line: Invalid JSON"),
        ("[]\n", "the line: "),
        ("\n", "the line: Invalid JSON"),
        (a_line(task__id=...), "task.id: Field required"),
        (a_line(task__text=""), "task.text: "),
        (a_line(task__text="x" * 20_001), "task.text: "),
        (a_line(task__role="validation"), "task.role: "),
        (a_line(task__numbers={"rows": "many"}), "task.numbers.rows: "),
        (a_line(task__numbers={"rows": math.inf}), "task.numbers.rows: "),
        (a_line(instruction__source=...), "instruction.source: Field required"),
        (a_line(score="good"), "score: "),
        (a_line(score=math.nan), "score: "),
        (a_line(seconds=-1), "seconds: "),
        (a_line(surprise=1), "surprise: Extra inputs are not permitted"),
        (a_line(**{"\x1b[2J\nforged": 1}), "?[2J?forged: "),
        (a_line(**{"n" * 100_000: 1}), "n" * records.MOST_SHOWN + ": "),
    ],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_line_that_is_no_record_is_named_with_file_line_and_field(
    tmp_path: Path, name: str, line: str, wanted: str
) -> None:
    path, text = tmp_path / name, (a_line() + line + a_line()).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)
    assert f", line 2: {wanted}" in fault(path)


def test_lines_before_a_wrong_one_are_handed_out(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(a_line() + "no json\n")
    lines = read_records(path)
    assert next(lines) == a_record()
    with pytest.raises(RecordError):
        next(lines)


def test_bytes_that_are_no_text_are_a_wrong_line(tmp_path: Path) -> None:
    path = tmp_path / "records.jsonl"
    path.write_bytes(a_line().encode() + a_line(task__text="é").replace("\\u00e9", "é").encode("latin-1"))
    assert ", line 2: " in fault(path)


@pytest.mark.parametrize("end", ["\n", ""])
def test_a_line_that_is_too_long_is_not_held_in_memory(tmp_path: Path, end: str) -> None:
    path = tmp_path / "records.jsonl"
    path.write_text(a_line() + "x" * (3 * LONGEST_LINE) + end)
    assert f"line 2: longer than {LONGEST_LINE:,} bytes" in fault(path)


@pytest.mark.parametrize("name", NAMES)
def test_a_file_that_unpacks_to_more_than_is_allowed_is_not_read_to_its_end(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "MOST_BYTES", 5_000)
    write_records(tmp_path / name, [a_record()] * 100)
    assert "larger than 5,000 bytes" in fault(tmp_path / name)


def test_files_that_cannot_be_read_are_one_sentence(tmp_path: Path) -> None:
    write_records(tmp_path / "whole.gz", [a_record(f"plan {n}") for n in range(50)])
    packed = (tmp_path / "whole.gz").read_bytes()
    (tmp_path / "cut.gz").write_bytes(packed[: len(packed) // 2])
    (tmp_path / "damaged.gz").write_bytes(packed[:100] + b"\xff" * 100 + packed[200:])
    (tmp_path / "plain.gz").write_text(a_line())
    (tmp_path / "folder").mkdir()
    for name in ("cut.gz", "damaged.gz", "plain.gz", "folder", "missing"):
        assert "name a file of records" in fault(tmp_path / name)


def test_two_processes_that_append_at_once_keep_whole_lines(tmp_path: Path) -> None:
    path, turns, sizes = tmp_path / "records.jsonl", 150, [17_000, 19_000]
    command = [sys.executable, "-c", WRITER, str(path), str(turns)]
    writers = [subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, text=True) for _ in sizes]
    for writer, size in zip(writers, sizes, strict=True):
        assert writer.stdin
        writer.stdin.write(a_record("x" * size).model_dump_json())
        writer.stdin.close()
    assert [writer.wait(30) for writer in writers] == [0, 0]
    found = [len(record.instruction.text) for record in read(path)]
    assert sorted(found) == sorted(sizes * turns)


@pytest.mark.parametrize(
    ("scores", "higher", "values"),
    [
        ([], True, []),
        ([None, None], True, [0, 0]),
        ([0.5], True, [1]),
        ([0.5, None], False, [1, 0]),
        ([0.7, 0.7, 0.7], True, [1, 1, 1]),
        ([0.0, 0.5, 1.0], True, [0, 0.5, 1]),
        ([0.0, 0.5, 1.0], False, [1, 0.5, 0]),
        ([-3.0, None, -1.0, -2.0], True, [0, 0, 1, 0.5]),
        ([1.0, 1.1, 1.2, 1e9], False, [1, 1 - 0.1 / 0.45, 1 - 0.2 / 0.45, 0]),
        ([1.0, 1.0, 1.0, 9.0], False, [1, 1, 1, 0]),
        ([1.0, 1.0, 1.0, 3.0, 9.0], False, [1, 1, 1, 0.75, 0]),
    ],
)
def test_the_best_is_one_a_failure_nothing_and_a_hopeless_plan_does_not_squeeze_the_others(
    scores: list[float | None], higher: bool, values: list[float]
) -> None:
    assert normalised(scores, higher) == pytest.approx(values)


def test_numbers_that_are_none_are_left_out() -> None:
    assert finite({"rows": 1.0, "gap": math.nan, "far": math.inf, "near": -math.inf, "zero": 0.0}) == {
        "rows": 1.0,
        "zero": 0.0,
    }
