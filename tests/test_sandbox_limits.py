"""Every limit, by code that tries to pass it."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from sandbox.base import Limits, Session
from sandbox.docker_sandbox import DockerSandbox
from tests.sandbox_image import find_image

pytest_plugins = ["tests.sandbox_fixtures"]
pytestmark = pytest.mark.docker

SMALL = Limits(memory_mb=256, cpus=0.5, pids=48, disk_mb=64, output_mb=32)
ROOMY = Limits(memory_mb=2048, cpus=1, pids=128, disk_mb=600, output_mb=4)


@pytest.fixture(scope="module")
def small(sandbox: DockerSandbox) -> Iterator[Session]:
    """One session with tight limits for code that leaves it as it was."""
    with sandbox.session(limits=SMALL) as session:
        yield session


def told(session: Session, code: str, seconds: float = 30) -> Any:
    """What a cell printed as JSON."""
    result = session.execute(code, seconds)
    assert result.status == "ok", result
    return json.loads(result.stdout)


# Memory


def test_a_lack_of_memory_is_told_within_two_seconds_of_the_kill(session: Session) -> None:
    code = (
        "import os, time\nbeat = os.open('beat', os.O_WRONLY | os.O_CREAT)\nblocks = []\nwhile True:\n"
        "    blocks.append(bytearray(2_000_000)); os.pwrite(beat, str(time.time()).encode(), 0)"
    )
    result = session.execute(code, 60)
    now = time.time()
    assert result.status == "out_of_memory"
    last = session.fetch("beat", 100).data
    assert last is not None
    assert now - float(last) < 2.5  # half a second for a busy machine
    assert result.peak_memory_mb == pytest.approx(SMALL.memory_mb, rel=0.1)


def test_a_kill_without_a_lack_of_memory_is_no_lack_of_memory(session: Session) -> None:
    code = "import os\nblocks = [bytearray(2_000_000) for _ in range(50)]\nos.kill(os.getpid(), 9)"
    result = session.execute(code, 20)
    assert result.status == "killed"
    assert result.peak_memory_mb is not None
    assert result.peak_memory_mb > 100


def test_there_is_no_swap_on_top_of_the_memory(small: Session) -> None:
    code = (
        "import json, os\nfound = {}\n"
        "for name in ('memory.limit_in_bytes', 'memory.memsw.limit_in_bytes', 'memory.max', 'memory.swap.max'):\n"
        "    for folder in ('/sys/fs/cgroup', '/sys/fs/cgroup/memory'):\n"
        "        if os.path.exists(f'{folder}/{name}'): found[name] = open(f'{folder}/{name}').read().strip()\n"
        "print(json.dumps(found))"
    )
    found = told(small, code)
    wanted = str(SMALL.memory_mb * 2**20)
    first = {"memory.limit_in_bytes": wanted, "memory.memsw.limit_in_bytes": wanted}
    assert found in (first, {"memory.max": wanted, "memory.swap.max": "0"})


# CPU, processes, threads, open files


def test_two_loops_get_no_more_cpu_than_the_limit(small: Session) -> None:
    code = (
        "import json, resource, subprocess, sys, time\nstarted = time.time()\n"
        "loops = [subprocess.Popen([sys.executable, '-I', '-S', '-c', 'while True: pass']) for _ in range(2)]\n"
        "time.sleep(2.0)\nfor loop in loops: loop.kill(); loop.wait()\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(json.dumps((used.ru_utime + used.ru_stime) / (time.time() - started)))"
    )
    assert 0.1 < told(small, code) < SMALL.cpus * 1.3


@pytest.mark.parametrize(
    "more",
    [
        "child = os.fork()\n        if child == 0: time.sleep(60); os._exit(0)\n        made.append(child)",
        "thread = threading.Thread(target=stop.wait, daemon=True); thread.start(); made.append(thread)",
    ],
    ids=["processes", "threads"],
)
def test_processes_and_threads_are_counted_together(small: Session, more: str) -> None:
    code = (
        "import json, os, signal, threading, time\nmade, stop = [], threading.Event()\ntry:\n"
        f"    while len(made) < 1000:\n        {more}\n"
        "except (OSError, RuntimeError):\n    pass\nprint(json.dumps(len(made)))\nstop.set()\n"
        "for one in made:\n    if isinstance(one, int): os.kill(one, 9); os.waitpid(one, 0)\n    else: one.join()"
    )
    assert 5 < told(small, code) < SMALL.pids


def test_open_files_are_bounded(small: Session) -> None:
    code = (
        "import json, os\nopened = []\ntry:\n    while len(opened) < 10**5: opened.append(os.open('/', os.O_RDONLY))\n"
        "except OSError as error:\n    found = error.strerror\nfor one in opened: os.close(one)\n"
        "print(json.dumps([len(opened), found]))"
    )
    count, error = told(small, code)
    assert count < 17_000
    assert error == "Too many open files"


# Time


def test_the_clock_runs_for_the_whole_cell_and_not_for_a_message(session: Session) -> None:
    result = session.execute("import time\nwhile True:\n    print('still here', flush=True); time.sleep(0.1)", 1.0)
    assert result.status == "timeout"
    assert 1.0 <= result.seconds < 5
    assert result.stdout.count("still here") >= 3


def test_what_was_valid_before_the_time_out_is_taken(session: Session) -> None:
    code = "open('submission.csv', 'w').write('id,y\\n1,2\\n')\nwhile True:\n    pass"
    assert session.execute(code, 0.5).status == "timeout"
    assert session.fetch("submission.csv", 100).data == b"id,y\n1,2\n"


# Output

COST = """
import json, resource, sys
from sandbox.base import Limits
from sandbox.docker_sandbox import DockerSandbox
limits = Limits(memory_mb=2048, cpus=2, pids=64, disk_mb=64, output_mb=int(sys.argv[3]))
with DockerSandbox(sys.argv[1]) as sandbox, sandbox.session(limits=limits) as session:
    session.execute("print('x' * 100_000)", 20)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    result = session.execute(sys.argv[2], 120)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps([result.status, len(result.stdout), (after - before) / 1024]))
