"""From a model's answer to a script: what is taken for one, what is refused, and what the model is told."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from agents.scripts import Draft, changed_script, whole_script
from models.base import BadAnswer

LAST = 'open("submission.csv", "w").write("id,y")\n'
SCRIPT = f"import pandas as pd\ndepth = 3\n{LAST}"
MODULES = ("pandas", "sklearn")


def read(answer: str, modules: Sequence[str] = MODULES) -> str:
    """The script of an answer."""
    return whole_script(modules)(answer).code


def fenced(code: str) -> str:
    """An answer that holds a script."""
    return f"Here it is:\n```python\n{code}```\nGood luck!"


def edit(search: str, instead: str) -> str:
    """One edit as a model writes it."""
    return f"<<<<<<< SEARCH\n{search}=======\n{instead}>>>>>>> REPLACE\n"


def changed(answer: str, before: str = SCRIPT) -> str:
    """The script after the edits of an answer."""
    return changed_script(before, MODULES)(answer).code


def fault(answer: str, before: str | None = None) -> str:
    """What a model is told of an answer that cannot be used."""
    reader = whole_script(MODULES) if before is None else changed_script(before, MODULES)
    with pytest.raises(BadAnswer) as raised:
        reader(answer)
    return str(raised.value)


@pytest.mark.parametrize(
    "answer",
    [
        fenced(SCRIPT),
        f"```\n{SCRIPT}```",
        f"~~~python\n{SCRIPT}~~~",
        f"````python title=solution.py\n{SCRIPT}````",
        f"```Python3 \n\n{SCRIPT}\n```   ",
        fenced(SCRIPT).replace("\n", "\r\n"),
        f"```bash\npip install pandas\n```\n{fenced(SCRIPT)}\n```\nno code, but {'much ' * 40}text\n```",
        f"1. Run this:\n\n   ```python\n{''.join(f'   {line}' for line in SCRIPT.splitlines(keepends=True))}   ```\n",
        f"<think>\nPerhaps\n{fenced(SCRIPT + 'print(1)' * 9)}\n</think>\n{fenced(SCRIPT)}",
        f"Perhaps\n```python\nx = 1\n\nNo, since\n</think>\n\n{fenced(SCRIPT)}",
    ],
    ids=["prose", "unnamed", "tildes", "four", "spaces", "windows", "others", "indented", "thinking", "thought"],
)
def test_the_script_is_found(answer: str) -> None:
    assert read(answer) == SCRIPT


def test_of_several_scripts_the_longest_is_taken() -> None:
    assert read(f"{fenced(LAST)}{fenced(SCRIPT)}{fenced(LAST)}") == SCRIPT


@pytest.mark.parametrize("quotes", ['"""', "'''"])
def test_a_fence_inside_of_a_docstring_is_part_of_the_script(quotes: str) -> None:
    code = f"{quotes}Usage\n```\npython solution.py\n```\nor\n```python\nrun()\n```\n{quotes}\n{SCRIPT}"
    assert read(fenced(code)) == code
    assert read(fenced(code) + fenced(LAST)) == code


@pytest.mark.parametrize(
    "prose",
    ["", "x = 1", SCRIPT, f"Use this: {LAST}", f"```text\n{SCRIPT}```", f"    {LAST}", "```python```", f"`{LAST}`"],
)
def test_prose_is_never_taken_for_code(prose: str) -> None:
    assert "no block that begins with ```python" in fault(prose)


def test_a_block_without_an_end_was_cut_off() -> None:
    assert "has no end" in fault(f"```python\n{SCRIPT}")
    assert "has no end" in fault(f"{fenced(LAST)}\nand now all of it:\n```python\n{SCRIPT}")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("x = (1,", "'(' was never closed in line 2: 'x = (1,'"),
        ("  y = 2", "unexpected indent in line 2: 'y = 2'"),
        ("x = '\0'", "null bytes"),
        ("x = '\ud800'", "surrogates"),
        ("x = " + "(" * 5_000, "nested parentheses in line 2"),
        ("x = " + "-" * 100_000 + "1", "nested too deeply"),
        ("x" + ".a" * 20_000, "nested too deeply"),
        ("x = " + "lambda: " * 20_000 + "1", "nested too deeply"),
        ("#" * 200_000, "200000 are allowed"),
    ],
    ids=["open", "indent", "null", "surrogate", "parentheses", "minus", "dots", "lambdas", "long"],
)
def test_what_does_not_compile_is_refused_with_its_line(line: str, told: str) -> None:
    assert told in fault(fenced(f"import pandas\n{line}\n{LAST}"))


@pytest.mark.parametrize("line", ["%matplotlib inline", "!pip install pandas", "    !ls", "files = !ls data", "%%time"])
def test_notebook_commands_are_no_python(line: str) -> None:
    said = fault(fenced(f"{line}\n{LAST}"))
    assert repr(line.strip()) in said
    assert "plain Python, without notebook commands" in said


@pytest.mark.parametrize(
    ("code", "missing"),
    [
        ("import torch", "torch"),
        ("import torch.nn as nn, autogluon.tabular", "autogluon, torch"),
        ("def f():\n    from timm.models import create_model", "timm"),
        ("from .helper import f\nfrom . import g", "., .helper"),
        ("try:\n    pass\nexcept ImportError:\n    pass\nimport torch", "torch"),
    ],
)
def test_modules_that_cannot_be_imported_are_told(code: str, missing: str) -> None:
    assert f"not installed and cannot be: {missing}. " in fault(fenced(f"{code}\n{LAST}"))


