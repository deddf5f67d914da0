"""Code that wants everything, or never ends: processes, threads, memory in every form, time, and its own death.

Each runs in a session of its own, a few beside each other, as most of the time is a wait for a clock. All write a
submission first, which must be taken whatever comes after it.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from sandbox.base import ExecutionResult, FetchedFile, Limits
from sandbox.docker_sandbox import DockerSandbox

pytest_plugins = ["tests.sandbox_fixtures"]
pytestmark = pytest.mark.docker

SMALL = Limits(memory_mb=256, cpus=1, pids=64, disk_mb=64, output_mb=4)
WRITTEN = (
    "open('submission.csv', 'w').write('id\\n')\nimport ctypes, os, signal, socket, subprocess, sys, threading, time\n"
)
HELD = "held, most = [], 400_000_000  # more than it may have\n"
SYSTEM_V = (
    "libc = ctypes.CDLL(None); libc.shmat.restype = ctypes.c_void_p\n"
    "segment = libc.shmget(0, ctypes.c_size_t(10**9), 0o1600)\nctypes.memset(libc.shmat(segment, None, 0), 1, 10**9)"
)
FILL = "with open('PLACE', 'wb') as file:\n    while True: file.write(bytes(1_000_000))"
PAIRS = (
    "while most > 0:\n    pair = PAIR; held.append(pair)\n    for line in pair:\n        line.setblocking(False)\n"
    "        try:\n            for _ in range(1000): most -= line.send(bytes(60_000))\n"
    "        except BlockingIOError: pass\n"
    "print('held', most)"
)
DAEMON = (
    "if os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
    "        for number in range(1, 65):\n            try: signal.signal(number, signal.SIG_IGN)\n"
    "            except (OSError, ValueError): pass\n"
    "        while True:\n            open('submission.csv', 'a').write('id\\n'); time.sleep(0.01)\n    os._exit(0)\n"
)


@dataclass(frozen=True)
class Attack:
    """What is run, and as what it may end."""

    code: str
    ends: tuple[str, ...]
    seconds: float = 20
    message: str = ""
    """Part of the error's type, message or traceback."""


FULL = ("out_of_memory", "error")
"""Killed for lack of memory, or told that there is no more room: one of them comes first."""
ATTACKS = {
    "a fork bomb": Attack("while True:\n    try: os.fork()\n    except OSError: pass", ("timeout", "killed"), 1),
    "a bomb of zombies": Attack(
        "while True:\n    if os.fork() == 0: os._exit(0)", ("error",), message="BlockingIOError"
    ),
    "a thread bomb": Attack(
        "while True: threading.Thread(target=time.sleep, args=[60], daemon=True).start()",
        ("error",),
        message="can't start new thread",
    ),
    "a memory bomb in many children": Attack(
        "for _ in range(8): os.fork()\nblocks = []\nwhile True: blocks.append(bytearray(1_000_000))", ("out_of_memory",)
    ),
    "a memory bomb that offers the relay as the victim": Attack(
        "os.write(os.open('/proc/self/oom_score_adj', os.O_WRONLY), b'0')\nblocks = []\n"
        "while True: blocks.append(bytearray(1_000_000))",
        ("out_of_memory",),
    ),
    "memory as files in /tmp": Attack(FILL.replace("PLACE", "/tmp/fill"), FULL),
    "memory as files in /dev/shm": Attack(FILL.replace("PLACE", "/dev/shm/fill"), FULL),
    "memory as shared memory of System V": Attack(SYSTEM_V, ("out_of_memory",)),
    "memory as a file without a name": Attack(
        "file = os.memfd_create('x')\nwhile True: os.write(file, bytes(1_000_000))", ("out_of_memory",)
    ),
    "memory behind pipes": Attack(
        HELD + "while most > 0:\n    pipe = os.pipe(); held.append(pipe); os.set_blocking(pipe[1], False)\n"
        "    most -= os.write(pipe[1], bytes(4096))\n    try: most -= os.write(pipe[1], bytes(60_000))\n"
        "    except BlockingIOError: pass\nprint('held', most)",
        FULL,
    ),
    "memory behind sockets of this machine": Attack(HELD + PAIRS.replace("PAIR", "socket.socketpair()"), FULL),
    "a loop in C that hears no interrupt": Attack("sum(range(10**18))", ("timeout",), 0.5),
    "a loop with the interrupt blocked": Attack(
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nwhile True: pass", ("timeout",), 0.5
    ),
    "a fork bomb of the shell": Attack("os.system(':() { : | : & }; :'); time.sleep(60)", ("timeout", "killed"), 1),
    "children that are stopped": Attack("subprocess.run(['sh', '-c', 'kill -STOP $$'])", ("timeout",), 0.5),
    "everything stops itself": Attack("os.system('kill -STOP -1'); time.sleep(60)", ("timeout",), 0.5),
    "another program in its place": Attack("os.execv('/bin/sleep', ['sleep', '60'])", ("timeout",), 0.5),
    "another program that ends well": Attack("os.execv('/bin/true', ['true'])", ("killed",), message="exit code 0"),
    "a crash": Attack("ctypes.string_at(0)", ("killed",), message="SIGSEGV"),
    "an abort": Attack("os.abort()", ("killed",), message="SIGABRT"),
    "recursion without end": Attack(
        "sys.setrecursionlimit(10**9)\nclass Deep:\n    def __repr__(self): return repr([self])\nrepr(Deep())",
        ("killed", "out_of_memory", "error"),
    ),
    "terminal codes in the log of its death": Attack(
        "open('/tmp/.kernel/log', 'a').write('\\x1b]0;title\\x07\\x1b[31mlast words\\x1b[0m')\nos._exit(7)",
        ("killed",),
        message="last words",
    ),
    "a log of its death of 200 MB": Attack(
        "os.truncate('/tmp/.kernel/log', 200_000_000); os._exit(7)", ("killed",), message="exit code 7"
    ),
    "closing every descriptor": Attack("os.closerange(0, 4096)", ("timeout", "killed", "error"), 1),
    "messages without end that nobody reads": Attack(
        "kernel = get_ipython().kernel\nwhile True:\n"
        "    kernel.session.send(kernel.iopub_socket, 'comm_msg', {'data': 'x' * 1_000}, parent=kernel.get_parent())",
        ("timeout", "killed", "out_of_memory"),
        1,
    ),
    "broken messages without end": Attack(
        "kernel = get_ipython().kernel\nwhile True: kernel.iopub_thread.send_multipart([b'x' * 100_000])",
        ("timeout", "killed", "out_of_memory"),
        1,
    ),
}  # fmt: skip
Ends = dict[str, Future[tuple[ExecutionResult, FetchedFile]]]


