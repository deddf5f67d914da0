"""Code that attacks the relay (process 1) and the lines between kernel, relay and host."""

from __future__ import annotations

import pytest

from sandbox.base import Limits, Session
from tests.sandbox_image import is_alive

pytest_plugins = ["tests.sandbox_fixtures"]
pytestmark = pytest.mark.docker

SMALL = Limits(memory_mb=256, cpus=1, pids=64, disk_mb=64, output_mb=4)


WRITTEN = "open('submission.csv', 'w').write('id\\n')\n"


# Process 1


@pytest.mark.parametrize("place", ["fd/0", "fd/1", "fd/2", "mem", "environ", "maps", "auxv", "root", "cwd", "exe"])
def test_process_1_is_closed(shared: Session, place: str) -> None:
    """open it in /proc/1: refused"""
    path = f"/proc/1/{place}"
    result = shared.execute(f"import os\nos.close(os.open({path!r}, os.O_RDONLY | os.O_NONBLOCK))", 20)
    assert result.error is not None
    assert result.error.type == "PermissionError"
    assert is_alive(shared)


def test_no_signal_ends_the_relay(shared: Session) -> None:
    """Kill the relay with each of the 64 signals: process 1 has no ear for them"""
    code = (
        "import os\nfor number in [*range(1, 32), *range(34, 65)]:\n"
        "    for _ in range(20): os.kill(1, number)\n"
        "    os.pidfd_open(1)\nprint('sent')"
    )
    assert shared.execute(code, 20).stdout == "sent\n"
    assert is_alive(shared)


def test_killing_all_it_can_ends_only_the_code(session: Session) -> None:
    """Kill every process (kill -1): the code ends itself ("killed"); its submission is taken"""
    result = session.execute(WRITTEN + "import subprocess\nsubprocess.run(['sh', '-c', 'kill -9 -1'])", 20)
    assert result.status == "killed"
    assert session.fetch("submission.csv", 100).data == b"id\n"


def test_the_relay_cannot_be_given_a_limit_that_kills_it(session: Session) -> None:
    """Give the relay one second of CPU time (prlimit) and keep it busy: refused, no failure of the machine is faked"""
    code = (
        "import ctypes, os, struct, time\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "if libc.prlimit(1, 0, struct.pack('QQ', 1, 1), None) != 0: raise OSError(ctypes.get_errno(), 'refused')\n"
        "while True: get_ipython().kernel.iopub_thread.send_multipart([b'x' * 1000])"
    )
    result = session.execute(WRITTEN + code, 20)
    assert result.error is not None
    assert result.error.type == "PermissionError"
    assert session.fetch("submission.csv", 100).data == b"id\n"


def test_starving_the_relay_gains_nothing(session: Session) -> None:
    """Put the relay last in the queue for the CPU and burn it: "timeout" in time; the submission is taken"""
    code = WRITTEN + (
        "import os\nfor task in range(1, 20):\n"
        "    try: os.sched_setscheduler(task, os.SCHED_IDLE, os.sched_param(0)); os.setpriority(0, task, 19)\n"
        "    except OSError: pass\n"
        "for _ in range(20):\n    if os.fork() == 0: break\nwhile True: pass"
    )
    result = session.execute(code, 0.5)
    assert result.status == "timeout"
    assert result.seconds < 12
    assert session.fetch("submission.csv", 100).data == b"id\n"


# What the kernel says to the relay


