"""In the container: process 1, between the kernel's sockets and the host's frames. It treats the kernel as hostile.

Frames from the host name an operation in "op":

    execute {cell, code}    interrupt {}    kill {}    fetch {path, most}

Frames to the host name what they are in "kind":

    ready {work_mb}                             the kernel answers; size of the working folder in MiB
    text {cell, name, text, cut, tail, size}    a piece of stdout or stderr, its middle cut when it is large
    picture {cell, data, size}                  a PNG in base64
    reply {cell, status, type, message, traceback}    the cell has ended
    idle {cell}                                 nothing more of this cell's output will come
    exit {code, log}                            the kernel has ended; files can still be fetched
    file {data} | {end} | {fault}               the answer to fetch

Three threads: one reads the host's frames, one reaps dead processes, the main one does the rest. When stdin
ends, because the client is gone, the process ends, and with it (it is process 1) everything in the container.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any

import zmq
from jupyter_client.session import Session

from sandbox.frames import FrameError, encode, read_frame
from sandbox.relay_files import read_file
from sandbox.relay_limits import FRAME_LIMIT, PICTURE_LIMIT, TEXT_KEPT
from sandbox.relay_start import FOLDER, PORTS, Kernel

WORK = "/work"
WARM_UP = """
def _import_the_usual():
    for name in ("numpy", "pandas", "sklearn.ensemble", "sklearn.model_selection", "sklearn.pipeline", "lightgbm"):
        try:
            __import__(name)
        except ImportError:
            pass
_import_the_usual()
del _import_the_usual
"""
"""What most scripts import, where the image has it; no name is left behind."""
_INBOX = "inproc://inbox"
_HOSTILE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError, MemoryError)
"""What a malformed Jupyter message can raise while it is taken apart."""


class Relay:
    """The main thread's state."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._session = Session(key=kernel.key, signature_scheme="hmac-sha256")
        self._context: zmq.Context[zmq.Socket[bytes]] = zmq.Context()
        self._inbox = self._context.socket(zmq.PULL)
        self._inbox.bind(_INBOX)
        self._shell = self._connect("shell", zmq.DEALER)
        self._iopub = self._connect("iopub", zmq.SUB)
        self._awaited = {"shell", "iopub"}
        self._alive = True

    def serve(self) -> None:
        """Run until stdin ends (the thread that sees it ends the process)."""
        threading.Thread(target=self._listen, daemon=True).start()
        threading.Thread(target=self._reap, daemon=True).start()
        poller = zmq.Poller()
        for place in (self._inbox, self._shell, self._iopub):
            poller.register(place, zmq.POLLIN)
        while True:
            if self._awaited and self._alive:
                self._session.send(self._shell, "kernel_info_request", {})
            for place, _ in poller.poll(200 if self._awaited else None):
                self._handle(place)

    def _connect(self, channel: str, kind: int) -> zmq.Socket[bytes]:
        place = self._context.socket(kind)
        place.setsockopt(zmq.RECONNECT_IVL, 20)
        place.setsockopt(zmq.LINGER, 0)
        if kind == zmq.SUB:
            place.subscribe(b"")
        place.connect(f"ipc://{FOLDER}/s-{PORTS[channel]}")
        return place

    def _handle(self, place: zmq.Socket[bytes]) -> None:
        if place is self._inbox:
            self._obey(place.recv_json())
            return
        channel = "shell" if place is self._shell else "iopub"
        message, size = self._read(place)
        if not self._awaited:
            for frame in translate(message, size):
                send(frame)
            return
        os.ftruncate(self._kernel.log, 0)  # a kernel that starts has nothing worth reading to say
        self._awaited.discard(channel)  # both have been seen to work: nothing can get lost from here on
        if not self._awaited:
            send({"kind": "ready", "work_mb": _size_mb(WORK)})

    def _read(self, place: zmq.Socket[bytes]) -> tuple[Mapping[str, Any], int]:
        """One Jupyter message and its size; an empty one where it was forged or malformed."""
        parts = place.recv_multipart()
        try:
            _, signed = self._session.feed_identities(parts)
            return self._session.deserialize(signed), sum(len(part) for part in parts[-2:])
        except _HOSTILE:
            return {}, sum(len(part) for part in parts)

    def _obey(self, order: Any) -> None:
        operation = order["op"]
        if operation == "execute":
            if order["env"]:
                self._execute("environment", f"__import__('os').environ.update({order['env']!r})", silent=True)
            self._execute(str(order["cell"]), str(order["code"]))
        elif operation == "warm_up":
            self._execute(str(order["cell"]), WARM_UP, silent=True)
        elif operation == "interrupt":
            _signal_group(self._kernel.process.pid)
        elif operation == "kill":
            kill_everything()
        elif operation == "fetch":
            for frame in read_file(WORK, str(order["path"]), int(order["most"])):
                send(frame)
        elif operation == "exit":
            self._alive = False
            send({"kind": "exit", "code": order["code"], "log": self._log()})

    def _execute(self, cell: str, code: str, *, silent: bool = False) -> None:
        content = {"code": code, "silent": silent, "store_history": not silent, "allow_stdin": False}
        header = self._session.msg_header("execute_request") | {"msg_id": cell}
        self._session.send(self._shell, "execute_request", content, header=header)

    def _log(self) -> str:
        size = os.fstat(self._kernel.log).st_size
        return os.pread(self._kernel.log, 4096, max(0, size - 4096)).decode("utf-8", "replace")

    def _listen(self) -> None:
        """Thread: pass the host's frames on; end the process when there will be no more."""
        outbox = self._context.socket(zmq.PUSH)
        outbox.connect(_INBOX)
        with os.fdopen(0, "rb", closefd=False) as stream:
            try:
                while (order := read_frame(stream, FRAME_LIMIT)) is not None:
                    outbox.send_json(order)
            finally:
                os._exit(0)

    def _reap(self) -> None:
        """Thread: wait for every process that dies (as process 1 must) and tell of the kernel's end."""
        outbox = self._context.socket(zmq.PUSH)
        outbox.connect(_INBOX)
        while True:
            try:
                pid, status = os.waitpid(-1, 0)
            except ChildProcessError:
                time.sleep(0.1)
                continue
            if pid == self._kernel.process.pid:
                outbox.send_json({"op": "exit", "code": os.waitstatus_to_exitcode(status)})