@pytest.mark.parametrize(
    "code",
    [
        "import sklearn.linear_model as lm, os.path, json",
        "from __future__ import annotations\nfrom sklearn.svm import SVC",
        "try:\n    import torch\nexcept ImportError:\n    torch = None",
        "try:\n    import pandas\nexcept ImportError:\n    import polars",
    ],
)
def test_modules_that_can_be_imported_or_may_be_missing_pass(code: str) -> None:
    assert read(fenced(f"{code}\n{LAST}")).startswith(code)


def test_where_nobody_knows_what_is_installed_everything_passes() -> None:
    assert read(fenced(f"import torch\n{LAST}"), modules=()).startswith("import torch")


def test_a_script_without_a_submission_is_refused() -> None:
    assert "never writes submission.csv" in fault(fenced("print(1)\n"))


def test_edits_are_made_and_said() -> None:
    edits = edit("depth = 3\n", "depth = 5\nseed = 0\n") + edit(LAST, LAST + LAST)
    draft = changed_script(SCRIPT, MODULES)(f"**Change:** deeper   trees.\n{edits}")
    assert draft == Draft(SCRIPT.replace("depth = 3", "depth = 5\nseed = 0") + LAST, "deeper trees")


def test_the_change_is_one_short_sentence() -> None:
    assert whole_script(MODULES)(f"Change: {'more ' * 100}\n{fenced(SCRIPT)}").change == ("more " * 100)[:200]
    assert whole_script(MODULES)(fenced(SCRIPT)).change == ""


@pytest.mark.parametrize(
    ("before", "search", "instead", "after"),
    [
        (f"a = 1\nb = 2\n{LAST}", "b = 2\n", "", f"a = 1\n{LAST}"),
        (f"given = 5\nn = 5\n{LAST}", "n = 5\n", "n = 6\n", f"given = 5\nn = 6\n{LAST}"),
        (f"n = 5\n{LAST}".strip(), LAST, f"n = 6\n{LAST}", f"n = 5\nn = 6\n{LAST}"),
        (f'"""A\n=======\nB"""\n{LAST}', '"""A\n=======\nB"""\n', "n = 1\n", f"n = 1\n{LAST}"),
        (f'"""A"""\n{LAST}', '"""A"""\n', '"""A\n=======\nB"""\n', f'"""A\n=======\nB"""\n{LAST}'),
        (f"a = '\\\\1'\n{LAST}", "a = '\\\\1'\n", "a = '\\\\g<0>'\n", f"a = '\\\\g<0>'\n{LAST}"),
    ],
    ids=["delete", "whole lines", "last line", "equals before", "equals after", "backslashes"],
)
def test_an_edit_changes_the_lines_that_it_names(before: str, search: str, instead: str, after: str) -> None:
    assert changed(edit(search, instead), before) == after
    assert changed(f"```python\n{edit(search, instead)}```".replace("\n", "\r\n"), before) == after


@pytest.mark.parametrize(
    ("edits", "told"),
    [
        (edit("depth = 4\n", "depth = 5\n"), "occurs 0 times in the script, it must occur once:\ndepth = 4"),
        (edit("epth = 3\n", "depth = 5\n"), "occurs 0 times"),
        (edit("x = 1\n", "x = 2\n"), "occurs 2 times in the script, it must occur once:\nx = 1"),
        (edit("\n", "x = 2\n"), "occurs 0 times in the script, it must occur once:\n(empty)"),
        (edit("depth = 3\n", "a = 1\n") + edit("depth = 3\nx = 1\n", "b = 1\n"), "Two edits change the same lines"),
        (edit("depth = 3\n", "depth = 5\n") + edit("depth = 5\n", "depth = 7\n"), "occurs 0 times"),
        ("<<<<<<< SEARCH\ndepth = 3\n>>>>>>> REPLACE\n", "no line `=======`"),
        (edit("depth = 3\n", "depth = 5\n") + "<<<<<<< SEARCH\nx = 1\n=======\n", "does not end with"),
        (edit("depth = 3\n", "depth = 5)\n"), "does not compile: unmatched ')' in line 2"),
        (edit(LAST, ""), "never writes submission.csv"),
        (edit("depth = 3\n", "depth = 3\n"), "same as before"),
        (fenced("\nimport pandas as pd\ndepth = 3\nx = 1\nx = 1\n" + LAST), "same as before"),
    ],
)
def test_an_edit_that_cannot_be_made_is_told(edits: str, told: str) -> None:
    assert told in fault(edits, f"import pandas as pd\ndepth = 3\nx = 1\nx = 1\n{LAST}")


def test_a_change_may_also_be_a_whole_script() -> None:
    assert changed(fenced(SCRIPT.replace("3", "5"))) == SCRIPT.replace("3", "5")


@pytest.mark.parametrize(
    "piece",
    ["```python\n", "```python\nx = (\n```\n", "\n", "!- ", "<<<<<<< SEARCH\n", "=======\n", "<think>", "Change:\n"],
)
def test_an_answer_that_repeats_itself_without_end_is_soon_refused(piece: str) -> None:
    began = time.monotonic()
    fault(piece * (100_000 // len(piece)), SCRIPT)
    assert time.monotonic() - began < 2
