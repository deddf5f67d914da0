"""Code that attacks with system calls: ways out, ways into process 1, and ways past what a cgroup counts.

What counts is how a call is refused: not permitted or not there, never "bad argument", which a better attack mends.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.base import Limits, Session
from sandbox.docker_sandbox import DockerSandbox

pytest_plugins = ["tests.sandbox_fixtures"]
pytestmark = pytest.mark.docker

SMALL = Limits(memory_mb=256, cpus=1, pids=64, disk_mb=64, output_mb=4)

PRELUDE = """
import ctypes, os, platform, socket, struct
libc = ctypes.CDLL(None, use_errno=True)
room = ctypes.create_string_buffer(4096)
here = ctypes.c_long(-100)  # AT_FDCWD
def call(intel, arm, *arguments):
    number = {'x86_64': intel, 'aarch64': arm}[platform.machine()]
    done = libc.syscall(ctypes.c_long(number), *[ctypes.c_long(a) if isinstance(a, int) else a for a in arguments])
    if done < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return done
"""


@pytest.fixture(scope="module")
def shared(sandbox: DockerSandbox) -> Iterator[Session]:
    """One session for attacks that leave it as it was; `call` makes a system call by its number on Intel and ARM."""
    with sandbox.session(limits=SMALL) as session:
        assert session.execute(PRELUDE, 20).status == "ok"
        yield session


REFUSED = {
    "io_uring: system calls past the filter": "call(425, 425, 8, room)",
    "bpf: a program in the kernel": "call(321, 280, 0, room, 120)",
    "userfaultfd: stop the kernel in the middle": "call(323, 282, 1)",
    "perf_event_open: watch the machine": "call(298, 241, room, 0, -1, -1, 0)",
    "add_key: the kernel's keys": "call(248, 217, b'user', b'x', b'y', 1, -3)",
    "request_key: keys of others": "call(249, 218, b'user', b'x', 0, -3)",
    "keyctl: the session's keyring": "call(250, 219, 0, -3, 0)",
    "init_module: a module in the kernel": "call(175, 105, room, 100, b'')",
    "finit_module: a module from a file": "call(313, 273, 0, b'', 0)",
    "delete_module: take a module out": "call(176, 106, b'loop', 0)",
    "kexec_load: another kernel": "call(246, 104, 0, 0, 0, 0)",
    "kexec_file_load: another kernel from a file": "call(320, 294, 0, 0, 0, b'', 0)",
    "reboot: the machine": "call(169, 142, 0xFEE1DEAD, 672274793, 0x89ABCDEF, 0)",  # would only forbid Ctrl-Alt-Del
    "swapon: swap on its own file": "call(167, 224, b'/work/x', 0)",
    "acct: accounting into its own file": "call(163, 89, b'/work/x')",
    "quotactl: disk quotas": "call(179, 60, 0x800002 << 8, b'/dev/vda', 0, room)",
    "clock_settime: the machine's clock": "call(227, 112, 0, room)",
    "sethostname: the host's name": "call(170, 161, b'x', 1)",
    "syslog: the kernel's log": "call(103, 116, 3, room, 100)",
    "fanotify_init: watch the host's files": "call(300, 262, 0, 0)",
    "inotify_init1: use up what the user has on the whole machine": "call(294, 26, 0)",
    "open_by_handle_at: files by number": "call(304, 265, here, room, 0)",
    "chroot: out of its root": "call(161, 51, b'/tmp')",
    "pivot_root: another root": "call(155, 41, b'/', b'/')",
    "mount: a file system": "call(165, 40, b'x', b'/work', b'tmpfs', 0, 0)",
    "mount: make the image writable": "call(165, 40, 0, b'/', 0, 0x20, 0)",
    "umount2: what lies below": "call(166, 39, b'/work', 2)",
    "fsopen: a file system, the new way": "call(430, 430, b'tmpfs', 0)",
    "open_tree: copy a mount": "call(428, 428, here, b'/', 1)",
    "move_mount: move a mount": "call(429, 429, here, b'/', here, b'/tmp', 0)",
    "mount_setattr: make the image writable": "call(442, 442, here, b'/', 0, room, 32)",
    "unshare: a user namespace": "call(272, 97, 0x10000000)",
    "unshare: a network namespace": "call(272, 97, 0x40000000)",
    "unshare: a mount namespace": "call(272, 97, 0x20000)",
    "clone: a user namespace": "if call(56, 220, 0x10000000 | 17, 0, 0, 0, 0) == 0: os._exit(0)",
    "clone3: a user namespace": "call(435, 435, struct.pack('11Q', 0x10000000, *[0] * 3, 17, *[0] * 6), 88)",
    "setns: the namespace of another": "call(308, 268, os.open('/proc/self/ns/mnt', os.O_RDONLY), 0)",
    "ptrace: attach to process 1": "call(101, 117, 16, 1, 0, 0)",
    "ptrace: seize process 1": "call(101, 117, 0x4206, 1, 0, 0)",
    "process_vm_readv: memory of process 1": "call(310, 270, 1, room, 1, room, 1, 0)",
    "process_vm_writev: into process 1": "call(311, 271, 1, room, 1, room, 1, 0)",
    "pidfd_getfd: the pipe of process 1": "call(438, 438, call(434, 434, 1, 0), 1, 0)",
    "kcmp: where process 1 keeps what": "call(312, 272, 1, os.getpid(), 0, 1, 1)",
    "prlimit64: the limits of process 1": "call(302, 261, 1, 4, struct.pack('QQ', 0, 0), 0)",
    "setuid: root": "call(105, 146, 0)",
    "personality: no random addresses": "call(135, 92, 0x0040000)",
    "socket: netlink, whose buffers no cgroup counts": "socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)",
    "socket: vsock, which knows no network namespace": "socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)",
    "socket: the kernel's ciphers (AF_ALG)": "socket.socket(socket.AF_ALG, socket.SOCK_SEQPACKET)",
    "socket: packets of the wire": "socket.socket(socket.AF_PACKET, socket.SOCK_RAW)",
    "socket: raw IP": "socket.socket(socket.AF_INET, socket.SOCK_RAW, 1)",
    "socket: Bluetooth": "socket.socket(31, socket.SOCK_RAW, 1)",
}  # fmt: skip
ANSWERS = (
    "Operation not permitted",
    "Permission denied",
    "Function not implemented",
    "Address family not supported by protocol",
    "Operation not supported",
    "Operation not supported",
)


@pytest.mark.parametrize("attack", REFUSED)
def test_a_system_call_is_refused(shared: Session, attack: str) -> None:
    """refused: not permitted, or not there"""
    result = shared.execute(REFUSED[attack], 20)
    assert result.status == "error", attack
    assert result.error is not None
    assert any(answer in result.error.message for answer in ANSWERS), result.error
    assert shared.execute("print('alive')", 20).stdout == "alive\n"


FOREIGN = """
import ctypes, mmap, os
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex('b814000000 cd80 c3'))  # mov eax, 20; int 0x80; ret: getpid of 32-bit programs
child = os.fork()
if child == 0:
    number = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
    os._exit(number > 0)
print(os.waitpid(child, 0)[1])
"""


def test_system_calls_of_other_machines_are_refused(shared: Session) -> None:
    """Slip past the filter by system calls of 32-bit programs: refused, or such programs are not there at all"""
    if shared.execute("print(platform.machine())", 20).stdout == "x86_64\n":
        assert shared.execute(FOREIGN, 20).stdout != "256\n"
    assert shared.execute("print('alive')", 20).stdout == "alive\n"
