"""The sandbox image: its name, and building it where it is missing.

The tag is a hash of what the image is built from (Dockerfile, pinned requirements, `LINGUACODUS_EXTRA_PIP`), so it is
built once and again only when one of them changes.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import tarfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import docker
import requests
import typer
from docker.errors import APIError, DockerException, ImageNotFound

from sandbox.base import EngineUnavailable, ImageMissing, SandboxError
from sandbox.engine import engine_address
from sandbox.image_base import DEBIAN_BASE, ensure_base
from sandbox.pip_settings import pip_files

ROOT = Path(__file__).resolve().parent.parent
REPOSITORY = "linguacodus-sandbox"
RECIPE = ("Dockerfile.sandbox", "sandbox/requirements.txt")
"""The files that the image is made of, relative to the repository."""
PROXIES = ("http_proxy", "https_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
"""Passed to the build: Docker knows these names and keeps them out of the image and its history."""
ANSWER_SECONDS = 20
"""An engine that is silent for this long when it is first asked does not answer."""
BUILD_SECONDS = 3600
"""A build that says nothing for this long is given up."""

Say = Callable[[str], None]


def extra_pip() -> str:
    """Packages that the user adds to the image, as one line for pip (`LINGUACODUS_EXTRA_PIP`)."""
    return " ".join(os.environ.get("LINGUACODUS_EXTRA_PIP", "").split())


def image_tag() -> str:
    """The image's name: `linguacodus-sandbox:` and 12 hex digits of what it is built from."""
    digest = hashlib.sha256(extra_pip().encode())
    for name in RECIPE:
        digest.update(b"\0" + (ROOT / name).read_bytes())
    return f"{REPOSITORY}:{digest.hexdigest()[:12]}"


def to_stderr(text: str) -> None:
    """Progress goes where it does not mix with results."""
    print(text, file=sys.stderr, flush=True)


def ensure_image(say: Say = to_stderr) -> str:
    """Make sure that the image is there, building it where it is not, and return its name.

    Raises: EngineUnavailable, ImageMissing (it could not be built).
    """
    tag = image_tag()
    client = _connect()
    try:
        if not _present(client, tag):
            _build(client, tag, say)
    except requests.exceptions.RequestException as error:
        raise EngineUnavailable(
            f"The container engine failed ({error}); see that it runs and run this again."
        ) from error
    finally:
        client.close()
    return tag


def remove_images(say: Say = to_stderr) -> None:
    """Remove every image of ours, those of older versions too.

    Raises: EngineUnavailable, SandboxError (one is in use).
    """
    client = _connect()
    try:
        tags = [tag for image in client.images.list() for tag in image.tags]
        for tag in sorted(tags, key=lambda name: name == DEBIAN_BASE):
            if tag.startswith(f"{REPOSITORY}:") or tag == DEBIAN_BASE:
                client.images.remove(tag)
                say(f"Removed {tag}.")
        _forget_leftovers(client)
    except APIError as error:
        raise SandboxError(
            f"An image is in use ({error.explanation}); end its containers and run this again."
        ) from error
    finally:
        client.close()


def _connect() -> docker.DockerClient:
    """A client of an engine that answers. Raises: EngineUnavailable."""
    address = engine_address()
    try:
        client = docker.DockerClient(base_url=address, timeout=ANSWER_SECONDS)
    except (DockerException, requests.exceptions.RequestException) as error:
        raise EngineUnavailable(
            f"No container engine answers at {address}; run `make setup`, which installs and starts one on Debian."
        ) from error
    client.api.timeout = BUILD_SECONDS
    return client


def _present(client: docker.DockerClient, tag: str) -> bool:
    try:
        client.images.get(tag)
    except ImageNotFound:
        return False
    return True


def _build(client: docker.DockerClient, tag: str, say: Say) -> None:
    say(f"Building the sandbox image {tag}: once, usually 2 to 5 minutes, 1.4 GB.")
    started = time.monotonic()
    base = ensure_base(client, say)
    proxies = {name: os.environ[name] for name in PROXIES if name in os.environ}
    steps = client.api.build(
        fileobj=_context(),
        custom_context=True,
        dockerfile="Dockerfile.sandbox",
        tag=tag,
        buildargs=proxies | {"BASE": base, "EXTRA_PIP": extra_pip()},
        network_mode="host",
        rm=True,
        forcerm=True,
        decode=True,
    )
    _follow(steps, say)
    _forget_leftovers(client)
    say(f"Built {tag} in {time.monotonic() - started:.0f} s.")


def _context() -> io.BytesIO:
    """The build's files as a tar archive: the recipe, and pip's settings of this host."""
    files = {name: (ROOT / name).read_bytes() for name in RECIPE} | pip_files()
    return packed(files)


def packed(files: Mapping[str, bytes]) -> io.BytesIO:
    """A tar archive of the files by name, as the engine takes a build's."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, data in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    archive.seek(0)
    return archive


def _follow(steps: Iterable[Mapping[str, object]], say: Say) -> None:
    """Say each step of a build; raise with the last lines of its output where it fails."""
    lines: list[str] = []
    for step in steps:
        text = str(step.get("stream", "")).strip()
        lines = [*lines, *text.splitlines()][-8:]
        if text.startswith("Step "):
            say(f"  {text[:100]}")
        if "error" in step:
            tail = "\n".join(lines)
            raise ImageMissing(f"The sandbox image could not be built ({step['error']}); its last lines were:\n{tail}")


def _forget_leftovers(client: docker.DockerClient) -> None:
    """Remove the untagged first stage of our builds (1.4 GB, and pip's settings are in it)."""
    client.images.prune(filters={"dangling": True, "label": "linguacodus=build"})


app = typer.Typer(add_completion=False, help="The image in which generated code runs.", pretty_exceptions_enable=False)


@app.command()
def build() -> None:
    """Build the image where it is missing and print its name."""
    with _machine_failures():
        typer.echo(ensure_image())


@app.command()
def present() -> None:
    """Say nothing; exit with 0 where the engine answers and has the image, else with 1."""
    try:
        client = _connect()
    except EngineUnavailable as error:
        raise typer.Exit(1) from error
    there = _present(client, image_tag())
    client.close()
    raise typer.Exit(0 if there else 1)


@app.command()
def ping() -> None:
    """Say nothing; exit with 0 where a container engine answers, else with 3."""
    with _machine_failures():
        _connect().close()


@app.command()
def tag() -> None:
    """Print the image's name."""
    typer.echo(image_tag())


@app.command()
def clean() -> None:
    """Remove all images of this program."""
    with _machine_failures():
        remove_images()


@contextmanager
def _machine_failures() -> Iterator[None]:
    """A failing machine ends the program with exit code 3 and the sentence that says what to do."""
    try:
        yield
    except SandboxError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(3) from error


if __name__ == "__main__":
    app()
