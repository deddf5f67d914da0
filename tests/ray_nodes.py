"""A Ray cluster on this machine for tests: a head without cores, and nodes that are added and removed."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_DEDUP_LOGS_SKIP_REGEX="^")

from ray.cluster_utils import Cluster

STORE = 80 * 2**20
"""Bytes of a node's object store."""


@contextmanager
def a_cluster() -> Iterator[Any]:
    """A cluster whose head runs no task."""
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    head = {"num_cpus": 0, "memory": 2**30, "object_store_memory": STORE, "include_dashboard": False}
    cluster: Any = Cluster(initialize_head=True, head_node_args=head)
    try:
        yield cluster
    finally:
        cluster.shutdown()


def add_node(cluster: Any, **resources: float) -> Any:
    """A node of one core."""
    node = cluster.add_node(num_cpus=1, memory=8 * 2**30, object_store_memory=STORE, resources=resources)
    cluster.wait_for_nodes()
    return node


def pids(node: Any) -> set[int]:
    """The processes of a node itself."""
    return {started.process.pid for kind in node.all_processes.values() for started in kind}


def until(condition: Callable[[], bool], seconds: float = 120.0) -> None:
    """Wait until it holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)