def translate(message: Mapping[str, Any], size: int) -> list[dict[str, object]]:
    """What the host is told of a Jupyter message; nothing for most, and nothing of what is malformed."""
    try:
        cell = str(message["parent_header"].get("msg_id", ""))[:64]
        content = message["content"]
        return _TRANSLATIONS[message["header"]["msg_type"]](cell, content, size)
    except _HOSTILE:
        return []


def _stream(cell: str, content: Mapping[str, Any], size: int) -> list[dict[str, object]]:
    name = "stderr" if content["name"] == "stderr" else "stdout"
    return [{"kind": "text", "cell": cell, "name": name, "size": size, **shorten(str(content["text"]))}]


def _display(cell: str, content: Mapping[str, Any], size: int) -> list[dict[str, object]]:
    """The picture if there is one, else the plain text. Nothing that a browser would execute is passed on."""
    picture = content["data"].get("image/png")
    if isinstance(picture, str) and len(picture) <= PICTURE_LIMIT:
        return [{"kind": "picture", "cell": cell, "data": picture, "size": size}]
    text = "[a picture that is too large]" if picture else str(content["data"].get("text/plain", ""))
    return [{"kind": "text", "cell": cell, "name": "stdout", "size": size, **shorten(text + "\n")}]


def _reply(cell: str, content: Mapping[str, Any], size: int) -> list[dict[str, object]]:
    frame: dict[str, object] = {"kind": "reply", "cell": cell, "status": str(content["status"])[:20]}
    if content["status"] == "error":
        frame["type"] = str(content.get("ename", ""))[:200]
        frame["message"] = _joined(str(content.get("evalue", "")))
        frame["traceback"] = _joined("\n".join(str(line) for line in content.get("traceback", [])))
    return [frame]


def _status(cell: str, content: Mapping[str, Any], size: int) -> list[dict[str, object]]:
    return [{"kind": "idle", "cell": cell}] if content["execution_state"] == "idle" else []


_TRANSLATIONS = {
    "stream": _stream,
    "display_data": _display,
    "execute_result": _display,
    "execute_reply": _reply,
    "status": _status,
}


def shorten(text: str) -> dict[str, object]:
    """The two ends of a text and how many characters lay between them."""
    cut = len(text) - 2 * TEXT_KEPT
    if cut <= 0:
        return {"text": text, "cut": 0, "tail": ""}
    return {"text": text[:TEXT_KEPT], "cut": cut, "tail": text[-TEXT_KEPT:]}


def _joined(text: str) -> str:
    parts = shorten(text)
    return text if not parts["cut"] else f"{parts['text']}\n[... {parts['cut']:,} characters cut ...]\n{parts['tail']}"


def kill_everything() -> None:
    """Kill every process but this one; again, as a fork bomb may be running."""
    for _ in range(20):
        try:
            os.kill(-1, signal.SIGKILL)
        except ProcessLookupError:
            return
        time.sleep(0.005)


def _signal_group(leader: int) -> None:
    try:
        os.killpg(leader, signal.SIGINT)
    except (ProcessLookupError, PermissionError):
        pass  # it has just ended


def _size_mb(folder: str) -> float:
    found = os.statvfs(folder)
    return found.f_blocks * found.f_frsize / 2**20


def send(frame: Mapping[str, object]) -> None:
    """Write a frame to the host; waits while the host does not read."""
    try:
        data = memoryview(encode(frame, FRAME_LIMIT))
    except FrameError:
        return  # larger than the host takes: it is not told
    while data:
        data = data[os.write(1, data) :]


def serve(kernel: Kernel) -> None:
    """Serve until the client is gone; an error here ends the container."""
    try:
        Relay(kernel).serve()
    finally:
        sys.stderr.flush()
        os._exit(1)
