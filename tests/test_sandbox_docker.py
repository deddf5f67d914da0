"""The contract of the sandbox on real containers: how code ends, what comes out, what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import docker
import pytest

from sandbox.base import ImageMissing, Limits, SandboxClosed, SandboxLost, Session
from sandbox.docker_sandbox import DockerSandbox
from sandbox.owner import owner
from tests.sandbox_image import find_image

pytestmark = pytest.mark.docker

SMALL = Limits(memory_mb=256, cpus=1, pids=128, disk_mb=64, output_mb=4)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[DockerSandbox]:
    with DockerSandbox(find_image()) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(sandbox: DockerSandbox) -> Iterator[Session]:
    """One session for cells that leave it as it was."""
    with sandbox.session(limits=SMALL) as session:
        yield session


@pytest.fixture
def session(sandbox: DockerSandbox) -> Iterator[Session]:
    with sandbox.session(limits=SMALL) as fresh:
        yield fresh


def containers_of(who: str) -> list[str]:
    client = docker.from_env()
    try:
        found = client.containers.list(all=True, filters={"label": f"linguacodus.owner={who}"}, ignore_removed=True)
        return [str(container.name) for container in found]
    finally:
        client.close()


def wait_until_gone(who: str, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while containers_of(who):
        assert time.monotonic() < deadline, "a container was left"
        time.sleep(0.05)


def scratch_mounts() -> list[str]:
    return [line for line in Path("/proc/mounts").read_text().splitlines() if f"scratch-{os.getpid()}-" in line]


# How code ends


def test_code_that_runs_is_ok(shared: Session) -> None:
    result = shared.execute("import sys; print('out'); print('err', file=sys.stderr)", 20)
    assert (result.status, result.stdout, result.stderr, result.error) == ("ok", "out\n", "err\n", None)
    assert 0 < result.seconds < 10
    assert result.peak_memory_mb is not None
    assert 10 < result.peak_memory_mb < 256


def test_an_exception_is_told_with_its_line(shared: Session) -> None:
    result = shared.execute("import json\n\ndef read(text):\n    return json.loads(text)\n\nread('{')\n", 20)
    assert result.status == "error"
    assert result.error is not None
    assert (result.error.type, result.error.line) == ("JSONDecodeError", 4)
    assert "Expecting property name" in result.error.message
    assert "\x1b" not in result.error.traceback
    assert "read('{')" in result.error.traceback


def test_a_syntax_error_is_told_with_its_line(shared: Session) -> None:
    result = shared.execute("x = 1\ny = (2\n", 20)
    assert result.error is not None
    assert (result.error.type, result.error.line) == ("SyntaxError", 2)


def test_sys_exit_is_a_good_end(shared: Session) -> None:
    assert shared.execute("import sys\nsys.exit(0)", 20).status == "ok"
    assert shared.execute("raise SystemExit('no data')", 20).status == "error"


def test_plots_come_out_as_png(shared: Session) -> None:
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()\nplt.plot([2, 1])"
    result = shared.execute(code, 60)
    assert result.status == "ok", result
    assert [plot[:8] for plot in result.plots] == [b"\x89PNG\r\n\x1a\n"] * 2


def test_markup_does_not_come_out(shared: Session) -> None:
    code = "from IPython.display import HTML, SVG, display\ndisplay(HTML('<script>1</script>'), SVG('<svg></svg>'))"
    result = shared.execute(code, 20)
    assert result.plots == []
    assert "<script>" not in result.stdout
    assert "<svg" not in result.stdout


def test_terminal_codes_do_not_come_out(shared: Session) -> None:
    result = shared.execute(r"print('\x1b[31mred\x1b[0m \x1b]0;title\x07end')", 20)
    assert result.stdout == "red end\n"


def test_a_process_that_ends_itself_is_killed(session: Session) -> None:
    result = session.execute("open('submission.csv', 'w').write('id\\n')\nimport os\nos._exit(3)", 20)
    assert result.status == "killed"
    assert result.error is not None
    assert "exit code 3" in result.error.message
    assert session.fetch("submission.csv", 100).data == b"id\n"
    assert session.execute("print(1)", 5).status == "killed"


def test_memory_without_end_is_out_of_memory(session: Session) -> None:
    code = (
        "open('submission.csv', 'w').write('id\\n')\nblocks = []\nwhile True:\n    blocks.append(bytearray(10_000_000))"
    )
    result = session.execute(code, 60)
    assert result.status == "out_of_memory"
    assert result.seconds < 20
    assert result.peak_memory_mb is not None
    assert result.peak_memory_mb > 200
    assert session.fetch("submission.csv", 100).data == b"id\n"


def test_memory_without_end_in_a_child_is_out_of_memory(session: Session) -> None:
    code = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'b = bytearray(10**9)'], check=True)"
    assert session.execute(code, 60).status == "out_of_memory"


def test_a_kill_by_its_own_hand_is_not_out_of_memory(session: Session) -> None:
    assert session.execute("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", 20).status == "killed"


def test_a_loop_ends_at_the_limit_and_what_it_wrote_is_kept(session: Session) -> None:
    code = (
        "with open('submission.csv', 'w') as file:\n    file.write('id,y\\n')\nprint('written')\nwhile True:\n    pass"
    )
    result = session.execute(code, 1.0)
    assert (result.status, result.stdout) == ("timeout", "written\n")
    assert 1.0 <= result.seconds < 3
    assert result.error is not None
    assert result.error.type == "KeyboardInterrupt"
    assert result.error.line in (4, 5)
    assert session.fetch("submission.csv", 100).data == b"id,y\n"


def test_a_loop_that_swallows_the_interrupt_is_killed_with_its_children(session: Session) -> None:
    code = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    while True:\n"
        "        open('alive', 'w').write(str(time.time())); time.sleep(0.01)\n"
        "while True:\n"
        "    try:\n"
        "        time.sleep(0.1)\n"
        "    except BaseException:\n"
        "        pass\n"
    )
    result = session.execute(code, 1.0)
    assert result.status == "timeout"
    assert result.seconds < 8
    first = session.fetch("alive", 100).data
    time.sleep(0.2)
    assert session.fetch("alive", 100).data == first


def test_a_stopped_process_ends_at_the_limit(session: Session) -> None:
    result = session.execute("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", 0.5)
    assert result.status == "timeout"
    assert result.seconds < 8


@pytest.mark.parametrize(
    "code",
    [
        "while True:\n    print('x' * 1000)",
        "print('x' * 50_000_000)",
        "import os\nwhile True:\n    os.write(1, b'x' * 10_000)",
        "from IPython.display import display\nwhile True:\n    display({'text/html': 'x' * 10_000}, raw=True)",
    ],
    ids=["prints", "one print", "descriptor", "displays"],
)
def test_a_flood_of_output_is_stopped(sandbox: DockerSandbox, code: str) -> None:
    # Room in memory: what the kernel has printed and not yet sent is its own, and on busy cores may be 200 MB.
    with sandbox.session(limits=replace(SMALL, memory_mb=2048)) as session:
        result = session.execute(code, 60)
    assert result.status == "output_limit"
    assert result.seconds < 20
    assert len(result.stdout) < 21_000


def test_long_output_is_cut_in_the_middle(shared: Session) -> None:
    result = shared.execute("print('start' + 'x' * 300_000 + 'end')", 20)
    assert result.status == "ok"
    assert result.stdout.startswith("start")
    assert result.stdout.endswith("end\n")
    assert len(result.stdout) < 21_000
    assert "280,009 characters cut" in result.stdout


# The end of sessions and sandboxes


def test_a_missing_image_is_said_with_a_remedy() -> None:
    with pytest.raises(ImageMissing, match="make image"), DockerSandbox("linguacodus-sandbox:none"):
        pass


def test_close_from_a_thread_ends_running_code() -> None:
    with DockerSandbox(find_image()) as sandbox:
        timer = threading.Timer(0.3, sandbox.close)
        with sandbox.session(limits=SMALL) as session:
            timer.start()
            started = time.monotonic()
            with pytest.raises(SandboxClosed):
                session.execute("import time; time.sleep(60)", 60)
            assert time.monotonic() - started < 1.3
        with pytest.raises(SandboxClosed), sandbox.session(limits=SMALL):
            pass


def test_nothing_is_left_after_a_session(sandbox: DockerSandbox) -> None:
    before = containers_of(owner())
    with sandbox.session(limits=SMALL) as session:
        assert len(containers_of(owner())) == len(before) + 1
        session.execute("print(1)", 10)
        assert scratch_mounts() == []  # only the container itself still holds it
    assert containers_of(owner()) == before


def remove_container(name: str) -> None:
    client = docker.from_env()
    client.containers.get(name).remove(force=True)
    client.close()


def test_a_container_that_somebody_removes_is_lost(sandbox: DockerSandbox) -> None:
    before = containers_of(owner())
    with sandbox.session(limits=SMALL) as session:
        (mine,) = set(containers_of(owner())) - set(before)
        timer = threading.Timer(0.2, remove_container, [mine])
        timer.start()
        with pytest.raises(SandboxLost, match="somebody else"):
            session.execute("import time; time.sleep(60)", 60)
        timer.join()


LEFT = """
import os, sys
from sandbox.base import Limits
from sandbox.container import Plan, container_options
from sandbox.engine import Engine
from sandbox.owner import owner
from sandbox.scratch import make_scratch
make_scratch(16, 1000, 1000, [])
Engine().create(sys.argv[1], container_options(Plan(sys.argv[1], ["true"], Limits(), (1000, 1000)), 1))
print(owner(), flush=True)
os._exit(1)
"""


def test_what_dead_owners_left_is_swept_on_opening() -> None:
    left = subprocess.run([sys.executable, "-c", LEFT, find_image()], check=False, capture_output=True, text=True)
    who = left.stdout.strip()
    assert len(containers_of(who)) == 1, left.stderr
    with DockerSandbox(find_image()):
        assert containers_of(who) == []
    assert f"scratch-{who}" not in Path("/proc/mounts").read_text()


KILLED = """
import sys
from sandbox.base import Limits
from sandbox.docker_sandbox import DockerSandbox
from sandbox.owner import owner
with DockerSandbox(sys.argv[1]) as sandbox, sandbox.session(limits=Limits(memory_mb=256, disk_mb=64)) as session:
    print(owner(), flush=True)
    session.execute("import time; time.sleep(600)", 600)
"""


def test_the_container_ends_when_its_client_is_killed() -> None:
    client = subprocess.Popen([sys.executable, "-c", KILLED, find_image()], stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    who = client.stdout.readline().strip()
    assert len(containers_of(who)) == 1
    client.send_signal(signal.SIGKILL)
    client.wait()
    wait_until_gone(who, 2.0)
    assert f"scratch-{client.pid}-" not in Path("/proc/mounts").read_text()
