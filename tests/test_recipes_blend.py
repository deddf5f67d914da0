"""The delivered blend script gives what the grader's blending gives."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grading.worker.mixing import mix
from recipes.render import render
from tests.fakes import a_task

pytestmark = pytest.mark.ml


def blended(folder: Path, members: list[list[object]], weights: list[float], **task: object) -> list[str]:
    """Run the rendered script on members' submissions in `folder`; its answers as text."""
    (folder / "members").mkdir()
    for number, values in enumerate(members):
        table = pd.DataFrame({"id": range(len(values)), "y": values})
        table.to_csv(folder / f"members/m{number}.csv", index=False)
    named = {f"m{number}": weight for number, weight in enumerate(weights)}
    (folder / "blend.py").write_text(render("blend", a_task(**task), WEIGHTS=named))
    subprocess.run([sys.executable, "blend.py"], cwd=folder, check=True)
    return list(pd.read_csv(folder / "submission.csv", dtype=str)["y"])


@pytest.mark.parametrize("metric", ["rmse", "rmsle", "mae"])
def test_values_are_averaged_as_the_grader_does(tmp_path: Path, metric: str) -> None:
    members = [[1.0, 20.0, 3.5], [2.0, 10.0, 0.0], [4.0, 1.0, 8.0]]
    weights = [0.5, 0.3, 0.2]
    wanted = mix(a_task(metric=metric), [np.array(m)[:, None] for m in members], weights)[:, 0]
    assert np.allclose(np.array(blended(tmp_path, members, weights, metric=metric), float), wanted)  # type: ignore[arg-type]


def test_labels_are_voted_and_ties_go_to_the_heaviest(tmp_path: Path) -> None:
    labels = {"problem": "binary", "output": "labels", "metric": "accuracy", "classes": ["no", "yes"]}
    members = [["yes", "no", "yes"], ["no", "no", "no"], ["no", "yes", "no"]]
    assert blended(tmp_path, members, [0.5, 0.25, 0.25], **labels) == ["yes", "no", "yes"]  # type: ignore[arg-type]


def test_only_the_order_counts_for_auc_once_a_member_leaves_0_to_1(tmp_path: Path) -> None:
    members = [[0.1, 0.2, 0.3], [-5.0, 90.0, 7.0]]
    chances = {"problem": "binary", "output": "probabilities", "metric": "roc_auc", "classes": ["0", "1"]}
    answers = np.array(blended(tmp_path, members, [0.5, 0.5], **chances), float)  # type: ignore[arg-type]
    assert list(np.argsort(answers)) == [0, 1, 2] or answers[1] == answers[2]
