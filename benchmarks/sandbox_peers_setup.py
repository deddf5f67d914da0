"""What the other executors need: an environment of their own, and images of their own on top of ours."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker
import requests
from docker.errors import APIError, BuildError

from benchmarks.sandbox_contenders import Failed
from benchmarks.sandbox_peers import PREFIX, Peer
from sandbox.image import packed
from sandbox.owner import is_dead, owner
from sandbox.pip_settings import pip_files

NAMES = ("autogen", "smolagents", "llm_sandbox")
REPOSITORY = "linguacodus-benchmark"
_HERE = Path(__file__).resolve().parent
_REQUIREMENTS, _DOCKERFILE = _HERE / "sandbox_peers.txt", _HERE / "Dockerfile.peers"
_BUILD_SECONDS = 1800


@contextmanager
def open_peers(folder: Path, image: str, faults: dict[str, str], *, lean: bool) -> Iterator[list[Peer]]:
    """The peers, or none where they cannot be had (why goes into `faults`). Leaving ends them and their containers."""
    _sweep()
    peers: list[Peer] = []
    try:
        try:
            python = _install(folder)
            peers += [Peer(name, python, _build(name, image, lean=lean)) for name in NAMES]
        except Failed as failure:
            faults |= dict.fromkeys(NAMES, str(failure))
            print(f"{', '.join(NAMES)}: {failure}", file=sys.stderr, flush=True)
        _forget_leftovers()
        yield peers
    finally:
        for peer in peers:
            peer.end()
        _sweep()


def _install(folder: Path) -> Path:
    """The Python of the peers' environment in `folder`, made where it is not there. Raises: Failed."""
    wanted = _REQUIREMENTS.read_text()
    done, python = folder / "installed.txt", folder / "bin" / "python"
    if done.exists() and done.read_text() == wanted:
        return python
    print(f"Installing other executors into {folder}: once, about a minute.", file=sys.stderr, flush=True)
    _call(sys.executable, "-m", "venv", str(folder))
    _call(str(python), "-m", "pip", "install", "--quiet", "--requirement", str(_REQUIREMENTS))
    done.write_text(wanted)
    return python


def _build(name: str, image: str, *, lean: bool) -> str:
    """The image of a peer, built on ours where it is not there. Raises: Failed."""
    recipe = _DOCKERFILE.read_bytes()
    tag = f"{REPOSITORY}:{name}-{hashlib.sha256(recipe + f'{image} {lean}'.encode()).hexdigest()[:12]}"
    client = docker.from_env(timeout=_BUILD_SECONDS)
    try:
        if client.images.list(tag):
            return tag
        print(f"Building {tag}: once, half a minute.", file=sys.stderr, flush=True)
        client.images.build(
            fileobj=packed({_DOCKERFILE.name: recipe} | pip_files()),
            custom_context=True,
            dockerfile=_DOCKERFILE.name,
            target=name,
            tag=tag,
            buildargs={"IMAGE": image, "LEAN": "1" if lean else ""},
            network_mode="host",
            rm=True,
            forcerm=True,
        )
    except (BuildError, APIError, requests.exceptions.RequestException) as error:
        raise Failed(f"its image could not be built: {error}") from error
    finally:
        client.close()
    return tag


def _forget_leftovers() -> None:
    """Remove the first stage of the builds: pip's settings are in it."""
    client = docker.from_env()
    try:
        client.images.prune(filters={"dangling": True, "label": "linguacodus.benchmark=build"})
    finally:
        client.close()


def _call(*words: str) -> None:
    done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-1:]
        raise Failed(f"`{' '.join(words[1:4])}` failed: {' '.join(said)[:500]}")


def _sweep() -> None:
    """Remove the peers' containers of this process and of dead ones."""
    client = docker.from_env()
    try:
        for container in client.containers.list(all=True, filters={"name": PREFIX}, ignore_removed=True):
            who = str(container.name).removeprefix(PREFIX)
            if who.startswith(owner()) or is_dead(who):
                container.remove(force=True)
    finally:
        client.close()
