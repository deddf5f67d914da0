"""The grader's program: JSON requests on stdin, JSON answers on stdout (sandbox.frames), in a container.

    {"op": name, "seed": 0, "task": {...}, "metric_file": null, "split_file": null, ...arguments}
    -> {"ok": value}   or   {"error": {"kind": "task" | "failed", "message": text}}

It keeps nothing but caches: every request carries the task, so that a container started anew just goes on.
"""

from __future__ import annotations

import base64
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from grading.base import FULL_VIEW, Grade, Standings, Task, TaskError
from grading.worker.blend import best_blend
from grading.worker.deliver import deliver, write_best
from grading.worker.infer import infer
from grading.worker.picture import reencode
from grading.worker.resample import spread
from grading.worker.score import Marks, standings
from grading.worker.store import Folders, Store
from grading.worker.views import make_view
from sandbox.frames import own_pipes, read_frame, write_frame

ROOT = Path("/grader")
Request = Mapping[str, Any]


class Server:
    """Answers requests about one run folder."""

    def __init__(self, root: Path) -> None:
        self.folders = Folders(root)
        self._stores: dict[str, Store] = {}
        self._ops: dict[str, Callable[[Request], object]] = {
            "infer": self._infer,
            "make_view": self._make_view,
            "grade": self._grade,
            "standings": self._standings,
            "write_best": self._write_best,
            "deliver": self._deliver,
            "png": self._png,
        }

    def answer(self, request: Request) -> dict[str, Any]:
        """The answer to one request. Never raises: what goes wrong is in the answer."""
        try:
            return {"ok": self._ops[request["op"]](request)}
        except TaskError as error:
            return {"error": {"kind": "task", "message": str(error)}}
        except Exception:  # noqa: BLE001 - the end of this process's world: the host must hear of every failure
            return {"error": {"kind": "failed", "message": traceback.format_exc()}}

    def _store(self, request: Request) -> Store:
        """The store of the request's task; of the last task only."""
        key = repr((request["task"], request["seed"], request.get("metric_file")))
        if key not in self._stores:
            store = Store(self.folders, Task(**request["task"]), request["seed"], request.get("metric_file"))
            self._stores = {key: store}
        return self._stores[key]

    def _infer(self, request: Request) -> object:
        return asdict(infer(request["spec"], self.folders.data, request["seed"], self.folders.custom))

    def _make_view(self, request: Request) -> object:
        name = request.get("split_file")
        split_file = self.folders.custom / Path(name).name if name else None
        folders, store = self.folders, self._store(request)
        store.forget(request["number"])
        view = make_view(
            store.task, folders.data, folders.views, folders.hidden, request["number"], request["seed"], split_file
        )
        return asdict(view)

    def _grade(self, request: Request) -> object:
        store, path, view = self._store(request), request["predictions"], request["view"]
        predictions, faults = store.predictions(path, view)
        mark = store.mark(path, view) if predictions is not None and view != FULL_VIEW else None
        if mark is None:
            return asdict(Grade(faults, None, None))
        error = spread(mark.draws)
        return asdict(Grade(faults, mark.value, error if error < float("inf") else None))

    def _standings(self, request: Request) -> object:
        store, runs = self._store(request), _runs(request["runs"])
        marks: dict[str, Marks] = {}
        for attempt, own in runs.items():
            found = {view: store.mark(path, view) for view, path in own.items() if view != FULL_VIEW}
            marks[attempt] = {view: mark for view, mark in found.items() if mark is not None}
        attempts = standings(marks, store.metric, store.task.split == "time")
        order = [name for standing in attempts for name in standing.members]
        views = sorted({view for name in order for view in marks[name]})
        folds = {v: store.fold(v, {name: runs[name][v] for name in order if v in marks[name]}) for v in views}
        blend = best_blend(order, folds, marks, store.metric, store.task, store.seed) if order else None
        return asdict(Standings(attempts, blend))

    def _write_best(self, request: Request) -> object:
        return write_best(self._store(request), request["members"], _runs(request["runs"]))

    def _deliver(self, request: Request) -> object:
        runs = _runs(request["runs"])
        return asdict(deliver(self._store(request), request["members"], runs, request["full"], request["audit"]))

    def _png(self, request: Request) -> object:
        clean = reencode(base64.b64decode(request["data"], validate=True))
        return None if clean is None else base64.b64encode(clean).decode("ascii")


def _runs(runs: Mapping[str, Mapping[str, str]]) -> dict[str, dict[int, str]]:
    """JSON knows no whole numbers as keys."""
    return {attempt: {int(view): path for view, path in own.items()} for attempt, own in runs.items()}


def main(root: Path = ROOT) -> None:
    """Answer until stdin ends."""
    server = Server(root)
    source, out = own_pipes()  # what libraries or the user's metric print must not come among the frames
    while (request := read_frame(source)) is not None:
        write_frame(out, server.answer(request))


if __name__ == "__main__":
    main()
