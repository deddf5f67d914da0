"""Code that attacks: the network, secrets, the host's files, the relay, and every limit. All of it stays inside."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.base import Limits, Mount, Session
from sandbox.docker_sandbox import DockerSandbox
from sandbox.script import DATA_DIR
from tests.sandbox_image import find_image

pytestmark = pytest.mark.docker

SMALL = Limits(memory_mb=256, cpus=1, pids=64, disk_mb=64, output_mb=4)
SECRET = "planted-secret-5f1d"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[DockerSandbox]:
    os.environ["PLANTED_API_KEY"] = SECRET
    try:
        with DockerSandbox(find_image()) as opened:
            yield opened
    finally:
        del os.environ["PLANTED_API_KEY"]


@pytest.fixture(scope="module")
def shared(sandbox: DockerSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    data = tmp_path_factory.mktemp("data")
    data.chmod(0o755)
    (data / "train.csv").write_text("id\n")
    with sandbox.session(mounts=[Mount(data, DATA_DIR)], limits=SMALL) as session:
        yield session


@pytest.fixture
def session(sandbox: DockerSandbox) -> Iterator[Session]:
    with sandbox.session(limits=SMALL) as fresh:
        yield fresh


REFUSED = {
    "connect to an address": "import socket; socket.create_connection(('1.1.1.1', 80), 2)",
    "ask for cloud credentials": "import socket; socket.create_connection(('169.254.169.254', 80), 2)",
    "look up a name": "import socket; socket.getaddrinfo('example.org', 80)",
    "open a raw socket": "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "find the engine's socket": "open('/var/run/docker.sock')",
    "write to the image": "open('/opt/venv/x', 'w')",
    "write to the root": "open('/x', 'w')",
    "write to /etc": "open('/etc/passwd', 'a')",
    "write to the data": "open('data/train.csv', 'a')",
    "replace the data": "import os; os.rename('data', 'other')",
    "write to our code": "open('/opt/linguacodus/sandbox/relay.py', 'a')",
    "write to /sys": "open('/sys/kernel/uevent_helper', 'w')",
    "write to /proc": "open('/proc/sys/kernel/core_pattern', 'w')",
    "trigger the kernel": "open('/proc/sysrq-trigger', 'w')",
    "become root": "import os; os.setuid(0)",
    "make a device": "import os, stat; os.mknod('/tmp/d', stat.S_IFBLK | 0o600, os.makedev(254, 0))",
    "mount": "import subprocess; subprocess.run(['mount', '-t', 'tmpfs', 'x', '/work'], check=True)",
    "get a namespace": "import subprocess; subprocess.run(['unshare', '-Ur', 'true'], check=True)",
    "raise its memory limit": "open('/sys/fs/cgroup/memory/memory.limit_in_bytes', 'w').write('-1')",
    "raise its priority": "import os; os.nice(-5)",
    "open the relay's output": "open('/proc/1/fd/1', 'wb')",
    "open the relay's input": "open('/proc/1/fd/0', 'rb')",
    "read the relay's memory": "open('/proc/1/mem', 'rb')",
    "read the relay's environment": "open('/proc/1/environ', 'rb')",
    "list the relay's descriptors": "import os; os.listdir('/proc/1/fd')",
    "trace the relay": (
        "import ctypes, os\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.ptrace(16, 1, 0, 0) != 0: raise PermissionError(os.strerror(ctypes.get_errno()))"
    ),
}


@pytest.mark.parametrize("attack", REFUSED)
def test_an_attack_is_refused(shared: Session, attack: str) -> None:
    result = shared.execute(REFUSED[attack], 20)
    assert result.status == "error", attack
    assert result.error is not None
    assert result.error.type in (
        "OSError",
        "PermissionError",
        "FileNotFoundError",
        "gaierror",
        "CalledProcessError",
    )


def test_the_hosts_secrets_are_nowhere(shared: Session) -> None:
    code = (
        "import glob, os\ntexts = [repr(dict(os.environ))]\n"
        "for path in glob.glob('/proc/*/environ') + glob.glob('/proc/*/cmdline'):\n"
        "    try:\n        texts.append(open(path).read())\n    except OSError:\n        pass\n"
        "print(len(texts), any('PLANTED' in text or 'planted' in text for text in texts))"
    )
    count, found = shared.execute(code, 20).stdout.split()
    assert int(count) >= 2
    assert found == "False"


def test_the_process_has_no_rights(shared: Session) -> None:
    status = shared.execute("print(open('/proc/self/status').read())", 20).stdout
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert facts["CapEff"] == facts["CapBnd"] == "0" * 16
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp"] == "2"
    assert set(facts["Uid"].split()) != {"0"}


@pytest.mark.parametrize("number", ["SIGKILL", "SIGSTOP", "SIGTERM", "SIGINT", "SIGSEGV", "SIGUSR1", "SIGPIPE"])
def test_the_relay_cannot_be_ended_by_signals(shared: Session, number: str) -> None:
    code = f"import os, signal\nfor _ in range(100): os.kill(1, signal.{number})\nprint('sent')"
    assert shared.execute(code, 20).stdout == "sent\n"
    assert shared.execute("print('alive')", 20).stdout == "alive\n"


def test_forged_messages_do_not_confuse_the_relay(session: Session) -> None:
    code = (
        "import glob, json, time, zmq\n"
        "connection = json.load(open('/tmp/.kernel/connection.json'))\n"
        "from jupyter_client.session import Session\n"
        "forger = Session(key=connection['key'].encode())\n"
        "kernel = get_ipython().kernel\n"
        "bad = [[b''], [b'<IDS|MSG>'], [b'x', b'<IDS|MSG>', b'', b'{', b'[', b'', b'\\xff'], [b'[' * 100000] * 9]\n"
        "for parts in bad:\n"
        "    kernel.iopub_thread.send_multipart(parts)\n"
        "for content in ({}, {'name': 1}, {'data': 5}, {'data': {'image/png': 5}}, {'execution_state': []}):\n"
        "    for kind in ('stream', 'display_data', 'status', 'execute_reply', 'nonsense'):\n"
        "        kernel.session.send(kernel.iopub_socket, kind, content, parent=None)\n"
        "for content in (b'[]', b'5', b'[' * 100000, b'{\\\"name\\\": 1e999}', b'\\xff'):\n"
        "    signed = [b'{\\\"msg_type\\\": \\\"stream\\\"}', b'{}', b'{}', content]\n"
        "    kernel.iopub_thread.send_multipart([b'x', b'<IDS|MSG>', forger.sign(signed), *signed])\n"
        "time.sleep(0.2)\n"
        "print('end')"
    )
    result = session.execute(code, 20)
    assert (result.status, result.stdout) == ("ok", "end\n"), result
    assert session.execute("print('alive')", 20).stdout == "alive\n"


def test_closing_every_descriptor_ends_only_the_code(session: Session) -> None:
    started = time.monotonic()
    result = session.execute("open('submission.csv', 'w').write('id\\n')\nimport os\nos.closerange(0, 4096)", 3)
    assert result.status in ("timeout", "killed", "error")
    assert time.monotonic() - started < 12
    assert session.fetch("submission.csv", 100).data == b"id\n"


def test_a_fork_bomb_is_contained(session: Session) -> None:
    code = (
        "import os\nopen('submission.csv', 'w').write('id\\n')\nwhile True:\n"
        "    try:\n        os.fork()\n    except OSError:\n        pass"
    )
    result = session.execute(code, 1.0)
    assert result.status in ("timeout", "killed")
    assert result.seconds < 10
    assert session.fetch("submission.csv", 100).data == b"id\n"


def test_a_thread_bomb_is_contained(session: Session) -> None:
    code = (
        "import threading, time\nwhile True:\n    threading.Thread(target=time.sleep, args=[60], daemon=True).start()"
    )
    result = session.execute(code, 20)
    assert result.error is not None
    assert "can't start new thread" in result.error.message
    assert result.seconds < 10


@pytest.mark.parametrize("folder", ["/tmp", "/dev/shm"])
def test_memory_as_files_counts_and_is_bounded(session: Session, folder: str) -> None:
    code = f"with open('{folder}/fill', 'wb') as file:\n    while True:\n        file.write(bytes(1_000_000))"
    result = session.execute(code, 30)
    full = result.error is not None and "No space left" in result.error.message
    assert result.status == "out_of_memory" or full


def test_many_and_sparse_files_do_not_reach_the_host(session: Session) -> None:
    code = (
        "import os\nopen('sparse.csv', 'wb').truncate(2**34)\nos.makedirs('submission.csv')\n"
        "try:\n    for number in range(100_000):\n        open(f'submission.csv/{number}', 'w').close()\n"
        "except OSError as error:\n    print(error.strerror)"
    )
    result = session.execute(code, 30)
    assert "No space left" in result.stdout
    assert "is a folder" in (session.fetch("submission.csv", 1000).fault or "")
    assert "at most" in (session.fetch("sparse.csv", 1000).fault or "")


def test_nothing_of_an_earlier_try_is_seen(sandbox: DockerSandbox) -> None:
    with sandbox.session(limits=SMALL) as first:
        first.execute("for path in ('/work/note', '/tmp/note', '/dev/shm/note'): open(path, 'w').write('x')", 20)
        with sandbox.session(limits=SMALL) as second:
            code = "import os; print([os.path.exists(p) for p in ('/work/note', '/tmp/note', '/dev/shm/note')])"
            assert second.execute(code, 20).stdout == "[False, False, False]\n"
            assert second.execute("import os; print(os.listdir('/work'))", 20).stdout == "[]\n"


def test_no_disk_of_the_host_is_visible(shared: Session, tmp_path: Path) -> None:
    (tmp_path / "here").touch()
    assert shared.execute(f"import os; print(os.path.exists({str(tmp_path)!r}))", 20).stdout == "False\n"
