"""The container engine behind the Docker SDK. The only place where its exceptions become ours."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import docker
import docker.errors
import requests
import urllib3.exceptions
from docker.models.containers import Container as EngineContainer

from sandbox.base import EngineUnavailable, ImageMissing, LimitsNotEnforced, SandboxLost
from sandbox.owner import is_dead, owner

LABEL = "linguacodus"
OWNER_LABEL = "linguacodus.owner"

_CALL_SECONDS = 60
_SYSTEM_SOCKET = Path("/var/run/docker.sock")
_LOST = (docker.errors.DockerException, requests.RequestException, urllib3.exceptions.HTTPError, OSError)
_LIMITS = {"MemoryLimit": "memory", "PidsLimit": "process", "CpuCfsQuota": "CPU"}


class Engine:
    """An open connection to a local engine. Thread-safe. Raises on opening: EngineUnavailable, LimitsNotEnforced."""

    def __init__(self) -> None:
        address = engine_address()
        self._client = _connect(address)
        with calls("asking the container engine about itself"):
            self._facts = self._client.info()
            self._name = _name(self._client.version())
        _check_limits(self._facts)

    def close(self) -> None:
        """Close idle connections."""
        self._client.close()

    def require_image(self, image: str) -> None:
        """Raises: ImageMissing, SandboxLost."""
        with calls("looking for the image", image=image):
            self._client.images.get(image)

    def create(self, image: str, options: Mapping[str, Any]) -> EngineContainer:
        """A stopped container; `options` as for the SDK's `containers.create`. Raises: ImageMissing, SandboxLost."""
        with calls("creating a container", image=image):
            return self._client.containers.create(image, **options)

    def attach(self, container: EngineContainer) -> socket.socket:
        """The multiplexed stdin, stdout and stderr of a container that has not started yet. Raises: SandboxLost."""
        with calls("attaching to a container"):
            wanted = {"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            stream = self._client.api.attach_socket(str(container.id), params=wanted)
            # A SocketIO over the connection; duplicated so that its life does not hang on the SDK's objects.
            duplicate = cast(socket.socket, stream._sock).dup()
            stream.close()
            return duplicate

    def events(self, container_id: str, since: float, until: int) -> list[str]:
        """What happened to a container between two Unix times, such as "oom" and "die". Raises: SandboxLost."""
        with calls("asking for the container's events"):
            found = self._client.api.events(
                since=int(since), until=until, filters={"container": container_id}, decode=True
            )
            return [str(event.get("Action", "")) for event in found]

    def memory_mb(self, container: EngineContainer) -> float | None:
        """Largest memory of a container in MiB as the engine tells it, else what it has now, else None."""
        try:
            with calls("measuring a container"):
                stats = self._client.api.stats(str(container.id), stream=False, one_shot=True)
        except SandboxLost:
            return None
        memory = cast(dict[str, Any], stats).get("memory_stats") or {}
        size = memory.get("max_usage") or memory.get("usage")
        return float(size) / 2**20 if size else None

    def sweep(self) -> int:
        """Remove the containers of dead owners; how many. Raises: SandboxLost."""
        with calls("looking for leftover containers"):
            found = self._client.containers.list(all=True, filters={"label": f"{LABEL}=1"}, ignore_removed=True)
            dead = [container for container in found if is_dead(container.labels.get(OWNER_LABEL, ""))]
        for container in dead:
            remove(container)
        return len(dead)

    @property
    def cpus(self) -> int:
        """CPU cores of the engine's machine."""
        return int(self._facts.get("NCPU") or os.cpu_count() or 1)

    @property
    def ram_mb(self) -> int:
        """Memory of the engine's machine in MiB; 0 where it does not tell."""
        return int(self._facts.get("MemTotal") or 0) // 2**20

    def describe(self) -> dict[str, str]:
        """The engine's part of `Sandbox.isolation`."""
        options = " ".join(str(option) for option in self._facts.get("SecurityOptions") or [])
        return {
            "engine": f"{self._name} {self._facts.get('ServerVersion', '?')}",
            "runtime": str(self._facts.get("DefaultRuntime", "?")),
            "cgroups": f"version {self._facts.get('CgroupVersion', '1')}",
            "seccomp": "default profile" if "seccomp" in options else "none",
            "daemon": "rootless" if "rootless" in options else "runs as root",
        }


def remove(container: EngineContainer) -> None:
    """Kill and remove a container, and its anonymous volumes; one that is gone already is fine. Raises: SandboxLost."""
    with calls("removing a container"):
        try:
            container.remove(force=True, v=True)
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as error:
            if error.status_code != 409:  # 409: the engine is removing it at this moment
                raise
            _await_removal(container)


def owner_labels() -> dict[str, str]:
    """Labels by which a later process recognises this process's leftovers."""
    return {LABEL: "1", OWNER_LABEL: owner()}


@contextmanager
def calls(what: str, image: str = "") -> Iterator[None]:
    """Turn whatever the SDK and the operating system raise into one of our own exceptions."""
    try:
        yield
    except docker.errors.ImageNotFound as error:
        raise ImageMissing(f"The image {image} is not there; build it with `make image`.") from error
    except docker.errors.NotFound as error:
        if image:
            raise ImageMissing(f"The image {image} is not there; build it with `make image`.") from error
        raise SandboxLost(f"The container is gone ({what}: {_reason(error)}); run the command again.") from error
    except _LOST as error:
        raise SandboxLost(
            f"The container engine failed while {what} ({_reason(error)}); is it still running?"
        ) from error


def _await_removal(container: EngineContainer) -> None:
    try:
        container.wait(condition="removed", timeout=10)
    except docker.errors.NotFound:
        return


def engine_address() -> str:
    """Where the engine listens. Raises: EngineUnavailable for one on another machine."""
    address = os.environ.get("DOCKER_HOST", "")
    if address and not address.startswith(("unix://", "npipe://")):
        raise EngineUnavailable(
            f"DOCKER_HOST={address} is another machine, which cannot see the task's files; "
            "unset it to use a local engine."
        )
    rootless = Path(os.environ.get("XDG_RUNTIME_DIR", "/nonexistent")) / "docker.sock"
    if not address and not _SYSTEM_SOCKET.exists() and rootless.exists():
        return f"unix://{rootless}"
    return address or f"unix://{_SYSTEM_SOCKET}"


def _connect(address: str) -> docker.DockerClient:
    try:
        client = docker.DockerClient(base_url=address, version="auto", timeout=_CALL_SECONDS, max_pool_size=32)
    except _LOST as error:
        raise EngineUnavailable(_explain(address, _reason(error))) from error
    return client


def _explain(address: str, reason: str) -> str:
    if "Permission denied" in reason or "PermissionError" in reason:
        return (
            f"This user may not use the container engine at {address}; add the user to the group `docker` "
            "and log in again."
        )
    return (
        f"No container engine answers at {address} ({reason}); install Docker (Debian: `apt-get install docker.io`) "
        "or start it (`systemctl start docker`)."
    )


def _name(version: Mapping[str, Any]) -> str:
    """Docker or Podman, which names its engine among its components."""
    names = [str(part.get("Name", "")) for part in version.get("Components") or []]
    return "Podman" if any("podman" in name.lower() for name in names) else "Docker"


def _check_limits(facts: Mapping[str, Any]) -> None:
    missing = [name for key, name in _LIMITS.items() if facts.get(key) is False]
    if missing:
        raise LimitsNotEnforced(
            f"This container engine does not enforce {' and '.join(missing)} limits; enable the cgroup controllers "
            "(rootless engines need cgroup version 2 with delegation)."
        )


def _reason(error: BaseException) -> str:
    explanation = getattr(error, "explanation", None)
    text = str(explanation or error) or type(error).__name__
    return " ".join(text.split())[:300]
