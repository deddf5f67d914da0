"""Whether the engine answers, the image is there, and there is room on the disks: the doctor's first checks."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
import docker.errors
import requests

from sandbox.base import EngineUnavailable
from sandbox.engine import Engine, calls, engine_address
from sandbox.finding import Finding
from sandbox.image import REPOSITORY, image_tag
from sandbox.scratch import PLACE, scratch_home

ANSWER_SECONDS = 10
"""An engine that is silent for so long hangs."""
LITTLE_GB, TOO_LITTLE_GB = 5.0, 0.5
"""Free space on a disk below which the doctor warns, and below which scripts will fail."""


@dataclass(frozen=True)
class Answer:
    """An engine that answers."""

    client: docker.DockerClient
    words: Mapping[str, str]
    """What it says of itself, as in `Sandbox.isolation`."""
    root_folder: str
    """Where it keeps its images."""
    ram_mb: int


def ask_engine() -> tuple[Answer, Finding]:
    """Connect and ask. Raises: EngineUnavailable, LimitsNotEnforced, SandboxLost."""
    address = engine_address()
    client = _connect(address)
    started = time.monotonic()
    with calls("asking the container engine"):
        client.ping()
        milliseconds = (time.monotonic() - started) * 1000
    engine = Engine()
    facts = engine.facts
    engine.close()
    words = facts.describe()
    found = f"{words['engine']} at {address}, {words['daemon']}, answers in {milliseconds:.0f} ms"
    data = {**words, "address": address, "answer_ms": round(milliseconds, 1)}
    root = str(facts.info.get("DockerRootDir") or "")
    return Answer(client, words, root, facts.ram_mb), Finding("ok", "engine", found, data=data)


def check_image(client: docker.DockerClient) -> tuple[str | None, Finding]:
    """An image of ours that can be used, and whether it is the current one. Raises: SandboxLost."""
    wanted = image_tag()
    with calls("looking for the image"):
        sizes = {tag: _size(image.attrs) for image in client.images.list(REPOSITORY) for tag in image.tags}
    sizes = {tag.removeprefix("localhost/"): size for tag, size in sizes.items()}  # podman's names
    others = [tag for tag in sizes if tag != wanted]
    if wanted in sizes:
        older = f"; {len(others)} older, {sum(sizes[tag] for tag in others):.1f} GB" if others else ""
        mend = f"when no other checkout needs them: docker rmi {' '.join(others)}" if others else ""
        data = {"tag": wanted, "gb": round(sizes[wanted], 2), "older": others}
        return wanted, Finding("ok", "image", f"{wanted}, {sizes[wanted]:.1f} GB, up to date{older}", "", mend, data)
    if not others:
        return None, Finding("wrong", "image", f"{wanted} is not there", "nothing can be run", "make image")
    found = f"{wanted} is not there, but {others[0]} is"
    means = "the Dockerfile, its requirements or LINGUACODUS_EXTRA_PIP have changed; the next run builds it anew"
    return others[0], Finding("warn", "image", found, means, "make image")


def check_disks(root_folder: str) -> list[Finding]:
    """Room where the engine keeps its images, and where scratch lies."""
    found = [_disk("engine's disk", Path(root_folder))] if root_folder else []
    if os.geteuid() == 0 and os.environ.get(PLACE) != "memory":
        return [*found, _disk("scratch", scratch_home())]
    why = "this user is not root" if os.geteuid() else f"{PLACE}=memory"
    return [*found, Finding("note", "scratch", f"in memory: {why}", "what scripts write counts into their memory")]


def _disk(what: str, folder: Path) -> Finding:
    there = folder
    while not there.exists() and there != there.parent:
        there = there.parent
    if what != "scratch" and there == Path("/"):
        return Finding("note", what, f"{folder} is not on this machine", "", "docker system df")
    free = shutil.disk_usage(there).free / 1e9
    found, data = f"{free:.1f} GB free at {folder}", {"folder": str(folder), "free_gb": round(free, 2)}
    mend = (
        "docker system df; docker image prune"
        if what != "scratch"
        else f"make room, or name another disk: {PLACE}=FOLDER"
    )
    if free < TOO_LITTLE_GB:
        return Finding("wrong", what, found, "scripts and image builds fail when they write", mend, data)
    if free < LITTLE_GB:
        return Finding("warn", what, found, "a few scripts side by side can fill it", mend, data)
    return Finding("ok", what, found, data=data)


def _connect(address: str) -> docker.DockerClient:
    try:
        return docker.DockerClient(base_url=address, timeout=ANSWER_SECONDS)
    except requests.exceptions.Timeout:
        pass
    except docker.errors.DockerException as error:
        if "timed out" not in str(error):
            Engine().close()  # says what is wrong
    raise EngineUnavailable(
        f"The container engine at {address} is there and has said nothing for {ANSWER_SECONDS} s; "
        "see what it is busy with, or restart it (`systemctl restart docker`)."
    )


def _size(image: Mapping[str, Any]) -> float:
    return float(image.get("Size") or 0) / 1e9