FORGER = """
import json, time, zmq
connection = json.load(open('/tmp/.kernel/connection.json'))
from jupyter_client.session import Session
forger = Session(key=connection['key'].encode())
kernel = get_ipython().kernel
def signed(content, header=b'{"msg_type": "stream"}', parent=b'{}'):
    parts = [header, parent, b'{}', content]
    kernel.iopub_thread.send_multipart([b'x', b'<IDS|MSG>', forger.sign(parts), *parts])
"""
FORGED = {
    "messages cut short": (
        "for parts in ([b''], [b'<IDS|MSG>'], [b'x', b'<IDS|MSG>', b''], [b'x', b'<IDS|MSG>', b'', b'{', b'[', b'']):\n"
        "    kernel.iopub_thread.send_multipart(parts)"
    ),
    "messages with a wrong signature": (
        "parts = [b'{\"msg_type\": \"stream\"}', b'{}', b'{}', b'{\"name\": \"stdout\", \"text\": \"forged\"}']\n"
        "kernel.iopub_thread.send_multipart([b'x', b'<IDS|MSG>', b'0' * 64, *parts])"
    ),
    "messages of the wrong shape": (
        "for content in ({}, {'name': 1}, {'data': 5}, {'data': {'image/png': 5}}, {'execution_state': []}):\n"
        "    for kind in ('stream', 'display_data', 'status', 'execute_reply', 'nonsense'):\n"
        "        kernel.session.send(kernel.iopub_socket, kind, content, parent=None)\n"
        "for content in (b'[]', b'5', b'null', b'\"x\"'):\n"
        "    signed(content); signed(b'{}', content); signed(b'{}', parent=content)"
    ),
    "messages that nest 100,000 deep": (
        "signed(b'[' * 100_000); signed(b'{\"a\":' * 100_000); signed(b'{}', b'{\"a\":' * 100_000)\n"
        "signed(b'{}', b'{\"date\":' * 900 + b'1' + b'}' * 900)"
    ),
    "messages that are not UTF-8": "signed(b'\\xff\\xfe'); signed(b'{\"name\": \"\\xc3\"}'); signed(b'{}', b'\\xff')",
    "messages with absurd numbers": (
        "signed(b'{\"name\": 1e999}'); signed(b'9' * 1_000_000); signed(b'{\"a\": ' + b'9' * 5000 + b'}')"
    ),
    "a gigantic message": "signed(b'{\"name\": \"' + b'x' * 60_000_000 + b'\"}')",
    "output in the name of another cell": (
        "signed(b'{\"name\": \"stdout\", \"text\": \"forged\"}', parent=b'{\"msg_id\": \"0123456789abcdef\"}')"
    ),
    "a reply to another cell": (
        "signed(b'{\"status\": \"ok\"}', b'{\"msg_type\": \"execute_reply\"}', b'{\"msg_id\": \"0123456789abcdef\"}')"
    ),
}  # fmt: skip


@pytest.mark.parametrize("attack", FORGED)
def test_forged_messages_do_not_confuse_the_relay(shared: Session, attack: str) -> None:
    """it is not believed; the cell's own output and end are told"""
    result = shared.execute(f"{FORGER}\n{FORGED[attack]}\ntime.sleep(0.1)\nprint('end')", 30)
    assert (result.status, result.stdout) == ("ok", "end\n"), result
    assert is_alive(shared)


REPLY = """
line = kernel.shell_channel_thread.manager.get_subshell_to_shell_channel_socket(None)
ident, parent = kernel._shell_parent_ident.get(), kernel.get_parent()
kernel.session.send(line, 'execute_reply', {'status': 'ok'}, parent, ident=ident)
kernel.session.send(kernel.iopub_socket, 'status', {'execution_state': 'idle'}, parent)
time.sleep(0.3)
print('late')
"""


def test_a_forged_reply_and_end_gain_nothing(shared: Session) -> None:
    """Forge the reply and the end of its own cell: it counts as ended ("ok"), the next cell is not confused"""
    result = shared.execute(FORGER + REPLY, 20)
    assert result.status == "ok"
    assert result.seconds < 10
    following = shared.execute("print('next')", 20)
    assert (following.status, following.stdout) == ("ok", "next\n")


FRAME = """
import json, os, stat, struct
body = json.dumps({'kind': 'reply', 'cell': CELL, 'status': 'ok'}).encode()
frame = struct.pack('>I', len(body)) + body
for descriptor in range(3, 256):
    try:
        os.set_blocking(descriptor, False)
        os.write(descriptor, frame)
    except OSError:
        pass
raise RuntimeError('the true end')
"""


