"""One process of the fine-tuned ranker for all runs of a batch: it loads its libraries once, not once a run.

The batch starts it (ranker/service.py) and names its socket in the environment of its runs. A run that cannot reach it,
or that it leaves without an answer, starts a process of its own.
"""

from __future__ import annotations

import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from models.local_process import Child, LocalModelError
from sandbox.frames import FrameError, read_frame, write_frame
from sandbox.temp_folders import temp_prefix

SHARED_VARIABLE = "LINGUACODUS_SHARED_RANKER"
"""Environment variable that names the socket."""
SERVICE = "ranker.service"


class SharedRankerEnded(LocalModelError):
    """The shared process has hung up."""


class Connection:
    """What a run says to the shared process and hears from it: the frames of ranker/child.py."""

    def __init__(self, path: str) -> None:
        """Raises: OSError where nobody listens."""
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.connect(path)
        except OSError:
            self._socket.close()
            raise
        self._reader, self._writer = self._socket.makefile("rb"), self._socket.makefile("wb")

    def send(self, message: Mapping[str, object]) -> None:
        """Write one frame. Raises: SharedRankerEnded."""
        try:
            write_frame(self._writer, message)
        except (OSError, ValueError) as error:  # ValueError: `end` has closed it
            raise SharedRankerEnded from error

    def receive(self) -> dict[str, Any]:
        """The next frame. Raises: SharedRankerEnded."""
        try:
            frame = read_frame(self._reader)
        except (FrameError, OSError, ValueError) as error:
            raise SharedRankerEnded from error
        if frame is None:
            raise SharedRankerEnded
        return frame

    def end(self) -> None:
        """Hang up; whoever waits for an answer stops waiting."""
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        for part in (self._reader, self._writer, self._socket):
            with suppress(OSError):  # what was still to be sent has no reader any more
                part.close()


def shared_connection() -> Connection | None:
    """To the process that this run's batch has started; None where there is none, or it does not answer."""
    path = os.environ.get(SHARED_VARIABLE)
    try:
        return Connection(path) if path else None
    except OSError:
        return None


@contextmanager
def shared_ranker() -> Iterator[None]:
    """Runs that are started meanwhile share one process. It ends with this one, however that ends.

    Raises: OSError where it cannot be started.
    """
    with tempfile.TemporaryDirectory(prefix=temp_prefix("ranker")) as folder:  # nobody else may enter it
        path = str(Path(folder) / "ranker")
        child = Child(f"python -m {SERVICE}", SERVICE)
        try:
            with suppress(LocalModelError):  # then each run has its own
                child.send({"socket": path})
                child.receive()
                os.environ[SHARED_VARIABLE] = path
            yield
        finally:
            os.environ.pop(SHARED_VARIABLE, None)
            child.end()
