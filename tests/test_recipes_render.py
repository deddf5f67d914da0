"""A rendered recipe is one script: settings filled in, parts copied in, nothing of this program imported."""

from __future__ import annotations

import ast
import builtins
from dataclasses import replace
from functools import cache

import pytest

from grading.base import Task
from recipes.catalogue import RECIPES
from recipes.render import FOLDER, render, settings

TASK = Task(
    name="houses",
    description="Prices of houses.",
    metric="rmsle",
    direction="minimize",
    train="train.csv",
    test="test.csv",
    sample_submission="sample_submission.csv",
    shared=["images"],
    id="house id",
    targets=["sale's price"],
    columns=["sale's price"],
    problem="regression",
    output="values",
    classes=[],
    train_only=["secret"],
    split="row",
    split_column=None,
    time=None,
    train_rows=100,
    test_rows=10,
    views=5,
    unblind=None,
)
NAMES = [recipe.name for recipe in RECIPES] + ["profile"]


@cache
def rendered(name: str) -> str:
    """A recipe's script for the task, which several tests look at; whether it is safe changes one setting."""
    return render(name, TASK, safe=True)


@cache
def parsed(name: str) -> ast.Module:
    """Its syntax tree."""
    return ast.parse(rendered(name))


def module_names(tree: ast.Module) -> set[str]:
    nodes = list(ast.walk(tree))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("name", NAMES)
def test_script_compiles_and_needs_nothing_of_this_program(name: str) -> None:
    compile(rendered(name), name, "exec")
    own = {"recipes", "grading", "sandbox", "agents", "graphs", "models", "ranker", "prompts"}
    assert not {module.split(".")[0] for module in module_names(parsed(name))} & own


@pytest.mark.parametrize("name", NAMES)
def test_every_name_that_a_script_uses_is_defined_in_it(name: str) -> None:
    nodes = list(ast.walk(parsed(name)))
    defined = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    defined |= {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    defined |= {node.arg for node in nodes if isinstance(node, ast.arg)}
    imports = [node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]
    defined |= {(alias.asname or alias.name).split(".")[0] for node in imports for alias in node.names}
    used = {node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    assert used - defined - set(dir(builtins)) <= {"__name__", "__file__"}


@pytest.mark.parametrize("name", NAMES)
def test_settings_are_the_task_s(name: str) -> None:
    found = {
        node.targets[0].id: ast.literal_eval(node.value)
        for node in parsed(name).body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in WANTED
    }
    assert found == WANTED


WANTED = settings(TASK, True)


def test_the_safe_variant_differs_in_its_setting_only() -> None:
    assert rendered("linear").replace("SAFE = True", "SAFE = False") == render("linear", TASK)


def test_settings_stand_at_the_top() -> None:
    lines = render("boosted_trees", TASK).splitlines()
    assert lines.index("# --- settings ---") < 6
    assert lines.index("TRAIN = 'data/train.csv'") < lines.index("import lightgbm")


def test_odd_names_and_quotes_are_kept() -> None:
    odd = replace(TASK, targets=['a "b" \\ \n c'], classes=["Ä'", "{x}"])
    assert repr('a "b" \\ \n c') in render("linear", odd)


def test_no_definition_is_copied_twice() -> None:
    for name in NAMES:
        body = parsed(name).body
        names = [node.name for node in body if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        assert len(names) == len(set(names)), name


def test_unknown_recipe_is_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        render("no_such_recipe", TASK)


def test_every_script_in_the_folder_is_offered_or_known() -> None:
    framework = {
        "__init__",
        "base",
        "blend",
        "catalogue",
        "catalogue_other",
        "catalogue_tabular",
        "profile",
        "recipe",
        "render",
    }
    scripts = {path.stem for path in FOLDER.glob("*.py")} - framework
    assert scripts == {recipe.name for recipe in RECIPES}
