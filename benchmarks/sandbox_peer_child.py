"""One other executor, driven over stdin and stdout. Run by the Python of the peers' own environment, as a script.

`sandbox_peer_child.py PEER IMAGE NAME`: JSON lines in, {"start": CODE}, {"cell": CODE} or {"close": true}; for each one
out, {"ms": ..., "output": ...}. Containers are called NAME-1, NAME-2, ... A failure ends the process with its
traceback. Each executor is used as its own documentation does, with its defaults, on an image that is there already.
"""

from __future__ import annotations

import asyncio
import importlib
import itertools
import json
import os
import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Protocol


class Peer(Protocol):
    """What every executor is reduced to."""

    def start(self, name: str) -> None: ...

    def run(self, code: str) -> str: ...

    def close(self) -> None: ...


class Autogen:
    """autogen-ext: a kernel gateway in a container, and a client on its published port."""

    def __init__(self, image: str) -> None:
        self._image = image
        self._parts = importlib.import_module("autogen_ext.code_executors.docker_jupyter")
        self._block = importlib.import_module("autogen_core.code_executor").CodeBlock
        self._token = importlib.import_module("autogen_core").CancellationToken
        self._loop = asyncio.Runner()
        self._server: Any = None
        self._executor: Any = None

    def start(self, name: str) -> None:
        self._loop.run(self._start(name))

    async def _start(self, name: str) -> None:
        self._server = self._parts.DockerJupyterServer(custom_image_name=self._image, container_name=name)
        self._executor = self._parts.DockerJupyterCodeExecutor(jupyter_server=self._server)
        await self._executor.start()

    def run(self, code: str) -> str:
        return self._loop.run(self._run(code))

    async def _run(self, code: str) -> str:
        block = self._block(code=code, language="python")
        result = await self._executor.execute_code_blocks([block], cancellation_token=self._token())
        return str(result.output)

    def close(self) -> None:
        self._loop.run(self._close())

    async def _close(self) -> None:
        await self._executor.stop()
        await self._server.stop()


class Smolagents:
    """smolagents: a kernel gateway in a container, and a client on a port of our choice."""

    def __init__(self, image: str) -> None:
        self._image = image
        self._executors = importlib.import_module("smolagents.remote_executors")
        monitoring = importlib.import_module("smolagents.monitoring")
        self._logger = monitoring.AgentLogger(level=monitoring.LogLevel.ERROR)
        self._executor: Any = None

    def start(self, name: str) -> None:
        self._executor = self._executors.DockerExecutor(
            additional_imports=[],
            logger=self._logger,
            port=_free_port(),
            image_name=self._image,
            build_new_image=False,
            container_run_kwargs={"name": name},
        )

    def run(self, code: str) -> str:
        return str(self._executor.run_code_raise_errors(code).logs)

    def close(self) -> None:
        self._executor.cleanup()


class LlmSandbox:
    """llm-sandbox: a container in which every cell is a new process.

    Its set-up (a virtual environment and an upgrade of pip for each session) is left out, and `init` lets its
    container end at once where it would wait ten seconds.
    """

    def __init__(self, image: str) -> None:
        self._image = image
        self._client = importlib.import_module("docker").from_env()
        self._session_class = importlib.import_module("llm_sandbox").SandboxSession
        self._session: Any = None

    def start(self, name: str) -> None:
        self._session = self._session_class(
            client=self._client,
            image=self._image,
            lang="python",
            skip_environment_setup=True,
            runtime_configs={"name": name, "init": True},
        )
        self._session.open()

    def run(self, code: str) -> str:
        result = self._session.run(code)
        return str(result.stdout) or str(result.stderr)

    def close(self) -> None:
        self._session.close()


PEERS: dict[str, Callable[[str], Peer]] = {"autogen": Autogen, "smolagents": Smolagents, "llm_sandbox": LlmSandbox}


def main(kind: str, image: str, name: str) -> None:
    """Serve until stdin ends, then close what is open."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the executors print does not mix with the answers
    peer = PEERS[kind](image)
    numbers = itertools.count(1)
    running = False
    print(json.dumps({"ms": 0.0, "output": "ready"}), file=answers, flush=True)
    try:
        for line in sys.stdin:
            order = json.loads(line)
            began = time.perf_counter()
            output = ""
            if "start" in order:
                peer.start(f"{name}-{next(numbers)}")
                running = True
                output = peer.run(order["start"])
            elif "cell" in order:
                output = peer.run(order["cell"])
            else:
                running = False
                peer.close()
            answer = {"ms": 1000 * (time.perf_counter() - began), "output": output}
            print(json.dumps(answer), file=answers, flush=True)
    finally:
        if running:
            peer.close()


def _free_port() -> int:
    with socket.socket() as place:
        place.bind(("127.0.0.1", 0))
        return int(place.getsockname()[1])


if __name__ == "__main__":
    main(*sys.argv[1:])
