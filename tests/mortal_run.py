# ruff: noqa: ARG002 - callbacks take what LangChain gives
"""`python -m tests.mortal_run RUN LOG [NODE MOMENT NTH]`: a run that can kill itself and all its children.

It begins the run, or goes on with it, as its user and as the person who reviews the instructions. It writes each
beginning and end of a node, and each event, into LOG as a line of JSON. At the NTH time that NODE begins ("start") or
has done its work, which no checkpoint holds yet ("end"), it kills its process group, as a power cut would.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import yaml
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.tracers.context import register_configure_hook

from agents.drive import Watch, solve
from graphs.context import Context
from graphs.folder import RunFolder
from sandbox.files import write_atomically

ROOT = Path(__file__).resolve().parent.parent
TASK = ROOT / "examples/breast-cancer/task.yaml"
OWN = """import csv
rows = list(csv.DictReader(open("data/test.csv")))
sample = next(csv.reader(open("data/sample_submission.csv")))
with open("submission.csv", "w", newline="") as file:
    writer = csv.writer(file)
    writer.writerow(sample)
    writer.writerows([row[sample[0]], 0.5] for row in rows)
"""
"""A person's own script: quick, and no good."""
WANTED = ("start", "recipe-linear")
"""What the reviewer leaves of the instructions: what takes a second each."""
MODEL = "MORTAL_MODEL"
"""Environment variable: a model's name. With it a person's own script fails, and the model mends and improves it."""
BEFORE = ("describe", "propose", "critique", "rank", "review")
NODES = (*BEFORE, "plan", "write", "execute", "repair", "grade", "record", "finish")


class Observer(BaseCallbackHandler):
    """Sees nodes begin and end, as LangChain's callbacks tell it; dies when its time has come."""

    run_inline = True

    def __init__(self, log: Path, dies_at: tuple[str, str, int] | None) -> None:
        self.log = log
        self.dies_at = dies_at
        self.names: dict[UUID, str] = {}
        self.counts: dict[tuple[str, str], int] = {}

    def on_chain_start(self, serialized: Any, inputs: Any, *, run_id: UUID, **more: Any) -> None:
        name = str(more.get("name"))
        if name in NODES:
            self.names[run_id] = name
            self.saw(name, "start")

    def on_chain_end(self, outputs: Any, *, run_id: UUID, **more: Any) -> None:
        if run_id in self.names:
            self.saw(self.names[run_id], "end")

    def watch(self, event: dict[str, Any]) -> None:
        """An event of the run."""
        self.write({"event": event["event"]})

    def saw(self, node: str, moment: str) -> None:
        count = self.counts[node, moment] = self.counts.get((node, moment), 0) + 1
        self.write({"node": node, "moment": moment, "nth": count})
        if self.dies_at == (node, moment, count):
            os.killpg(0, signal.SIGKILL)

    def write(self, line: dict[str, Any]) -> None:
        with self.log.open("a") as file:
            file.write(json.dumps(line | {"at": time.time()}) + "\n")


def main() -> None:
    """Begin, or go on."""
    run, log, *dies_at = sys.argv[1:]
    observer = Observer(Path(log), (dies_at[0], dies_at[1], int(dies_at[2])) if dies_at else None)
    hook: ContextVar[BaseCallbackHandler | None] = ContextVar("observer", default=observer)
    register_configure_hook(hook, inheritable=True)
    go_on(RunFolder(Path(run)), observer.watch)


def go_on(folder: RunFolder, watch: Watch) -> None:
    """To the end, over the review."""
    own, model = folder.path.with_name("own.py"), os.environ.get(MODEL, "none")
    write_atomically(own, (OWN if model == "none" else "raise ValueError('not yet')\n").encode())
    said = Context(attempts=2, minutes=30, parallel=1, cpus=1, memory_mb=2048, model=model, ranker="prior", review=True)
    task = None if folder.record.exists() else TASK
    while waiting := solve(task, folder.path, replace(said, start=str(own)), watch).review:
        task = None
        keep_the_quick(waiting, WANTED if model == "none" else WANTED[:1])


def keep_the_quick(review: Path, wanted: Sequence[str] = WANTED) -> None:
    """What the reviewer does with the file."""
    found = yaml.safe_load(review.read_text())
    kept = [entry for name in wanted for entry in found if entry["id"] == name]
    write_atomically(review, yaml.safe_dump(kept).encode())


if __name__ == "__main__":
    main()