"""


ONE_PRINT = "print('x' * 200_000_000)"
MANY_WRITES = "import os\nfor _ in range(2000): os.write(1, b'x' * 100_000)"


@pytest.mark.parametrize(
    ("code", "output_mb", "end"),
    [(ONE_PRINT, 64, "output_limit"), (MANY_WRITES, 64, "output_limit"), (ONE_PRINT, 400, "ok")],
    ids=["one print", "many writes", "one print that may be so large"],
)
def test_200_mb_of_output_cost_the_host_less_than_30(code: str, output_mb: int, end: str) -> None:
    words = [sys.executable, "-c", COST, find_image(), code, str(output_mb)]
    done = subprocess.run(words, check=True, capture_output=True, text=True, timeout=200)
    status, kept, grown = json.loads(done.stdout)
    assert status == end
    assert kept < 21_000
    assert grown < 30


# Disk

FILL = """
import json, os
def writable():
    for folder, names, _ in os.walk('/'):
        names[:] = [name for name in names if os.path.join(folder, name) not in ('/proc', '/sys')]
        if os.access(folder, os.W_OK):
            yield folder
places = {os.stat(folder).st_dev: folder for folder in writable()}  # one of each file system
held = {}
for folder in places.values():
    held[folder], path = 0, os.path.join(folder, 'fill')
    try:
        with open(path, 'wb', buffering=0) as file:
            while held[folder] < MOST:
                held[folder] += file.write(bytes(2**20))
    except OSError as error:
        held[folder] = [held[folder] // 2**20, error.strerror]
    os.path.exists(path) and os.unlink(path)
print(json.dumps(held))
"""


def test_every_writable_place_is_bounded(sandbox: DockerSandbox) -> None:
    """All that can be written to is the working folder (its quota), and two or three small places in memory."""
    with sandbox.session(limits=ROOMY) as session:
        held = told(session, FILL.replace("MOST", "2**30"), 60)
    tops = {"/".join(folder.split("/")[:3]) for folder in held}
    assert {"/work"} <= tops <= {"/work", "/tmp", "/tmp/.ipython", "/tmp/.kernel", "/dev/shm", "/dev/mqueue"}
    assert all(isinstance(found, list) for found in held.values()), held
    assert 300 < held["/work"][0] <= ROOMY.disk_mb
    assert all(found[0] <= 256 for folder, found in held.items() if folder != "/work")


def test_message_queues_are_bounded(small: Session) -> None:
    code = (
        "import ctypes, json, platform\nlibc = ctypes.CDLL(None, use_errno=True)\n"
        "make, send = {'x86_64': (240, 242), 'aarch64': (180, 182)}[platform.machine()]\n"
        "form, held = (ctypes.c_long * 8)(0, 10, 8192, 0), 0\n"
        "for number in range(1000):\n"
        "    queue = libc.syscall(make, b'q%d' % number, 0o4102, 0o600, form)\n    if queue < 0: break\n"
        "    for _ in range(10): held += 8192 * (libc.syscall(send, queue, bytes(8192), 8192, 0, None) == 0)\n"
        "print(json.dumps([number, held]))"
    )
    number, held = told(small, code)
    assert number < 1000
    assert held < 4 * 2**20


def test_the_working_folder_may_be_larger_than_the_memory(sandbox: DockerSandbox) -> None:
    code = (
        "import os\nwith open('large', 'wb') as file:\n    for _ in range(400): file.write(os.urandom(2**20))\n"
        "print(os.stat('large').st_size >> 20)"
    )
    with sandbox.session(limits=replace(SMALL, disk_mb=600, cpus=1)) as session:
        result = session.execute(code, 60)
        assert (result.status, result.stdout) == ("ok", "400\n"), result
        assert session.execute("print('alive')", 20).stdout == "alive\n"


def test_shared_memory_is_bounded(small: Session) -> None:
    code = (
        "import json, os\nfrom multiprocessing.shared_memory import SharedMemory\n"
        "size = os.statvfs('/dev/shm'); block = SharedMemory(create=True, size=1_000_000); block.buf[0] = 1\n"
        "block.close(); block.unlink()\nprint(json.dumps(size.f_blocks * size.f_frsize >> 20))"
    )
    assert told(small, code) <= SMALL.memory_mb


# What is fetched


def test_no_file_larger_than_asked_for_is_fetched(small: Session) -> None:
    small.execute("open('exact', 'wb').write(bytes(1000)); open('over', 'wb').write(bytes(1001))", 20)
    assert small.fetch("exact", 1000).data == bytes(1000)
    assert small.fetch("over", 1000).data is None


def test_pictures_are_bounded_in_number_and_size(small: Session) -> None:
    code = (
        "import base64\nfrom IPython.display import display\n"
        "def show(size):\n    picture = b'\\x89PNG\\r\\n\\x1a\\n' + bytes(size)\n"
        "    display({'image/png': base64.b64encode(picture).decode()}, raw=True)\n"
        "show(6_000_000)\nfor _ in range(30): show(100)"
    )
    result = small.execute(code, 30)
    assert [len(plot) for plot in result.plots] == [108] * 20
