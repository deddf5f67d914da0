"""Tasks of a batch on a Ray cluster, each with its cores and its memory, wherever there is room for it.

Ray places tasks and tells which were lost with their node; what is tried again, and how often, the loop decides, as it
does on one machine: so it is seen, counted and paid for once. A task that is tried again goes on with its run folder
where that lies on shared storage.
"""

from __future__ import annotations

import importlib
import logging
import socket
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import ray
from ray.exceptions import RayTaskError, TaskCancelledError

from agents.batch_job import GRACE_S, Ended, Job
from agents.batch_local import Place
from agents.batch_ray_node import SHARED_FOLDER, Way
from agents.batch_ray_store import check_store, take
from agents.batch_report import Found
from agents.batch_share import CORES_OF_A_TASK, MEMORY_OF_A_TASK_MB, Share
from grading.base import TaskError
from sandbox.files import write_atomically

TOUCH = 0.001
"""So much of a resource a task takes that only says where it may run."""
MAX_FAULT = 400
REACH_S = 10.0


def ray_place(
    address: str, resource: str | None, way: Way, root: Path | None, workers: int | None, said: Share
) -> Place:
    """The cluster at an address, or "auto", with room for so many tasks as it has now.

    Raises: TaskError where no cluster answers, or the storage cannot be reached.
    """
    if way.store is not None:
        check_store(way.store)
    _reach(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR, configure_logging=False)
    except (ConnectionError, ValueError, RuntimeError) as fault:
        reason = str(fault).splitlines()[0]
        raise TaskError(f"--ray {address}: no cluster answers ({reason}); start one with `ray start`.") from None
    share = Share(said.cores or CORES_OF_A_TASK, said.memory_mb or MEMORY_OF_A_TASK_MB)
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    room = sum(_room(node["Resources"], share, resource) for node in nodes if node["Alive"])
    if not room:
        _warn(share, resource)
    where = str(root or Path.cwd())
    return Place(workers or max(1, room), share, lambda: RayRunner(share, resource, way, where))


def _reach(address: str) -> None:
    """Ray itself tries for minutes. Raises: TaskError."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not host or not port.isdigit():
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), REACH_S).close()
    except (OSError, OverflowError) as fault:
        raise TaskError(f"--ray {address}: no cluster answers ({fault}); start one with `ray start`.") from None


def _room(resources: Mapping[str, float], share: Share, resource: str | None) -> int:
    """How many tasks a node can have."""
    if resource and not resources.get(resource):
        return 0
    cores, memory = resources.get("CPU", 0.0), resources.get("memory", 0.0)
    return int(min(cores // share.cores, memory // (share.memory_mb * 2**20)))


def _warn(share: Share, resource: str | None) -> None:
    also = f", and declares {resource}" if resource else ""
    print(
        f"No node of the cluster has {share.cores:g} cores and {share.memory_mb} MiB{also}: tasks wait until one "
        f"comes; or lower --task-cpus and --task-memory-mb.",
        file=sys.stderr,
    )


class RayRunner:
    """Hands tasks to Ray. Leaving cancels what is under way, waits for it, and disconnects."""

    def __init__(self, share: Share, resource: str | None, way: Way, root: str) -> None:
        self._way = way
        self._refs: dict[Future[Ended], Any] = {}
        options = {"num_cpus": share.cores, "memory": share.memory_mb * 2**20, "max_retries": 0}
        resources = {resource: TOUCH} if resource else {}
        self._remote: Any = ray.remote(on_node(root)).options(**options, resources=resources)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        wait(self._refs, GRACE_S)
        ray.shutdown()

    def start(self, job: Job) -> Future[Ended]:
        """Hand a task over; it runs when a node has room."""
        ended: Future[Ended] = Future()
        ref = self._remote.remote(asdict(job), asdict(self._way))
        self._refs[ended] = ref
        ended.add_done_callback(lambda _: self._refs.pop(ended))
        ref.future().add_done_callback(partial(self._take, job, ended))
        return ended

    def stop(self) -> None:
        """Cancel what is under way; it can be gone on with."""
        for ref in list(self._refs.values()):
            ray.cancel(ref)

    def _take(self, job: Job, ended: Future[Ended], future: Future[Any]) -> None:
        try:
            ended.set_result(self._outcome(job, future))
        except Exception as fault:  # noqa: BLE001 - each kind of storage has its own
            ended.set_exception(fault)

    def _outcome(self, job: Job, future: Future[Any]) -> Ended:
        """What came back, its files in place. Raises: OSError."""
        fault = future.exception()
        if fault is None:
            answer = future.result()
            found = Found(**answer["found"]) if answer["found"] else None
            keep_files(job, answer.pop("files"))
            if self._way.store is not None:
                take(self._way.store, job)
            return Ended(**answer | {"found": found})
        usd = job.spent() if self._way == SHARED_FOLDER else None
        if isinstance(fault, TaskCancelledError):
            return Ended("stopped", None, 0.0, usd, "it was stopped and can be gone on with")
        return Ended("failed", None, 0.0, usd, _sentence(fault))


def on_node(root: str) -> Callable[[Mapping[str, Any], Mapping[str, Any]], Any]:
    """What a node runs. It is sent whole, so that it can say where the program lies before it is imported."""

    def run(fields: Mapping[str, Any], way: Mapping[str, Any]) -> Any:
        if root not in sys.path:
            sys.path.insert(0, root)
        return importlib.import_module("agents.batch_ray_node").work_here(fields, way)

    return run


def keep_files(job: Job, files: Mapping[str, bytes]) -> None:
    """Put files of another machine into the batch's folder; names that lead out of it are left out."""
    runs = job.log.parent.resolve()
    for name, data in files.items():
        if (path := (runs / name).resolve()).is_relative_to(runs):
            write_atomically(path, data)


def _sentence(fault: BaseException) -> str:
    """What a person needs of an exception of Ray's."""
    text = str(fault).strip().splitlines() or [""]
    if isinstance(fault, RayTaskError):
        return f"on its node: {text[-1]}"[:MAX_FAULT]
    first = text[0].partition(". ")[0].removesuffix(".")
    return f"its node or its process was lost ({type(fault).__name__}: {first})"[:MAX_FAULT]