def test_frames_in_inherited_descriptors_are_not_believed(session: Session) -> None:
    """Write a forged frame into every open descriptor of the kernel: no line to the host is among them"""
    cell = "get_ipython().kernel.get_parent()['header']['msg_id']"
    result = session.execute(WRITTEN + FRAME.replace("CELL", cell), 2)
    assert result.status in ("error", "timeout", "killed")
    assert result.seconds < 10
    assert session.fetch("submission.csv", 100).data == b"id\n"


def test_frames_in_the_kernels_sockets_are_not_believed(shared: Session) -> None:
    """Connect to the kernel's sockets and write frames: the sockets speak another protocol"""
    code = (
        "import glob, json, socket, struct\nbody = json.dumps({'kind': 'exit', 'code': 0}).encode()\n"
        "for path in glob.glob('/tmp/.kernel/s-*'):\n    line = socket.socket(socket.AF_UNIX); line.connect(path)\n"
        "    line.sendall(struct.pack('>I', len(body)) + body + b'\\xff' * 1000); line.close()\nprint('sent')"
    )
    assert shared.execute(code, 20).stdout == "sent\n"
    assert is_alive(shared)


def test_a_shutdown_of_the_kernel_is_told(session: Session) -> None:
    """Order the kernel to shut down over its control socket: "killed", or the next cell is; the submission is taken"""
    code = (
        WRITTEN
        + FORGER
        + (
            "line = zmq.Context().socket(zmq.DEALER); line.connect('ipc:///tmp/.kernel/s-4')\n"
            "forger.send(line, 'shutdown_request', {'restart': False})\ntime.sleep(0.3)"
        )
    )
    assert session.execute(code, 20).status in ("killed", "ok")  # it shuts down when the cell is through
    assert session.execute("print(1)", 20).status == "killed"
    assert session.fetch("submission.csv", 100).data == b"id\n"


def test_removing_the_kernels_files_changes_nothing(session: Session) -> None:
    """Delete the kernel's sockets and put other files in their place: the relay holds its lines, nothing changes"""
    code = (
        "import os\nfor name in os.listdir('/tmp/.kernel'):\n    os.unlink('/tmp/.kernel/' + name)\n"
        "    os.symlink('/etc/passwd', '/tmp/.kernel/' + name)\nprint('gone')"
    )
    assert session.execute(code, 20).stdout == "gone\n"
    assert is_alive(session)


IMPOSTOR = """
import os, socket, stat, struct, time
greeting = b'\\xff' + bytes(8) + b'\\x7f\\x03\\x00' + b'NULL'.ljust(20, b'\\0') + bytes(32)
giant = b'\\x02' + struct.pack('>Q', 2**62) + b'x' * 100_000
lines = []
for name in ('s-1', 's-2'):
    os.unlink('/tmp/.kernel/' + name)
    line = socket.socket(socket.AF_UNIX); line.bind('/tmp/.kernel/' + name); line.listen(); line.settimeout(2)
    lines.append(line)
for name in os.listdir('/proc/self/fd'):
    try:
        line = socket.socket(fileno=os.dup(int(name)))
        if line.getsockname() in ('/tmp/.kernel/s-1', '/tmp/.kernel/s-2') and line.getpeername() is not None:
            line.shutdown(socket.SHUT_RDWR)  # the kernel's end is gone: the relay connects anew, to us
    except OSError:
        pass
open('submission.csv', 'w').write('id\\n')
for line in lines:
    caller, _ = line.accept()
    caller.sendall(greeting + giant)
    open('called', 'a').write('x')
time.sleep(60)
"""


def test_an_impostor_on_the_kernels_sockets_is_survived(session: Session) -> None:
    """Take the kernel's place and announce a message of 2^62 bytes: "timeout"; the submission is taken"""
    result = session.execute(IMPOSTOR, 1.5)
    assert result.status == "timeout"
    assert session.fetch("called", 100).data == b"xx"
    assert session.fetch("submission.csv", 100).data == b"id\n"
