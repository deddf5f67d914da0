"""In the container: a filter of system calls of our own, on top of the engine's, for this process and all it starts.

Standard library only. Engines differ in what their default profile refuses: Docker before version 25 lets io_uring
through (which does its work past every filter), most let 32-bit programs, and AF_VSOCK, which reaches a virtual
machine's host through no network namespace. What is refused here is refused on all of them. See seccomp(2).
"""

from __future__ import annotations

import ctypes
import errno
import platform
import socket
import struct

MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}
"""Machine -> its column in `REFUSED`, and what the kernel calls it (AUDIT_ARCH_*, linux/audit.h)."""
REFUSED = {
    "add_key": (248, 217),
    "bpf": (321, 280),
    "fanotify_init": (300, 262),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fsopen": (430, 430),
    "fspick": (433, 433),
    "inotify_init": (253, -1),
    "inotify_init1": (294, 26),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_uring_setup": (425, 425),
    "kcmp": (312, 272),
    "keyctl": (250, 219),
    "mount": (165, 40),
    "mount_setattr": (442, 442),
    "move_mount": (429, 429),
    "open_by_handle_at": (304, 265),
    "open_tree": (428, 428),
    "perf_event_open": (298, 241),
    "pidfd_getfd": (438, 438),
    "pivot_root": (155, 41),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "ptrace": (101, 117),
    "request_key": (249, 218),
    "setns": (308, 268),
    "umount2": (166, 39),
    "unshare": (272, 97),
    "userfaultfd": (323, 282),
}
"""System calls that no script needs: their numbers on x86_64 and aarch64; -1: not there."""
SOCKETS = {"socket": (41, 198), "socketpair": (53, 199)}
FAMILIES = (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)
"""Other families know no network namespace, or have buffers that no cgroup counts. They are answered with EOPNOTSUPP,
which ZeroMQ takes for a machine without netlink (its getifaddrs; anything else ends the process)."""
PRLIMIT = (302, 261)
"""Allowed on the caller itself (number 0), not on process 1."""

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_LOAD, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x15, 0x35, 0x06  # linux/bpf_common.h
_NUMBER, _MACHINE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data; little-endian, so its low half
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_FOREIGN = 0x40000000
"""From this number on a call is one of x32, which has numbers of its own."""


def program(machine: str) -> bytes:
    """The filter as the kernel takes it. Raises: OSError (a machine whose system calls we do not know)."""
    if machine not in MACHINES:
        raise OSError(errno.ENOTSUP, f"no filter of system calls is known for {machine}")
    column, audit = MACHINES[machine]
    numbers = [pair[column] for pair in REFUSED.values() if pair[column] >= 0]
    sockets = [pair[column] for pair in SOCKETS.values()]
    main: list[tuple[int, int, str, str]] = [
        (_LOAD, _MACHINE, "", ""),
        (_EQUAL, audit, "", "refuse"),
        (_LOAD, _NUMBER, "", ""),
        (_AT_LEAST, _FOREIGN, "refuse", ""),
        *((_EQUAL, number, "refuse", "") for number in numbers),
        *((_EQUAL, number, "socket", "") for number in sockets),
        (_EQUAL, PRLIMIT[column], "prlimit", "allow"),
    ]
    parts = {
        "socket": [(_LOAD, _FIRST_ARGUMENT, "", ""), *((_EQUAL, int(family), "allow", "") for family in FAMILIES)],
        "no family": [(_RETURN, _ERRNO | errno.EOPNOTSUPP, "", "")],
        "prlimit": [(_LOAD, _FIRST_ARGUMENT, "", ""), (_EQUAL, 0, "allow", "refuse")],
        "refuse": [(_RETURN, _ERRNO | errno.EPERM, "", "")],
        "allow": [(_RETURN, _ALLOW, "", "")],
    }
    return _assemble(main, parts)


def _assemble(main: list[tuple[int, int, str, str]], parts: dict[str, list[tuple[int, int, str, str]]]) -> bytes:
    """Instructions (code, value, where to go if true, if false; "" is the next one) as struct sock_filter."""
    lines, places = list(main), {}
    for name, part in parts.items():
        places[name] = len(lines)
        lines += part
    packed = [
        struct.pack("=HBBI", code, *(places[name] - here - 1 if name else 0 for name in (yes, no)), value)
        for here, (code, value, yes, no) in enumerate(lines)
    ]
    return b"".join(packed)


def install() -> None:
    """From here on, for good, and for every child. Raises: OSError (the kernel refuses filters)."""
    code = program(platform.machine())
    room = ctypes.create_string_buffer(code, len(code))
    wanted = struct.pack("HxxxxxxP", len(code) // 8, ctypes.addressof(room))  # struct sock_fprog
    libc = ctypes.CDLL(None, use_errno=True)
    for words in ((_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), (_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, wanted, 0, 0)):
        if libc.prctl(*words) != 0:
            raise OSError(ctypes.get_errno(), "the filter of system calls was refused")
