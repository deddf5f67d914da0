"""Counts what is there of one test's own doing, on the engine and on this machine, without trusting any label of ours.

Every process and every container of a test carries its token in the environment, and every file and mount of it lies
below its own folder; so other tests that run at the same time are not counted.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import docker.errors

TOKEN = "LEFTOVER_TOKEN"


class Census:
    """What carries `token`, or lies below `folder`."""

    def __init__(self, token: str, folder: Path) -> None:
        self.token, self.folder = token, folder
        self._client = docker.from_env()
        self._volumes = set(self._idle_volumes())

    def close(self) -> None:
        self._client.close()

    def child_environment(self, name: str) -> dict[str, str]:
        """For a child called `name`, whose temporary and scratch folders it sets up."""
        places = {"TMPDIR": self.folder / "tmp", "LINGUACODUS_SCRATCH": self.folder / "scratch"}
        for place in places.values():
            place.mkdir(parents=True, exist_ok=True)
        return os.environ | {key: str(place) for key, place in places.items()} | {TOKEN: f"{self.token}-{name}."}

    def everything(self) -> list[str]:
        """All of it, in any state."""
        found = [f"container {name}" for name in self.containers("")]
        found += [f"volume {name}" for name in set(self._idle_volumes()) - self._volumes]
        found += [f"process {line}" for line in self._processes()]
        found += [f"mount {line}" for line in Path("/proc/self/mounts").read_text().splitlines() if self._is_here(line)]
        found += [f"loop device {line}" for line in _loop_files() if self._is_here(line)]
        places = [self.folder / "tmp", self.folder / "scratch"]
        return found + [f"file {path}" for place in places for path in place.rglob("*")]

    def containers(self, name: str, *, running: bool = False) -> list[str]:
        """Containers of the child called `name`, or of all, whatever they are called and labelled."""
        mark = f"{TOKEN}={self.token}-{name}{'.' if name else ''}"
        found = []
        for listed in self._client.api.containers(all=not running):
            try:
                inspected = self._client.api.inspect_container(listed["Id"])
            except docker.errors.NotFound:
                continue  # it went meanwhile
            if any(entry.startswith(mark) for entry in inspected["Config"]["Env"] or []):
                found.append(f"{inspected['Name']} ({inspected['State']['Status']})")
        return found

    def _idle_volumes(self) -> list[str]:
        return [str(volume.name) for volume in self._client.volumes.list(filters={"dangling": True})]

    def _is_here(self, line: str) -> bool:
        return str(self.folder) in line

    def _processes(self) -> Iterator[str]:
        mark = f"{TOKEN}={self.token}".encode()
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (folder / "environ").read_bytes():
                    yield f"{folder.name} {(folder / 'cmdline').read_bytes()[:100]!r}"
            except OSError:
                continue  # it ended meanwhile


def wait_until_empty(found: Callable[[], list[str]], seconds: float) -> list[str]:
    """What is still found when that time has passed."""
    deadline = time.monotonic() + seconds
    while (left := found()) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _loop_files() -> Iterator[str]:
    for path in Path("/sys/block").glob("loop*/loop/backing_file"):
        try:
            yield path.read_text().strip()
        except OSError:
            continue  # given back meanwhile
