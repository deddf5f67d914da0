"""Which image the tests with containers use, and whether a session in it lives."""

from __future__ import annotations

import docker
import docker.errors

from sandbox.base import Session
from sandbox.image import REPOSITORY, image_tag


def find_image() -> str:
    """The current image, or else any earlier one of ours (while it is being built anew)."""
    client = docker.from_env()
    try:
        client.images.get(image_tag())
    except docker.errors.ImageNotFound:
        tags = [tag for image in client.images.list(REPOSITORY) for tag in image.tags]
        assert tags, "no sandbox image; run `make image`"
        return str(tags[0])
    finally:
        client.close()
    return image_tag()


def is_alive(session: Session) -> bool:
    """Whether it still runs code."""
    return session.execute("print('alive')", 20).stdout == "alive\n"
