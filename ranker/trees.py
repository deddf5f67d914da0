"""Boosted trees from a file, checked before LightGBM reads them: a file that is cut or forged would end the process."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import lightgbm
import numpy as np

MOST_BYTES = 50_000_000
MOST_LEAVES = 1_024
CLOSING = "end of trees\n\nparameters:\n\nend of parameters\n\npandas_categorical:null\n"
"""Stands in the place of what follows the trees, which nobody needs to trust."""
INNER = ("split_feature", "threshold", "decision_type", "left_child", "right_child")
"""Have a value for each inner node."""


def read_text(path: Path) -> str:
    """A file of at most MOST_BYTES. Raises: OSError, ValueError."""
    if path.stat().st_size > MOST_BYTES:
        raise ValueError(f"{path} is larger than {MOST_BYTES:,} bytes")
    return path.read_text(encoding="utf-8")


def read_trees(path: Path, columns: int) -> lightgbm.Booster:
    """A regression on so many columns, as LightGBM writes it. Raises: OSError, ValueError, LightGBMError."""
    text = read_text(path)
    try:
        end = _end_of_trees(text, columns)
    except (ValueError, KeyError) as fault:
        raise ValueError(f"{path.name} holds no trees for {columns} columns: {fault}") from fault
    return lightgbm.Booster(model_str=text[:end] + CLOSING)


def _end_of_trees(text: str, columns: int) -> int:
    """Where the checked part ends. Raises: ValueError, KeyError."""
    head, _, _ = text.partition("\n\n")
    facts = _facts(head.split("\n")[1:])
    for name, wanted in {"num_class": 1, "num_tree_per_iteration": 1, "max_feature_idx": columns - 1}.items():
        if facts[name] != str(wanted):
            raise ValueError(f"{name} is {facts[name]:.20}, not {wanted}")
    place = len(head) + 2
    for number, size in enumerate(_whole(facts["tree_sizes"])):
        tree = text[place : place + size]
        if not (tree.isascii() and tree.startswith(f"Tree={number}\n") and tree.endswith("\n\n")):
            raise ValueError(f"tree {number} is not whole")
        _check_tree(_facts(tree.strip("\n").split("\n")), columns)
        place += size
    if not text.startswith("end of trees\n", place):
        raise ValueError("they do not end")
    return place


def _check_tree(facts: dict[str, str], columns: int) -> None:
    """Nodes stand behind their parents, so that no walk is endless or leaves the tree."""
    leaves = int(facts["num_leaves"])
    if not 1 <= leaves <= MOST_LEAVES or facts["num_cat"] != "0" or facts["is_linear"] != "0":
        raise ValueError("a tree is of another kind")
    nodes = np.arange(leaves - 1)
    inner = {name: np.array([float(value) for value in facts[name].split()]) for name in INNER}
    values = np.array([float(value) for value in facts["leaf_value"].split()])
    if len(values) != leaves or any(len(found) != len(nodes) for found in inner.values()):
        raise ValueError("a tree lacks nodes or leaves")
    splits = np.array(_whole(facts["split_feature"]), int)
    kinds = np.array(_whole(facts["decision_type"]), int)
    sound = [(splits >= 0) & (splits < columns), (kinds & 1) == 0, ~np.isnan(inner["threshold"])]
    for side in ("left_child", "right_child"):
        child = np.array(_whole(facts[side]), int)
        sound.append(np.where(child < 0, child >= -leaves, (child > nodes) & (child < len(nodes))))
    if not (np.isfinite(values).all() and all(one.all() for one in sound)):
        raise ValueError("a tree leads nowhere")


def _facts(lines: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE of each line, each name once."""
    found = {name: value for name, _, value in (line.partition("=") for line in lines)}
    if len(found) != len(lines):
        raise ValueError("a name stands twice")
    return found


def _whole(text: str) -> list[int]:
    return [int(value) for value in text.split()]
