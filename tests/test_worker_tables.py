"""Tables of every format come back as they were, and bad ones are refused in one sentence."""

from __future__ import annotations

import gzip
import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest

from grading.base import TaskError
from grading.worker import forms, tables
from grading.worker.cells import class_text, numbers, sorted_classes, text

pytestmark = pytest.mark.ml

CSV = 'id,name,value,note\n0001,"Smith, ""J""",1.50,NA\n0002,Müller,1e3,"two\nlines"\n0003,,007,\n'


def test_csv_cells_keep_their_exact_text(tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text(CSV, encoding="utf-8")
    table = tables.read(tmp_path / "train.csv")
    assert table.frame["id"].tolist() == ["0001", "0002", "0003"]
    assert table.frame["note"].tolist() == ["NA", "two\nlines", ""]
    tables.write(table, tmp_path / "again.csv")
    assert (tmp_path / "again.csv").read_text(encoding="utf-8") == CSV


@pytest.mark.parametrize("name", ["t.csv", "t.tsv", "t.csv.gz", "t.csv.zip", "t.tsv.gz", "t.zip"])
def test_text_formats_survive_reading_and_writing(tmp_path: Path, name: str) -> None:
    first = forms.Table(
        pd.DataFrame({"id": ["01", "2"], "b": ["x\ty", 'q"']}, dtype="str"),
        forms.Form("csv", "zip") if name == "t.zip" else forms.form_of(tmp_path / name),
    )
    tables.write(first, tmp_path / name)
    found = tables.read(tmp_path / name)
    pd.testing.assert_frame_equal(found.frame, first.frame)
    tables.write(found, tmp_path / f"again-{name}")
    pd.testing.assert_frame_equal(tables.read(tmp_path / f"again-{name}").frame, first.frame)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.json", '[{"id": 1, "tags": ["a", "b"], "x": 1.0}, {"id": 2, "tags": [], "x": null}]'),
        ("t.json", '{"id": {"0": 1, "1": 2}, "tags": {"0": ["a"], "1": null}}'),
        ("t.json", '{"id": [1, 2], "ok": [true, false]}'),
        ("t.jsonl", '{"id": 1, "s": "é"}\n{"id": 2, "s": "ü"}\n'),
    ],
)
def test_json_values_survive(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    tables.write(tables.read(tmp_path / name), tmp_path / f"again.{name}")
    again = (tmp_path / f"again.{name}").read_text(encoding="utf-8")
    if name.endswith("l"):
        assert again == content
    else:
        assert json.loads(again) == json.loads(content)


def test_parquet_keeps_types(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [1, 2], "when": pd.to_datetime(["2020-01-01", "2021-01-01"]), "x": [0.5, None]})
    frame.to_parquet(tmp_path / "t.parquet")
    table = tables.read(tmp_path / "t.parquet")
    pd.testing.assert_frame_equal(table.frame, frame)
    tables.write(table, tmp_path / "again.parquet")
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "again.parquet"), frame)


def test_semicolons_and_latin_letters_are_understood(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes("id;stadt;preis\n1;Köln;2,5\n".encode("latin-1"))
    assert tables.read(tmp_path / "t.csv").frame.iloc[0].tolist() == ["1", "Köln", "2,5"]


def test_bad_tables_are_refused_in_one_sentence(tmp_path: Path) -> None:
    cases = {
        "empty.csv": (b"", "empty"),
        "twice.csv": (b"a,b,a\n1,2,3\n", "'a' occurs more than once"),
        "broken.json": (b'[{"a": 1', "cannot be read as json"),
        "list.json": (b"[1, 2]", "one object a row"),
        "broken.parquet": (b"PAR1", "cannot be read as parquet"),
        "odd.csv": (b'a,b\n1,"2\n', "cannot be read as csv"),
        "what.xlsx": (b"x", "not a table"),
        "broken.csv.gz": (b"x", "cannot be read as csv"),
    }
    for name, (content, part) in cases.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(TaskError, match=part) as caught:
            tables.read(tmp_path / name)
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(TaskError, match="no such file"):
        tables.read(tmp_path / "none.csv")


def test_an_archive_of_several_files_is_no_table(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "train.csv.zip", "w") as archive:
        archive.writestr("a.csv", "x\n1\n")
        archive.writestr("b.csv", "x\n1\n")
    with pytest.raises(TaskError, match="exactly one table"):
        tables.read(tmp_path / "train.csv.zip")


def test_a_small_archive_of_a_huge_table_is_refused() -> None:
    packed = gzip.compress(b"a,b\n" + b"1,2\n" * 1_000_000)
    with gzip.open(io.BytesIO(packed)) as stream, pytest.raises(TaskError, match=r"bomb.csv.gz: larger than"):
        pd.read_csv(io.BufferedReader(forms.Bounded(io.BufferedReader(stream), "bomb.csv.gz", most=100_000)))


def test_class_text_is_canonical() -> None:
    assert class_text(pd.Series(["1", "1.0", "01", "", "2"])).tolist() == ["1", "1", "1", None, "2"]
    assert class_text(pd.Series([1.0, 2.0, None])).tolist() == ["1", "2", None]
    assert class_text(pd.Series([True, False, None], dtype=object)).tolist() == ["True", "False", None]
    assert class_text(pd.Series(["true", "FALSE"])).tolist() == ["True", "False"]
    assert class_text(pd.Series(["None", "NA", "A1"])).tolist() == ["None", "NA", "A1"]
    assert class_text(pd.Series(["0.5", "1"])).tolist() == ["0.5", "1"]


def test_classes_are_ordered_by_value_or_text() -> None:
    assert sorted_classes(pd.Series(["10", "9", "-1"])) == ["-1", "9", "10"]
    assert sorted_classes(pd.Series(["yes", "no"])) == ["no", "yes"]


def test_numbers_are_found_and_text_is_not() -> None:
    found = numbers(pd.Series(["1", "NA", " 2.5 "]))
    assert found is not None
    assert found.dropna().tolist() == [1.0, 2.5]
    assert numbers(pd.Series(["1", "x"])) is None
    assert numbers(pd.Series(["", "NA"])) is None
    assert text(pd.Series([1, None, [1, "é"], 2.0], dtype=object)).tolist() == ["1", "", '[1, "é"]', "2.0"]
