"""The image that the sandbox image starts from: the public Python one or, where it cannot be pulled, Debian's packages.

Where a registry is out of reach, a Debian mirror often is not: `debootstrap` unpacks a minimal Debian with Python into
a folder (about 45 s), which the engine imports as an image of 250 MB.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import docker
import requests
from docker.errors import APIError, ImageNotFound, NotFound

from sandbox.base import ImageMissing
from sandbox.engine import engine_address
from sandbox.temp_folders import temp_prefix

PUBLIC_BASE = "python:3.11-slim-bookworm"
DEBIAN_BASE = "linguacodus-base:bookworm"
SUITE = "bookworm"
PACKAGES = "python3,python3-venv,libgomp1"
SILENCE_SECONDS = 20
"""A pull during which the engine says nothing for this long is given up."""
PULL_SECONDS = 600
APT_SOURCES = Path("/etc/apt")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

Say = Callable[[str], None]


def ensure_base(client: docker.DockerClient, say: Say) -> str:
    """The name of a base image that is present: found, pulled or made from Debian packages.

    Raises: ImageMissing.
    """
    for name in (PUBLIC_BASE, DEBIAN_BASE):
        if _present(client, name):
            return name
    fault = _pull(say)
    if fault is None:
        return PUBLIC_BASE
    say(f"{PUBLIC_BASE} cannot be pulled ({fault}); making {DEBIAN_BASE} from Debian packages, about a minute.")
    _bootstrap(client)
    return DEBIAN_BASE


def debian_mirror(sources: Path = APT_SOURCES) -> list[str]:
    """The Debian mirror that this host's apt uses (one-line and deb822 files); none leaves debootstrap its own."""
    files = [sources / "sources.list", *sorted((sources / "sources.list.d").glob("*"))]
    lines = [line for file in files if file.is_file() for line in file.read_text(errors="replace").splitlines()]
    words = [word for line in lines if line.startswith(("deb ", "URIs:")) for word in line.split()]
    urls = [word.rstrip("/") for word in words if word.startswith(("http://", "https://"))]
    return [url for url in urls if urlsplit(url).path.endswith("/debian")][:1]


def _present(client: docker.DockerClient, name: str) -> bool:
    try:
        client.images.get(name)
    except ImageNotFound:
        return False
    return True


def _pull(say: Say) -> str | None:
    """Pull the public base: None, or why it could not be had."""
    say(f"Pulling {PUBLIC_BASE}, up to a minute ...")
    deadline = time.monotonic() + PULL_SECONDS
    client = docker.DockerClient(base_url=engine_address(), timeout=SILENCE_SECONDS)
    try:
        for step in client.api.pull(PUBLIC_BASE, stream=True, decode=True):
            if "error" in step:
                return _short(step["error"])
            if time.monotonic() > deadline:
                return f"not there after {PULL_SECONDS} s"
    except (APIError, NotFound) as error:
        return _short(error.explanation or str(error))
    except requests.exceptions.RequestException:
        return f"the engine heard nothing for {SILENCE_SECONDS} s"
    finally:
        client.close()
    return None


def _short(text: object) -> str:
    return " ".join(str(text).split())[:160]


def _bootstrap(client: docker.DockerClient) -> None:
    """Make DEBIAN_BASE and hand it to the engine."""
    _require_debootstrap()
    with _scratch() as folder:
        root = folder / "root"
        keyring = [f"--keyring={KEYRING}"] if KEYRING.exists() else []
        _run(
            ["debootstrap", *keyring, "--variant=minbase", f"--include={PACKAGES}", SUITE, str(root), *debian_mirror()]
        )
        _import(client, root)


def _require_debootstrap() -> None:
    """Install debootstrap where that is possible. Raises: ImageMissing."""
    if os.geteuid() != 0:
        raise ImageMissing(
            f"The base image cannot be pulled, and making one needs root; load {PUBLIC_BASE} into the engine "
            "(`docker load`) or run `python -m sandbox.image build` once as root."
        )
    if shutil.which("debootstrap"):
        return
    if not shutil.which("apt-get"):
        raise ImageMissing(
            f"The base image cannot be pulled; install debootstrap or load {PUBLIC_BASE} with `docker load`."
        )
    _run(["apt-get", "update"])
    _run(["apt-get", "install", "--yes", "--no-install-recommends", "debootstrap", "debian-archive-keyring"])


@contextmanager
def _scratch() -> Iterator[Path]:
    """A folder on disk: /tmp is often memory or mounted without device nodes."""
    folder = Path(tempfile.mkdtemp(prefix=temp_prefix("base"), dir="/var/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _run(command: list[str]) -> None:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "PATH": f"{os.environ.get('PATH', '')}:{PATH}"}
    done = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if done.returncode:
        tail = "\n".join(done.stdout.splitlines()[-8:])
        raise ImageMissing(f"`{' '.join(command[:3])}` failed; make sure that a Debian mirror can be reached:\n{tail}")


def _import(client: docker.DockerClient, root: Path) -> None:
    """Stream the folder into the engine as an image."""
    repository, tag = DEBIAN_BASE.split(":")
    command = ["tar", "-C", str(root), "--exclude=./var/cache/apt/*", "--exclude=./var/lib/apt/lists/*", "-c", "."]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as tar:
        client.api.import_image_from_stream(
            tar.stdout, repository=repository, tag=tag, changes=[f"ENV PATH={PATH} LANG=C.UTF-8", 'CMD ["/bin/bash"]']
        )
    if tar.returncode:
        raise ImageMissing(f"Packing {root} failed; make room in /var/tmp and run this again.")
