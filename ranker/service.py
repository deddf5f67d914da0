"""The fine-tuned ranker for many runs: `python -m ranker.service`, started by ranker/shared.py.

Frames (sandbox/frames.py) on stdin and stdout; it ends where stdin does:

    in   {socket}       the path where it is to listen
    out  {listening}    runs may come

Each connection speaks as ranker/child.py does. A folder is read once, and one question is answered at a time.
"""

from __future__ import annotations

import os
import socket
import threading
import traceback
import warnings
from contextlib import suppress
from typing import BinaryIO, cast

from sandbox.frames import FrameError, own_pipes, read_frame, write_frame

WAITING = 128
"""Runs that have called and were not heard yet."""


def main(stdin: BinaryIO, stdout: BinaryIO) -> None:
    """Serve until stdin ends."""
    asked = read_frame(stdin)
    if asked is None:
        return
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(asked["socket"])
        listener.listen(WAITING)
        write_frame(stdout, {"listening": True})
        threading.Thread(target=accept, args=(listener,), daemon=True).start()
        read_frame(stdin)
    # The batch was killed, or it would have done this.
    os.unlink(asked["socket"])
    os.rmdir(os.path.dirname(asked["socket"]))


def accept(listener: socket.socket) -> None:
    """Serve each who calls, in a thread of its own. Where that cannot be, this process ends: runs rank without it."""
    try:
        _accept(listener)
    except Exception:  # noqa: BLE001 - whatever it is, nobody is to wait for an answer
        traceback.print_exc()
        os._exit(1)


def _accept(listener: socket.socket) -> None:
    from ranker import child  # takes seconds, in which runs can call already

    turn = threading.Lock()

    def serve(caller: socket.socket) -> None:
        with suppress(FrameError, OSError), caller, caller.makefile("rb") as reader, caller.makefile("wb") as writer:
            child.main(cast(BinaryIO, reader), cast(BinaryIO, writer), turn)

    while True:
        threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    with suppress(FrameError, OSError):
        main(*own_pipes())
    os._exit(0)  # whoever is still being served has lost its batch
