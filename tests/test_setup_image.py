"""The built image, as generated code finds it."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from sandbox.image import ensure_image, image_tag

pytestmark = pytest.mark.docker

ROOT = Path(__file__).resolve().parent.parent
LIBRARIES = [
    "pandas", "pyarrow", "sklearn", "lightgbm", "xgboost", "catboost", "scipy", "statsmodels", "matplotlib", "PIL",
    "ipykernel", "jupyter_client", "pytest",
]  # fmt: skip


@pytest.fixture(scope="module")
def client() -> Iterator[docker.DockerClient]:
    made = docker.from_env()
    yield made
    made.close()


def in_image(client: docker.DockerClient, code: str) -> str:
    """What `code` prints, under the limits that generated code has."""
    printed = client.containers.run(
        ensure_image(), ["python", "-c", code], network_mode="none", read_only=True, cap_drop=["ALL"],
        tmpfs={"/tmp": "size=64m"}, environment={"HOME": "/tmp"}, remove=True,
    )  # fmt: skip
    return printed.decode()


def test_the_promised_libraries_are_there_and_compiled(client: docker.DockerClient) -> None:
    code = f"""
import importlib, importlib.util, json, os
found = {{}}
for name in {LIBRARIES}:
    module = importlib.import_module(name)
    found[name] = os.path.exists(importlib.util.cache_from_source(module.__file__))
print(json.dumps(found))
"""
    assert json.loads(in_image(client, code)) == dict.fromkeys(LIBRARIES, True)


def test_code_is_nobody_and_finds_nothing_of_the_host(client: docker.DockerClient) -> None:
    code = """
import json, os
folders = [walked for top in os.listdir("/") if top not in ("proc", "sys", "dev") for walked in os.walk("/" + top)]
leftovers = [folder for folder, _, files in folders if {"ca.crt", "pip.conf"} & set(files)]
print(json.dumps([os.getuid(), leftovers, [name for name in os.environ if "PIP" in name or "CERT" in name]]))
"""
    assert json.loads(in_image(client, code)) == [1000, [], []]


def test_an_image_that_is_there_is_not_built_again() -> None:
    said: list[str] = []
    assert ensure_image(said.append) == image_tag()
    assert said == []


def test_no_engine_is_one_sentence_and_exit_code_3() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.image", "build"],
        cwd=ROOT, env={"DOCKER_HOST": "unix:///nonexistent.sock"}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 3
    assert done.stderr == (
        "No container engine answers at unix:///nonexistent.sock; run `make setup`, which installs and starts one on "
        "Debian.\n"
    )
