"""The filter of system calls, for both machines, by a small model of the kernel's interpreter.

That the kernel really takes it and refuses by it is tested in test_sandbox_attacks_calls.py, on the machine at hand.
"""

from __future__ import annotations

import errno
import socket
import struct

import pytest

from sandbox.relay_filter import MACHINES, PRLIMIT, REFUSED, SOCKETS, program

ALLOWED = {"read": (0, 63), "write": (1, 64), "clone": (56, 220), "execve": (59, 221), "kill": (62, 129)}
SOME = ("io_uring_setup", "ptrace", "mount", "unshare", "keyctl", "inotify_init1", "process_vm_writev")


def answer(machine: str, number: int, argument: int = 0, audit: int | None = None) -> int:
    """0 where the call is let through, else its error number."""
    data = struct.pack("<IIQ6Q", number, audit or MACHINES[machine][1], 0, argument, *[0] * 5)
    lines = list(struct.iter_unpack("=HBBI", program(machine)))
    place, loaded = 0, 0
    while True:
        code, yes, no, value = lines[place]
        place += 1
        if code == 0x20:
            (loaded,) = struct.unpack_from("<I", data, value)
        elif code in (0x15, 0x35):
            place += yes if (loaded == value if code == 0x15 else loaded >= value) else no
        else:
            assert code == 0x06
            return 0 if value == 0x7FFF0000 else value & 0xFFFF


@pytest.mark.parametrize("machine", MACHINES)
def test_what_scripts_need_is_let_through_and_the_rest_refused(machine: str) -> None:
    column = MACHINES[machine][0]
    assert {name: answer(machine, pair[column]) for name, pair in ALLOWED.items()} == dict.fromkeys(ALLOWED, 0)
    assert {answer(machine, REFUSED[name][column]) for name in SOME} == {errno.EPERM}
    assert {answer(machine, pair[column]) for pair in REFUSED.values() if pair[column] >= 0} == {errno.EPERM}


@pytest.mark.parametrize("machine", MACHINES)
def test_sockets_stay_in_the_network_namespace(machine: str) -> None:
    column = MACHINES[machine][0]
    for pair in SOCKETS.values():
        for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6):
            assert answer(machine, pair[column], int(family)) == 0
        for number in (16, 17, 31, 38, 40, 44, 0xFFFFFFFF):  # netlink, packet, Bluetooth, AF_ALG, vsock, XDP
            assert answer(machine, pair[column], number) == errno.EOPNOTSUPP


@pytest.mark.parametrize("machine", MACHINES)
def test_limits_are_set_on_the_caller_only(machine: str) -> None:
    number = PRLIMIT[MACHINES[machine][0]]
    assert answer(machine, number, 0) == 0
    assert answer(machine, number, 1) == errno.EPERM
    assert answer(machine, number, 2**32 + 1) == errno.EPERM  # the kernel takes the low half, too


@pytest.mark.parametrize("machine", MACHINES)
def test_calls_of_other_machines_are_refused(machine: str) -> None:
    assert answer(machine, 3, audit=0x40000003) == errno.EPERM  # i386
    assert answer(machine, 0x40000000) == errno.EPERM  # x32


def test_an_unknown_machine_is_no_reason_to_go_without() -> None:
    with pytest.raises(OSError, match="riscv64"):
        program("riscv64")
