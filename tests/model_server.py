"""A scripted server that talks like OpenAI's chat completions, over real HTTP on 127.0.0.1, for tests."""

from __future__ import annotations

import json
import socket
import socketserver
import struct
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.model_answers import (
    EVENTS,
    Behaviour,
    End,
    Json,
    Reply,
    answer,
    bad_chunk,
    drop,
    empty,
    forbidden,
    garbage,
    garbage_json,
    half,
    late_error,
    no_quota,
    not_found,
    overflow,
    refusal,
    refuses_images,
    refuses_response_format,
    server_error,
    silent,
    slow,
    status,
    too_many,
    unauthorized,
)

__all__ = [
    "Behaviour",
    "Request",
    "Script",
    "Server",
    "answer",
    "bad_chunk",
    "drop",
    "empty",
    "forbidden",
    "garbage",
    "garbage_json",
    "half",
    "late_error",
    "no_quota",
    "not_found",
    "overflow",
    "refusal",
    "refuses_images",
    "refuses_response_format",
    "server_error",
    "serving",
    "silent",
    "slow",
    "status",
    "too_many",
    "unauthorized",
]

Script = Sequence[Behaviour] | Callable[[Json], Behaviour | None]
"""Behaviours in order of arrival; or who chooses them, called from several threads, None for no further answer."""
EXHAUSTED = "the scripted server has no further answer"
MODELS = Reply(200, json.dumps({"object": "list", "data": [{"id": "scripted", "object": "model"}]}))


@dataclass(frozen=True)
class Request:
    """One request for a completion; header names in lower case."""

    body: Json
    headers: dict[str, str]


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    server: Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *args: object, **named: object) -> None:
        pass

    def do_GET(self) -> None:
        (MODELS if self.path == "/v1/models" else self.server.stray(self.requestline)).play({}, self)

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        request = Request(body, {name.lower(): value for name, value in self.headers.items()})
        chat = self.path == "/v1/chat/completions"
        (self.server.behaviour(request) if chat else self.server.stray(self.requestline)).play(body, self)

    def reply(self, code: int, body: str, kind: str, headers: Mapping[str, str], end: End) -> None:
        data = body.encode()
        sent = data if end == "whole" else data[: len(data) // 2]
        self._head(code, kind, {"Content-Length": str(len(data if end == "cut" else sent)), **headers})
        self.wfile.write(sent)
        self.close_connection |= end == "cut"

    def stream(self, chunks: list[str], pause: float, end: End) -> None:
        self._head(200, EVENTS, {"Transfer-Encoding": "chunked"})
        for chunk in chunks:
            data = f"data: {chunk}\n\n".encode()
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
            self.wait(pause)
        self.wfile.write(b"" if end == "cut" else b"0\r\n\r\n")
        self.close_connection |= end == "cut"

    def wait(self, seconds: float) -> None:
        self.server.closing.wait(seconds)

    def reset(self) -> None:
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True

    def _head(self, code: int, kind: str, headers: Mapping[str, str]) -> None:
        self.send_response(code)
        for name, value in {"Content-Type": kind, "X-Request-Id": "req_scripted", **headers}.items():
            self.send_header(name, value)
        self.end_headers()


class Server(ThreadingHTTPServer):
    """Plays its script. What goes beyond it, and what breaks in it, stands in `overrun`: a test asserts it is empty."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, script: Script) -> None:
        self.closing = threading.Event()
        self.overrun: list[str] = []
        self._script = script
        self._requests: list[Request] = []
        self._connections: list[socket.socket] = []
        self._lock = threading.Lock()
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}/v1"

    @property
    def requests(self) -> list[Request]:
        """All that arrived so far, in order."""
        with self._lock:
            return list(self._requests)

    def behaviour(self, request: Request) -> Behaviour:
        with self._lock:
            number = len(self._requests)
            self._requests.append(request)
        if callable(self._script):
            found = self._script(request.body)
        else:
            found = self._script[number] if number < len(self._script) else None
        return found or self._beyond(number)

    def _beyond(self, number: int) -> Behaviour:
        self.overrun.append(f"request {number + 1}: {EXHAUSTED}")
        return status(500, EXHAUSTED, "server_error")

    def stray(self, line: str) -> Behaviour:
        self.overrun.append(f"{line}: not served")
        return not_found()

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # HTTPServer would also ask a name server for the host's name

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self._connections.append(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self.close_request(request)  # no FIN before: a reset stays a reset

    def handle_error(self, request: Any, client_address: Any) -> None:
        error = sys.exception()
        if not isinstance(error, ConnectionError):  # a client may leave
            self.overrun.append(repr(error))
            super().handle_error(request, client_address)

    def close(self) -> None:
        self.closing.set()
        self.shutdown()
        for connection in self._connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        self.server_close()


@contextmanager
def serving(script: Script) -> Iterator[Server]:
    """A server that plays this script."""
    server = Server(script)
    threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
    try:
        yield server
    finally:
        server.close()
