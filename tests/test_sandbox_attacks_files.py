"""Code that attacks by what it leaves as its submission: links, devices, names, bombs, and files that change."""

from __future__ import annotations

import gzip
import time

import pytest

from sandbox.base import Limits, Session

pytest_plugins = ["tests.sandbox_fixtures"]
pytestmark = pytest.mark.docker

SMALL = Limits(memory_mb=256, cpus=1, pids=64, disk_mb=64, output_mb=4)
MOST = 100_000
"""Bytes that are taken at most here."""


CLEAR = "import os, shutil, socket\nfor name in os.listdir(): os.system(f'chmod -R u+rwx {name}; rm -rf {name}')\n"
PLANTED = {
    "a link to a file of the image": ("os.symlink('/etc/passwd', 'submission.csv')", "link"),
    "a link to its own environment": ("os.symlink('/proc/self/environ', 'submission.csv')", "link"),
    "a link to a device without end": ("os.symlink('/dev/zero', 'submission.csv')", "link"),
    "a link to itself": ("os.symlink('submission.csv', 'submission.csv')", "link"),
    "a link that leads nowhere": ("os.symlink('none', 'submission.csv')", "link"),
    "a link to a good file": ("open('good', 'w').write('id'); os.symlink('good', 'submission.csv')", "link"),
    "a hard link": ("open('good', 'w').write('id'); os.link('good', 'submission.csv')", "hard link"),
    "a FIFO": ("os.mkfifo('submission.csv')", "not a regular file"),
    "a FIFO with a writer": (
        "os.mkfifo('submission.csv'); os.open('submission.csv', os.O_RDWR | os.O_NONBLOCK)",
        "not a regular file",
    ),
    "a socket": ("socket.socket(socket.AF_UNIX).bind('submission.csv')", "regular file"),
    "a folder": ("os.mkdir('submission.csv')", "is a folder"),
    "a file closed to everybody": ("open('submission.csv', 'w'); os.chmod('submission.csv', 0)", "cannot be"),
    "a sparse file of 16 GB": ("open('submission.csv', 'wb').truncate(2**34)", "at most 100,000"),
    "a file one byte too large": ("open('submission.csv', 'wb').write(bytes(100_001))", "at most 100,000"),
    "nothing at all": ("pass", "was not written"),
}  # fmt: skip


@pytest.mark.parametrize("attack", PLANTED)
def test_what_is_no_plain_file_is_not_taken(shared: Session, attack: str) -> None:
    """not taken; the fault is told in one sentence"""
    code, fault = PLANTED[attack]
    assert shared.execute(CLEAR + code, 20).status == "ok"
    fetched = shared.fetch("submission.csv", MOST)
    assert fetched.data is None
    assert fault in (fetched.fault or "")
    assert shared.execute("open('after', 'w').write('alive')", 20).status == "ok"
    assert shared.fetch("after", MOST).data == b"alive"


PATHS = {
    "a path with ..": ("../etc/passwd", "not a path below"),
    "a path with .. in its middle": ("a/../../etc/passwd", "not a path below"),
    "an absolute path": ("/etc/passwd", "not a path below"),
    "a path with a null": ("submission.csv\0.png", "not a path below"),
    "a path behind a link to a folder": ("linked/passwd", "link"),
    "a path behind a file": ("file/passwd", "link"),
    "a path behind the kernel's own links": ("cwd/../etc/passwd", "not a path below"),
    "a path that is too deep": ("a/" * 40 + "b", "not a path below"),
    "a name that is too long": ("x" * 300, "cannot be opened"),
}


@pytest.mark.parametrize("attack", PATHS)
def test_a_path_that_leaves_the_folder_is_not_followed(shared: Session, attack: str) -> None:
    """not followed; the fault is told in one sentence"""
    path, fault = PATHS[attack]
    made = "os.symlink('/etc', 'linked'); open('file', 'w').close(); os.mkdir('a'); os.symlink('/proc/self/cwd', 'cwd')"
    assert shared.execute(CLEAR + made, 20).status == "ok"
    fetched = shared.fetch(path, MOST)
    assert fetched.data is None
    assert fault in (fetched.fault or "")


