"""What every sandbox promises, on real containers of every engine: how code ends, what comes out, what is left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import docker
import pytest

from sandbox.base import (
    ExecutionResult,
    FetchedFile,
    ImageMissing,
    Limits,
    Mount,
    SandboxClosed,
    SandboxLost,
    Session,
)
from sandbox.docker_sandbox import DockerSandbox
from sandbox.engine import engine_address
from sandbox.owner import owner
from sandbox.script import DATA_DIR
from tests.engines import chosen, shared_podman
from tests.sandbox_image import find_image
from tests.small_image import NAME

pytestmark = pytest.mark.docker

SMALL = Limits(memory_mb=256, cpus=1, pids=128, disk_mb=64, output_mb=4)


@dataclass(frozen=True)
class Place:
    """An engine under test, named by `DOCKER_HOST` while its tests run."""

    name: str
    address: str
    image: str

    def containers(self, who: str) -> list[str]:
        """Names of the containers of the owner `who`."""
        client = docker.DockerClient(base_url=self.address, version="auto")
        try:
            mine = {"label": f"linguacodus.owner={who}"}
            found = client.containers.list(all=True, filters={**mine}, ignore_removed=True)
            return [str(container.name) for container in found]
        finally:
            client.close()

    def process(self, name: str) -> int:
        """Number on this machine of a container's process 1."""
        client = docker.DockerClient(base_url=self.address, version="auto")
        try:
            return int(client.api.inspect_container(name)["State"]["Pid"])
        finally:
            client.close()

    def remove(self, name: str) -> None:
        """What an administrator may do: remove a running container."""
        client = docker.DockerClient(base_url=self.address, version="auto")
        client.containers.get(name).remove(force=True)
        client.close()


@pytest.fixture(scope="module", params=["Docker", "Podman"])
def place(request: pytest.FixtureRequest) -> Iterator[Place]:
    if request.param == "Docker":
        yield Place("Docker", engine_address(), find_image())
        return
    address = shared_podman().address
    with chosen(address):
        yield Place("Podman", address, NAME)


@pytest.fixture(scope="module")
def sandbox(place: Place) -> Iterator[DockerSandbox]:
    with DockerSandbox(place.image) as opened:
        yield opened


@pytest.fixture(scope="module")
def shared(sandbox: DockerSandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Session]:
    """One session for cells that leave it as it was."""
    data = tmp_path_factory.mktemp("data")
    data.chmod(0o755)
    (data / "train.csv").write_text("id\n1\n")
    (data / "train.csv").chmod(0o666)  # it is the mount that protects it
    with sandbox.session(mounts=[Mount(data, DATA_DIR)], limits=SMALL, env={"SEED": "7"}) as session:
        yield session


