"""The process of a fine-tuned ranker: `python -m ranker.child`, started by ranker/process.py.

Frames (sandbox/frames.py) on stdin and stdout:

    in   {folder}                                 the ranker's folder, once
    out  {ready}                                  or {fault}, one sentence, and the process ends
    in   {text, numbers, metric, instructions}    instructions: [{id, text, source, prior}]
    out  {totals, shares}                         of each instruction: a number, and what each part adds to it
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ranker.bundle import Bundle, BundleError, base_of, load_bundle
from ranker.records import InstructionRecord, TaskRecord
from sandbox.frames import FrameError, own_pipes, read_frame, write_frame

RECIPE_TRUST = 0.5
"""What the learned parts say of a recipe counts half: they were trained on single small models, a recipe is an ensemble
whose prior was measured as a whole."""
LONGEST = 20_000
"""Characters of a text; what is longer is cut."""
NOBODY_ELSE = nullcontext()
"""The turn of a process that serves one run."""


def answer(bundle: Bundle, asked: Mapping[str, Any]) -> dict[str, object]:
    """Scores and shares of every instruction."""
    task = TaskRecord(id="asked", text=asked["text"][:LONGEST], numbers=asked["numbers"])
    shown = asked["instructions"]
    plans = [InstructionRecord(id=i["id"], text=i["text"][:LONGEST], source=i["source"]) for i in shown]
    parts = bundle.parts(task, asked["metric"], plans, [i["prior"] for i in shown])
    recipe = np.array([i["source"].startswith("recipe:") for i in shown])
    trust = np.where(recipe, RECIPE_TRUST, 1.0)
    shares = {name: said * (1.0 if name == "prior" else trust) for name, said in bundle.blend.shares(parts).items()}
    each = [{name: round(float(said[place]), 4) for name, said in shares.items()} for place in range(len(plans))]
    return {"totals": [sum(said.values()) for said in each], "shares": each}


@cache
def load(folder: Path) -> Bundle:
    """The ranker of a folder, on its base model; read once. Raises: BundleError."""
    return load_bundle(folder, base_of(folder))


def main(stdin: BinaryIO, stdout: BinaryIO, turn: AbstractContextManager[object] = NOBODY_ELSE) -> None:
    """Serve until stdin ends; `turn` is held while something is loaded or answered."""
    asked = read_frame(stdin)
    if asked is None:
        return
    try:
        with turn:
            bundle = load(Path(asked["folder"]))
    except BundleError as fault:
        write_frame(stdout, {"fault": str(fault)})
        return
    write_frame(stdout, {"ready": True})
    while (asked := read_frame(stdin)) is not None:
        with turn:
            answered = answer(bundle, asked)
        write_frame(stdout, answered)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    try:
        main(*own_pipes())
    except (FrameError, BrokenPipeError):
        pass  # whoever asked is gone
