"""Run a command in the sandbox image over this repository, as hardened as generated code is.

    python scripts/in_image.py IMAGE RESULTS COMMAND...

The repository is read-only at /repo, the folder RESULTS writable at /results, there is no network. The command's output
and exit code become this program's own.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import docker
from docker.models.containers import Container

ROOT = Path(__file__).resolve().parent.parent
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
"""The tests run side by side: threads that wait for one another would eat what they gain."""
PASSED_ON = ("LINGUACODUS_LONG", "LINGUACODUS_TEST_SEED", "CI")


def run(image: str, results: Path, command: list[str]) -> int:
    """Run `command` and return its exit code; the container is gone afterwards."""
    client = docker.from_env(timeout=24 * 3600)
    container = client.containers.create(
        image,
        command,
        init=True,
        network_mode="none",
        read_only=True,
        tmpfs={"/tmp": "exec,size=4g"},
        user=f"{os.getuid()}:{os.getgid()}",
        cap_drop=["ALL"],
        security_opt=["no-new-privileges"],
        pids_limit=1024,
        working_dir="/repo",
        volumes={str(ROOT): {"bind": "/repo", "mode": "ro"}, str(results): {"bind": "/results", "mode": "rw"}},
        environment={"HOME": "/tmp"}
        | ONE_THREAD
        | {name: os.environ[name] for name in PASSED_ON if name in os.environ},
    )
    try:
        return _follow(container)
    finally:
        container.remove(force=True)


def _follow(container: Container) -> int:
    output = container.attach(stream=True, logs=True)
    container.start()
    for piece in output:
        sys.stdout.buffer.write(piece)
        sys.stdout.flush()
    return int(container.wait()["StatusCode"])


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that `finally` runs
    sys.exit(run(sys.argv[1], Path(sys.argv[2]).resolve(), sys.argv[3:]))