def assert_within(seconds: float, condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


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


def test_memory_without_end_in_a_child_is_out_of_memory(shared: Session) -> None:
    code = "import subprocess, sys\nsubprocess.run([sys.executable, '-c', 'b = bytearray(10**9)'], check=True)"
    assert shared.execute(code, 60).status == "out_of_memory"
    assert shared.execute("raise MemoryError", 20).status == "error"  # what was counted before counts no more


WRITE = "open('submission.csv', 'w').write('id\\n')\n"
STUBBORN = """
import os, time
if os.fork() == 0:
    os.setsid()
    while True:
        open('submission.csv', 'w').write(str(time.time())); time.sleep(0.01)
while True:
    try:
        time.sleep(0.1)
    except BaseException:
        pass
"""
FATAL: Mapping[str, tuple[str, float]] = {
    "exit": (WRITE + "import os\nos._exit(3)", 20),
    "suicide": ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", 20),
    "memory": (WRITE + "blocks = []\nwhile True:\n    blocks.append(bytearray(10_000_000))", 60),
    "flood": ("import os\nwhile True:\n    os.write(1, b'x' * 10_000)", 60),
    "loop": (WRITE + "print('written')\nwhile True:\n    pass", 1.0),
    "stopped": ("import os, signal\nos.kill(os.getpid(), signal.SIGSTOP)", 0.5),
    "stubborn": (STUBBORN, 1.0),
}
"""Code that its kernel does not survive, and its time."""


@dataclass(frozen=True)
class Ended:
    """What a session of such code leaves."""

    result: ExecutionResult
    file: FetchedFile
    later: FetchedFile
    """The same file a little later."""
    again: ExecutionResult
    """Another cell in the same session."""


@pytest.fixture(scope="module")
def ended(sandbox: DockerSandbox) -> Iterator[Mapping[str, Future[Ended]]]:
    """How each of them ended; beside each other, as most of them wait for a clock."""

    def run(code: str, seconds: float) -> Ended:
        # What the kernel has printed and not yet sent is its own: on busy cores a flood needs room.
        with sandbox.session(limits=replace(SMALL, memory_mb=2048) if "os.write" in code else SMALL) as session:
            result, file = session.execute(code, seconds), session.fetch("submission.csv", 100)
            time.sleep(0.1)
            return Ended(result, file, session.fetch("submission.csv", 100), session.execute("print(1)", 5))

    with ThreadPoolExecutor(3) as pool:
        yield {name: pool.submit(run, *fatal) for name, fatal in FATAL.items()}


def test_a_process_that_ends_itself_is_killed(ended: Mapping[str, Future[Ended]]) -> None:
    end = ended["exit"].result()
    assert end.result.status == "killed"
    assert end.result.error is not None
    assert "exit code 3" in end.result.error.message
    assert end.file.data == b"id\n"
    assert end.again.status == "killed"


def test_a_kill_by_its_own_hand_is_not_out_of_memory(ended: Mapping[str, Future[Ended]]) -> None:
    assert ended["suicide"].result().result.status == "killed"


def test_memory_without_end_is_out_of_memory(ended: Mapping[str, Future[Ended]]) -> None:
    end = ended["memory"].result()
    assert end.result.status == "out_of_memory"
    assert end.result.seconds < 20
    assert end.result.peak_memory_mb is not None
    assert end.result.peak_memory_mb > 200
    assert end.file.data == b"id\n"


def test_a_flood_of_output_is_stopped(ended: Mapping[str, Future[Ended]]) -> None:
    result = ended["flood"].result().result
    assert result.status == "output_limit"
    assert result.seconds < 20
    assert len(result.stdout) < 21_000


def test_a_loop_ends_at_the_limit_and_what_it_wrote_is_kept(ended: Mapping[str, Future[Ended]]) -> None:
    end = ended["loop"].result()
    assert (end.result.status, end.result.stdout) == ("timeout", "written\n")
    assert 1.0 <= end.result.seconds < 4
    assert end.result.error is not None
    assert end.result.error.type == "KeyboardInterrupt"
    assert end.result.error.line in (3, 4)
    assert end.file.data == b"id\n"


def test_a_stopped_process_ends_at_the_limit(ended: Mapping[str, Future[Ended]]) -> None:
    result = ended["stopped"].result().result
    assert result.status == "timeout"
    assert result.seconds < 8


def test_a_loop_that_swallows_the_interrupt_is_killed_with_its_children(ended: Mapping[str, Future[Ended]]) -> None:
    end = ended["stubborn"].result()
    assert end.result.status == "timeout"
    assert end.result.seconds < 8
    assert end.file.data
    assert end.file == end.later


# What goes in and what comes out


PICTURE = (
    "from IPython.display import Image, display\ndisplay(Image(data=bytes.fromhex('89504e470d0a1a0a') + bytes(9)))"
)


def test_pictures_come_out_as_png(shared: Session) -> None:
    assert shared.execute(PICTURE, 20).plots == [b"\x89PNG\r\n\x1a\n" + bytes(9)]


def test_markup_does_not_come_out(shared: Session) -> None:
    code = "from IPython.display import HTML, SVG, display\ndisplay(HTML('<script>1</script>'), SVG('<svg></svg>'))"
    result = shared.execute(code, 20)
    assert result.plots == []
    assert "<script>" not in result.stdout
    assert "<svg" not in result.stdout


def test_terminal_codes_do_not_come_out(shared: Session) -> None:
    result = shared.execute(r"print('\x1b[31mred\x1b[0m \x1b]0;title\x07end')", 20)
    assert result.stdout == "red end\n"


def test_long_output_is_cut_in_the_middle(shared: Session) -> None:
    result = shared.execute("print('start' + 'x' * 300_000 + 'end')", 20)
    assert result.status == "ok"
    assert result.stdout.startswith("start")
    assert result.stdout.endswith("end\n")
    assert len(result.stdout) < 21_000
    assert "280,009 characters cut" in result.stdout


def test_the_data_can_be_read_and_not_written(shared: Session) -> None:
    assert shared.execute("print(open('data/train.csv').read(), end='')", 20).stdout == "id\n1\n"
    result = shared.execute("open('data/train.csv', 'a')", 20)
    assert result.error is not None
    assert (result.error.type, "Read-only" in result.error.message) == ("OSError", True)


def test_the_environment_is_the_session_s_and_the_cell_s(shared: Session) -> None:
    code = "import os; print(os.environ['SEED'], os.environ.get('TIME_LIMIT_S'), os.environ.get('HOME'))"
    assert shared.execute(code, 20).stdout == "7 None /tmp\n"
    assert shared.execute(code, 20, {"TIME_LIMIT_S": "60"}).stdout == "7 60 /tmp\n"


def test_files_come_out_or_it_is_said_why_not(shared: Session) -> None:
    shared.execute(
        "open('answer.txt', 'wb').write(bytes(range(256)) * 8000)\nimport os; os.symlink('/etc/passwd', 'link')", 20
    )
    assert shared.fetch("answer.txt", 2_048_000).data == bytes(range(256)) * 8000
    assert "2,048,000 bytes" in str(shared.fetch("answer.txt", 1000).fault)
    assert "was not written" in str(shared.fetch("another.txt", 1000).fault)
    assert "link" in str(shared.fetch("link", 100_000).fault)


def test_two_sessions_do_not_see_each_other(sandbox: DockerSandbox, shared: Session) -> None:
    shared.execute("open('/tmp/mine', 'w').write('1'); open('mine', 'w').write('1'); mine = 1", 20)
    with sandbox.session(limits=SMALL) as other:
        result = other.execute(
            "import os; print(os.path.exists('/tmp/mine'), os.listdir('.'), 'mine' in globals())", 20
        )
    assert result.stdout == "False [] False\n"


# The end of sessions and sandboxes


def test_the_isolation_is_told(place: Place, sandbox: DockerSandbox, shared: Session) -> None:
    told = sandbox.isolation()
    assert told["engine"].startswith(f"{place.name} ")
    assert (told["network"], told["seccomp"], told["daemon"]) == ("none", "default profile", "runs as root")
    assert told["user"] == ("1000:1000" if os.geteuid() == 0 else f"{os.geteuid()}:{os.getegid()}")
    assert "quota" in told["scratch"]


def test_a_missing_image_is_said_with_a_remedy(place: Place) -> None:
    with pytest.raises(ImageMissing, match="make image"), DockerSandbox("linguacodus-sandbox:none"):
        pass


def test_warm_containers_are_used_once_and_freed(place: Place, sandbox: DockerSandbox) -> None:
    before, kind = place.containers(owner()), replace(SMALL, pids=127)
    sandbox.keep_warm(1, limits=kind)
    assert_within(60, lambda: sandbox.warm() == 1)
    with sandbox.session(limits=kind) as session:
        sandbox.keep_warm(0, limits=kind)
        assert session.execute("print(1)", 20).stdout == "1\n"
    assert_within(60, lambda: sandbox.warm() == 0 and place.containers(owner()) == before)


def test_close_from_a_thread_ends_running_code(place: Place) -> None:
    with DockerSandbox(place.image) as sandbox:
        timer = threading.Timer(0.3, sandbox.close)
        with sandbox.session(limits=SMALL) as session:
            timer.start()
            started = time.monotonic()
            with pytest.raises(SandboxClosed):
                session.execute("import time; time.sleep(60)", 60)
            assert time.monotonic() - started < 1.3
        with pytest.raises(SandboxClosed), sandbox.session(limits=SMALL):
            pass


def scratch_mounts() -> list[str]:
    return [line for line in Path("/proc/mounts").read_text().splitlines() if f"scratch-{os.getpid()}-" in line]


def test_nothing_is_left_after_a_session(place: Place, sandbox: DockerSandbox) -> None:
    before = place.containers(owner())
    with sandbox.session(limits=SMALL) as session:
        assert len(place.containers(owner())) == len(before) + 1
        session.execute("print(1)", 10)
        assert scratch_mounts() == []  # only the container itself still holds it
    assert place.containers(owner()) == before


def test_a_container_that_somebody_removes_is_lost(place: Place, sandbox: DockerSandbox) -> None:
    before = place.containers(owner())
    with sandbox.session(limits=SMALL) as session:
        (mine,) = set(place.containers(owner())) - set(before)
        timer = threading.Timer(0.2, place.remove, [mine])
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


def test_what_dead_owners_left_is_swept_on_opening(place: Place) -> None:
    left = subprocess.run([sys.executable, "-c", LEFT, place.image], check=False, capture_output=True, text=True)
    who = left.stdout.strip()
    assert len(place.containers(who)) == 1, left.stderr
    with DockerSandbox(place.image):
        assert place.containers(who) == []
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


def test_the_container_ends_when_its_client_is_killed(place: Place) -> None:
    client = subprocess.Popen([sys.executable, "-c", KILLED, place.image], stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    who = client.stdout.readline().strip()
    process = place.process(*place.containers(who))
    client.send_signal(signal.SIGKILL)
    client.wait()
    assert_within(1.0, lambda: not Path(f"/proc/{process}").exists())
    assert_within(10.0, lambda: place.containers(who) == [])
    assert f"scratch-{client.pid}-" not in Path("/proc/mounts").read_text()