SWAP = """
import os
if os.fork() == 0:
    os.setsid()
    open('good', 'w').write('id\\n')
    while True:
        open('new', 'w').write('id\\n'); os.rename('new', 'submission.csv')
        os.symlink('/etc/passwd', 'link'); os.rename('link', 'submission.csv')
        os.mkfifo('fifo'); os.rename('fifo', 'submission.csv')
"""


def test_a_file_that_is_swapped_for_a_link_while_it_is_taken(session: Session) -> None:
    """Swap the submission for a link and a FIFO all the time: what is taken is what was checked"""
    assert session.execute(SWAP, 20).status == "ok"
    seen: set[bytes | None] = set()
    taken, deadline = 0, time.monotonic() + 20
    while taken < 100 or not seen >= {None, b"id\n"}:
        assert time.monotonic() < deadline, seen
        seen.add(session.fetch("submission.csv", MOST).data)
        taken += 1
    assert seen <= {None, b"id\n", b""}


def test_a_file_that_grows_while_it_is_taken_is_cut_off(session: Session) -> None:
    """Let the submission grow while it is taken: refused, or as it was, but never more than allowed"""
    code = (
        "import os\nif os.fork() == 0:\n    os.setsid()\n    file = open('submission.csv', 'wb', buffering=0)\n"
        "    while True:\n        for _ in range(20): file.write(bytes(10_000))\n        file.truncate(0); file.seek(0)"
    )
    assert session.execute(code, 20).status == "ok"
    sizes = [len(session.fetch("submission.csv", MOST).data or b"") for _ in range(100)]
    assert max(sizes) <= MOST


def test_a_working_folder_that_is_closed_to_the_relay(session: Session) -> None:
    """Close the working folder to everybody: the fault is told, the session goes on"""
    assert session.execute("import os; os.chmod('/work', 0)", 20).status == "ok"
    fetched = session.fetch("submission.csv", MOST)
    assert fetched.data is None
    assert fetched.fault is not None
    assert session.execute("os.chmod('/work', 0o755); open('submission.csv', 'w').write('id')", 20).status == "ok"
    assert session.fetch("submission.csv", MOST).data == b"id"


def test_a_compressed_bomb_is_only_carried(shared: Session) -> None:
    """Leave 50 MB of zeros in 50 kB of gzip as the submission: carried as bytes, the host unpacks nothing"""
    code = "import gzip\nopen('submission.csv', 'wb').write(gzip.compress(bytes(50_000_000), mtime=0))"
    assert shared.execute(CLEAR + code, 20).status == "ok"
    started = time.monotonic()
    data = shared.fetch("submission.csv", MOST).data
    assert data is not None
    assert len(data) < MOST
    assert time.monotonic() - started < 5
    assert len(gzip.decompress(data)) == 50_000_000


def test_a_folder_of_100000_files_is_not_taken(session: Session) -> None:
    """Leave a folder of 100,000 files as the submission: the disk is full before, and a folder is not taken"""
    code = (
        "import os\nos.makedirs('submission.csv')\ntry:\n"
        "    for number in range(100_000):\n        open(f'submission.csv/{number}', 'w').close()\n"
        "except OSError as error:\n    print(error.strerror)"
    )
    assert "No space left" in session.execute(code, 30).stdout
    assert "is a folder" in (session.fetch("submission.csv", MOST).fault or "")


def test_a_deep_folder_holds_up_nobody(shared: Session) -> None:
    """Leave folders 2,000 deep with the submission at the bottom: nobody walks them, nothing is taken"""
    code = (
        "for _ in range(2000): os.mkdir('d'); os.chdir('d')\nopen('submission.csv', 'w').write('id'); os.chdir('/work')"
    )
    assert shared.execute(CLEAR + code, 20).status == "ok"
    assert shared.fetch("submission.csv", MOST).fault == "submission.csv was not written"
