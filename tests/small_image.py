"""An image of a tenth of the size for engines that live as long as a test: our own, less what a kernel can do without.

It is taken out of the sandbox image once, kept in build/, and taken anew when the image changes.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import docker

from tests.sandbox_image import find_image

NAME = "linguacodus-small:latest"
ROOT = Path(__file__).resolve().parent.parent

_CHANGES = ["ENV PATH=/opt/venv/bin:/usr/local/bin:/usr/bin:/bin", "WORKDIR /work", "USER 1000:1000"]
_PACK = r"""
import os, re, sys, tarfile
from importlib.metadata import distributions

def plain(name):
    return re.sub("[-_.]+", "-", name).lower()

def folders(found):
    paths = [os.path.normpath(file.locate()) for file in found.files or []]
    return {path.split("/site-packages/")[1].split("/")[0] for path in paths if "/site-packages/" in path}

installed = {plain(found.name): found for found in distributions()}
wanted, kept = ["ipykernel", "jupyter-client"], set()
while wanted:
    name = wanted.pop()
    if name in installed and name not in kept:
        kept.add(name)
        needs = [text for text in installed[name].requires or [] if "extra ==" not in text]
        wanted += [plain(re.match(r"[\w.-]+", text)[0]) for text in needs]
light = set().union(*(folders(installed[name]) for name in kept))
heavy = set().union(*(folders(installed[name]) for name in installed if name not in kept)) - light
packages = "|".join(re.escape(name) for name in sorted(heavy | {"debugpy", "tzdata"}))
unused = re.compile(
    r"(proc|sys|dev|tmp|out|boot|home|root|var|usr/share|opt/venv/share|.*/third_party|.*/perl[^/]*)/"
    rf"|.*/site-packages/({packages})(/|$)|\.dockerenv"
)
with tarfile.open(sys.argv[1], "w") as archive:
    archive.add("/", "", filter=lambda entry: None if unused.match(entry.name) else entry)
"""


def load_small_image(address: str) -> str:
    """Put the small image into the engine at `address`; its name there."""
    client = docker.DockerClient(base_url=address, version="auto")
    try:
        if not any(NAME in tag for image in client.images.list() for tag in image.tags):
            repository, tag = NAME.split(":")
            with _archive().open("rb") as stream:
                pieces = iter(lambda: stream.read(2**20), b"")
                client.api.import_image_from_stream(pieces, repository=repository, tag=tag, changes=_CHANGES)
    finally:
        client.close()
    return NAME


def podman_store() -> Path:
    """A folder of images for podman (its `overlay.imagestore`) that holds this one: to import it takes seconds."""
    archive = _archive()
    store = archive.with_suffix(".store")
    with _alone():
        if not store.exists():
            _import_for_podman(archive, store)
    return store


def _import_for_podman(archive: Path, store: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="podman-", dir=store.parent) as folder:
        places = ["--root", f"{folder}/store", "--runroot", f"{folder}/run", "--tmpdir", f"{folder}/tmp"]
        kind = ["--storage-driver=overlay", "--cgroup-manager=cgroupfs", "--events-backend=none"]
        changes = [word for change in _CHANGES for word in ("--change", change)]
        command = ["podman", *places, *kind, "import", "--quiet", *changes, str(archive), f"docker.io/library/{NAME}"]
        subprocess.run(command, check=True, env=os.environ | {"TMPDIR": folder}, stdout=subprocess.DEVNULL)
        (Path(folder) / "store").rename(store)


def _archive() -> Path:
    """The packed file system, made with the system's own engine where it is not there yet."""
    image = find_image()
    client = docker.from_env()
    try:
        key = hashlib.sha256(f"{client.images.get(image).id}{_PACK}{_CHANGES}".encode()).hexdigest()[:12]
        path = ROOT / "build" / f"small-image-{key}.tar"
        with _alone():
            if not path.exists():
                for old in path.parent.glob("small-image-*"):
                    shutil.rmtree(old) if old.is_dir() else old.unlink()
                _pack(client, image, path)
    finally:
        client.close()
    return path


@contextmanager
def _alone() -> Iterator[None]:
    """One test process makes it while others wait."""
    (ROOT / "build").mkdir(exist_ok=True)
    with (ROOT / "build" / "small-image.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _pack(client: docker.DockerClient, image: str, path: Path) -> None:
    part = path.with_suffix(f".{os.getpid()}")
    client.containers.run(
        image,
        ["python", "-c", _PACK, f"/out/{part.name}"],
        user="0",
        network_mode="none",
        remove=True,
        volumes={str(path.parent): {"bind": "/out", "mode": "rw"}},
    )
    part.replace(path)
