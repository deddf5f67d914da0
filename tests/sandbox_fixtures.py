"""A sandbox and its sessions, for the files of tests that name this one in `pytest_plugins`.

A file says in `SMALL` which limits its sessions get.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.base import Session
from sandbox.docker_sandbox import DockerSandbox
from tests.sandbox_image import find_image


@pytest.fixture(scope="module")
def sandbox() -> Iterator[DockerSandbox]:
    """One for all tests of a file."""
    with DockerSandbox(find_image()) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(request: pytest.FixtureRequest, sandbox: DockerSandbox) -> Iterator[Session]:
    """One session for code that leaves it as it was."""
    with sandbox.session(limits=request.module.SMALL) as session:
        yield session


@pytest.fixture
def session(request: pytest.FixtureRequest, sandbox: DockerSandbox) -> Iterator[Session]:
    """A session of the test's own."""
    with sandbox.session(limits=request.module.SMALL) as fresh:
        yield fresh