def run(sandbox: DockerSandbox, attack: Attack) -> tuple[ExecutionResult, FetchedFile]:
    with sandbox.session(limits=SMALL) as session:
        return session.execute(WRITTEN + attack.code, attack.seconds), session.fetch("submission.csv", 100)


@pytest.fixture(scope="module")
def ends(sandbox: DockerSandbox) -> Iterator[Ends]:
    """How each ended."""
    with ThreadPoolExecutor(3) as pool:
        yield {name: pool.submit(run, sandbox, attack) for name, attack in ATTACKS.items()}


@pytest.mark.parametrize("name", ATTACKS)
def test_a_bomb_is_contained(ends: Ends, name: str) -> None:
    """{ends}; its submission is taken"""
    attack, (result, fetched) = ATTACKS[name], ends[name].result()
    assert result.status in attack.ends, result
    assert result.seconds < attack.seconds + 15
    if result.status != "timeout":
        assert result.error is not None
        assert attack.message in f"{result.error.type} {result.error.message} {result.error.traceback}"
        assert "\x1b" not in result.error.traceback
    assert fetched.data == b"id\n"


def test_a_daemon_does_not_survive_the_time_out(sandbox: DockerSandbox) -> None:
    """Fork twice, leave the session, ignore all signals and outlive the time-out: it is killed with the rest"""
    with sandbox.session(limits=SMALL) as session:
        assert session.execute(WRITTEN + DAEMON + "time.sleep(60)", 0.5).status == "timeout"
        first = session.fetch("submission.csv", 100_000).data
        time.sleep(0.2)
        assert first is not None
        assert session.fetch("submission.csv", 100_000).data == first


def test_a_daemon_does_not_survive_the_session(sandbox: DockerSandbox) -> None:
    """Leave a process behind and end well: it goes with its container, the host has no such process"""
    with sandbox.session(limits=SMALL) as session:
        code = "import subprocess; subprocess.Popen(['sleep', '314159'], start_new_session=True)"
        assert session.execute(code, 20).status == "ok"
    left = []
    for place in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            left.append(place.read_bytes())
        except OSError:
            pass
    assert b"sleep\x00314159\x00" not in left
