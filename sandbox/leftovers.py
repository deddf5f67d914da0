"""What dead processes of ours left behind on this machine, and how to be rid of it.

Never anything of a living process, of another user or of another program. What cannot be judged for sure (made in
another process-number namespace, or still being built) is told and left alone.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import docker

from sandbox.base import SandboxError
from sandbox.engine import LABEL, OWNER_LABEL, calls, remove
from sandbox.image import BUILD_SECONDS
from sandbox.owner import state
from sandbox.processes import end_process, lost_processes
from sandbox.scratch import dead_scratch, maker, scratch_of
from sandbox.temp_folders import left_temp_folders

_BLOCK_DEVICES = Path("/sys/block")
_RELEASE_SECONDS = 1.0
"""A loop device is given back by the kernel shortly after its last mount has gone."""


@dataclass(frozen=True)
class Leftover:
    """One thing that is left."""

    kind: str
    """What it is, such as "container"."""
    name: str
    discard: Callable[[], None] = field(compare=False, repr=False)
    """Removes it. Raises: SandboxError, OSError, subprocess.SubprocessError."""
    sure: bool = True
    """Whether its maker is known to be dead; what is not sure is only ever told."""


def find_leftovers(client: docker.DockerClient | None) -> list[Leftover]:
    """Everything, in the order in which it can be removed; without an engine what can be seen without one.

    Raises: SandboxLost.
    """
    found = [*_containers(client), *_build_images(client)] if client else []
    return [*found, *_processes(), *_scratch_folders(), *_loop_devices(), *_temp_folders()]


def discard_all(leftovers: Iterable[Leftover]) -> list[str]:
    """Remove those that are surely left; what could not be removed, a sentence each."""
    faults = []
    for leftover in leftovers:
        if not leftover.sure:
            continue
        try:
            leftover.discard()
        except (SandboxError, OSError, subprocess.SubprocessError) as error:
            faults.append(f"{leftover.kind} {leftover.name}: {error}")
    return faults


def _containers(client: docker.DockerClient) -> Iterator[Leftover]:
    """In any state. One that runs has a living client, else it would have ended; so only the dead's are told then."""
    with calls("looking for leftover containers"):
        found = client.containers.list(all=True, filters={"label": f"{LABEL}=1"}, ignore_removed=True)
        for container in found:
            who, status = state(container.labels.get(OWNER_LABEL, "")), str(container.status)
            if who == "dead" or (who == "unknown" and status in ("created", "exited", "dead")):
                name = f"{container.name} ({status})"
                yield Leftover("container", name, partial(remove, container), who == "dead")


def _build_images(client: docker.DockerClient) -> Iterator[Leftover]:
    """Untagged images of our builds. A younger one may belong to a build that is still under way."""
    with calls("looking for leftover images"):
        found = client.api.images(filters={"dangling": True, "label": f"{LABEL}=build"})
    for image in found:
        sure = time.time() - float(image.get("Created") or 0) > BUILD_SECONDS
        name = str(image["Id"]).removeprefix("sha256:")[:12]
        yield Leftover("build image", name, partial(_remove_image, client, str(image["Id"])), sure)


def _remove_image(client: docker.DockerClient, name: str) -> None:
    with calls("removing an image"):
        client.images.remove(name)


def _processes() -> Iterator[Leftover]:
    for pid, words in lost_processes():
        yield Leftover("process", f"{pid} ({words})", partial(end_process, pid))


def _scratch_folders() -> Iterator[Leftover]:
    for scratch in dead_scratch():
        yield Leftover("scratch folder", str(scratch.folder), scratch.release)


def _loop_devices() -> Iterator[Leftover]:
    """Loop devices of dead makers whose folder is gone already, and which yet are mounted somewhere."""
    for path in sorted(_BLOCK_DEVICES.glob("loop*/loop/backing_file")) if os.geteuid() == 0 else ():
        try:
            folder = scratch_of(Path(path.read_text().rstrip("\n").removesuffix(" (deleted)")))
        except (OSError, ValueError):
            continue  # it was given back at this moment, or is not ours
        if folder and not folder.exists() and state(maker(folder)) == "dead":
            device = f"/dev/{path.parent.parent.name}"
            yield Leftover("loop device", device, partial(_detach, device, path))


def _detach(device: str, backing_file: Path) -> None:
    """Have the kernel give it back, which it does when its last mount goes. Raises: OSError, CalledProcessError."""
    deadline = time.monotonic() + _RELEASE_SECONDS
    while backing_file.exists():
        if time.monotonic() > deadline:
            subprocess.run(["losetup", "--detach", device], check=True, capture_output=True, timeout=30)
            raise OSError(f"still mounted elsewhere; `grep {device} /proc/*/mountinfo` shows by which processes")
        time.sleep(0.05)


def _temp_folders() -> Iterator[Leftover]:
    for path, sure in left_temp_folders():
        yield Leftover("temporary folder", str(path), partial(shutil.rmtree, path), sure)
