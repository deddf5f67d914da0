"""The container engine behind the Docker SDK. The only place where its exceptions become ours."""

from __future__ import annotations

import contextlib
import http.client
import logging
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import docker
import docker.errors
import requests
import urllib3.exceptions
from docker.models.containers import Container as EngineContainer

from sandbox.base import EngineUnavailable, ImageMissing, SandboxError, SandboxLost
from sandbox.engine_facts import Facts
from sandbox.engine_faults import failure, no_engine, reason
from sandbox.owner import is_dead, owner

LABEL = "linguacodus"
OWNER_LABEL = "linguacodus.owner"
ANSWER_SECONDS = 20
"""An engine that is silent for so long when it is first asked hangs."""
CALL_SECONDS = 60
"""Later it may be busy: starting a container on a loaded machine takes its time."""

_LOG = logging.getLogger(__name__)
_REMOVE_SECONDS = 10
_ENDING = (409, 500)
"""What an engine answers while it is itself ending or removing the container: Docker 409, podman 500."""
_SYSTEM_SOCKET = "/var/run/docker.sock"
_LOST = (
    docker.errors.DockerException,
    requests.RequestException,
    urllib3.exceptions.HTTPError,
    http.client.HTTPException,
    OSError,
)
_NONSENSE = (ValueError, TypeError, LookupError, AttributeError)
"""What the SDK trips over when something else than an engine answers."""


@dataclass(frozen=True)
class Event:
    """Something that happened to a container."""

    action: str
    """Such as "oom", "kill" and "die"."""
    exit_code: int | None
    """Of its main process, where the action is "die"."""


class Engine:
    """An open connection to a local engine. Thread-safe. Raises on opening: EngineUnavailable, LimitsNotEnforced."""

    def __init__(self, answer_seconds: int = ANSWER_SECONDS, call_seconds: int = CALL_SECONDS) -> None:
        self._address = engine_address()
        self._client = _connect(self._address, answer_seconds)
        try:
            self.facts = self._ask()
            self.facts.check()
        except BaseException:
            self._client.close()
            raise
        self._client.api.timeout = call_seconds

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

    def events(self, container_id: str, since: float, until: int) -> list[Event]:
        """What happened to a container between two Unix times. Raises: SandboxLost."""
        with calls("asking for the container's events"):
            found = self._client.api.events(
                since=int(since), until=until, filters={"container": container_id}, decode=True
            )
            return [_event(event) for event in found]

    def memory_mb(self, container: EngineContainer) -> float | None:
        """Largest memory of a container in MiB as the engine tells it, else what it has now, else None."""
        try:
            with calls("measuring a container"):
                stats = self._client.api.stats(str(container.id), stream=False, one_shot=True)
        except SandboxError:
            return None
        memory = cast(dict[str, Any], stats).get("memory_stats") or {}
        size = memory.get("max_usage") or memory.get("usage")
        return float(size) / 2**20 if size else None

    def sweep(self) -> int:
        """Remove the containers of dead owners; how many. Raises: SandboxLost."""
        with calls("looking for leftover containers"):
            found = self._client.containers.list(all=True, filters={"label": f"{LABEL}=1"}, ignore_removed=True)
            dead = [container for container in found if is_dead(container.labels.get(OWNER_LABEL, ""))]
        return sum(_swept(container) for container in dead)

    def _ask(self) -> Facts:
        try:
            info, version = self._client.info(), self._client.version()
        except (*_LOST, *_NONSENSE) as error:
            raise EngineUnavailable(no_engine(self._address, reason(error))) from error
        told: tuple[object, object] = (info, version)
        if not all(isinstance(words, dict) for words in told) or not info.get("ServerVersion"):
            raise EngineUnavailable(no_engine(self._address, "it does not say which engine it is"))
        return Facts(info, version)


def _event(told: Mapping[str, Any]) -> Event:
    code = str((told.get("Actor") or {}).get("Attributes", {}).get("exitCode", ""))
    return Event(str(told.get("Action", "")), int(code) if code.isdigit() else None)


def remove(container: EngineContainer) -> None:
    """Kill and remove a container, and its anonymous volumes; one that is gone already is fine. Raises: SandboxLost."""
    deadline = time.monotonic() + _REMOVE_SECONDS
    with calls("removing a container"), contextlib.suppress(docker.errors.NotFound):
        while not _removed(container, deadline):
            pass


def _swept(container: EngineContainer) -> bool:
    """Whether it could be removed: one that cannot is no reason to stop."""
    try:
        remove(container)
    except SandboxError as error:
        _LOG.warning("the leftover container %s stays: %s", container.name, error)
        return False
    return True


def _removed(container: EngineContainer, deadline: float) -> bool:
    """Whether it is gone. Where it is just ending by itself, Docker says when it has; podman is asked again."""
    try:
        container.remove(force=True, v=True)
    except docker.errors.NotFound:
        return True
    except docker.errors.APIError as error:
        if error.status_code not in _ENDING or time.monotonic() > deadline:
            raise
        if error.status_code == 409:
            container.wait(condition="removed", timeout=_REMOVE_SECONDS)
        else:
            time.sleep(0.02)
        return False
    return True


def owner_labels() -> dict[str, str]:
    """Labels by which a later process recognises this process's leftovers."""
    return {LABEL: "1", OWNER_LABEL: owner()}


@contextmanager
def calls(what: str, image: str = "") -> Iterator[None]:
    """Turn whatever the SDK and the operating system raise into one of our own exceptions."""
    try:
        yield
    except docker.errors.NotFound as error:
        if image:
            raise ImageMissing(f"The image {image} is not there; build it with `make image`.") from error
        raise SandboxLost(f"The container is gone ({what}: {reason(error)}); run the command again.") from error
    except _LOST as error:
        raise failure(what, reason(error)) from error
    except _NONSENSE as error:
        raise SandboxLost(
            f"What the container engine answered while {what} makes no sense ({reason(error)}); "
            "see that DOCKER_HOST names Docker or podman."
        ) from error


def engine_address() -> str:
    """Where the engine listens: `DOCKER_HOST`, else the first of Docker's own places that is there.

    Raises: EngineUnavailable for one on another machine.
    """
    address = os.environ.get("DOCKER_HOST", "")
    if address and not address.startswith(("unix://", "npipe://")):
        raise EngineUnavailable(
            f"DOCKER_HOST={address} is another machine, which cannot see the task's files; "
            "unset it to use a local engine."
        )
    rootless = os.environ.get("XDG_RUNTIME_DIR", "/nonexistent") + "/docker.sock"
    desktop = [os.path.expanduser(f"~/.docker/{name}/docker.sock") for name in ("run", "desktop")]
    there = [place for place in [_SYSTEM_SOCKET, rootless, *desktop] if os.path.exists(place)]
    return address or f"unix://{(there or [_SYSTEM_SOCKET])[0]}"


def _connect(address: str, seconds: int) -> docker.DockerClient:
    try:
        return docker.DockerClient(base_url=address, version="auto", timeout=seconds, max_pool_size=32)
    except (*_LOST, *_NONSENSE) as error:
        raise EngineUnavailable(no_engine(address, reason(error))) from error
