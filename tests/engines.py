"""Container engines that belong to a test: a second Docker, its data on a small disk, and podman's Docker socket.

The system's engine is never touched. Everything lies in one folder and is gone afterwards; the processes end with the
test's own, even where that is killed.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import docker
import docker.errors
import requests

from tests.small_image import podman_store

START_SECONDS = 30.0
_WITH_US = ["setpriv", "--pdeathsig", "KILL", "--"]
NOBODY = (65534, 65534)
_AS_NOBODY = [f"--reuid={NOBODY[0]}", f"--regid={NOBODY[1]}", "--clear-groups", "--"]
_OWN_FOLDERS = 'mount -t tmpfs none /run; mount -t tmpfs none /etc/docker 2> /dev/null; exec "$@"'
_HIDE_SECOND_CGROUPS = 'umount /sys/fs/cgroup/unified 2> /dev/null; exec "$@"'
_NO_CRI = 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n'


@contextmanager
def chosen(address: str) -> Iterator[None]:
    """Let `DOCKER_HOST` name the engine at `address`."""
    before = os.environ.get("DOCKER_HOST")
    os.environ["DOCKER_HOST"] = address
    try:
        yield
    finally:
        if before is None:
            del os.environ["DOCKER_HOST"]
        else:
            os.environ["DOCKER_HOST"] = before


def fill(disk: Path) -> Path:
    """Take every last byte of a disk; unlink the file that is returned to give them back."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        there = os.statvfs(disk)
        os.posix_fallocate(file.fileno(), 0, max((there.f_bavail * there.f_frsize) - 2**22, 1))
        file.seek(0, os.SEEK_END)
        while True:
            file.write(bytes(4096))
    return filler


class PrivateDocker:
    """dockerd with a containerd of its own; `stop`, `kill` and `start` it as often as you like.

    Start it from a thread that lasts: the kernel ends it with that thread.
    """

    def __init__(self, folder: Path, runtimes: Mapping[str, Sequence[str]], one_cgroup_version: bool = False) -> None:
        self.folder = folder
        self._apart = one_cgroup_version
        self.disk = folder / "disk"
        self.socket = folder / "docker.sock"
        self.address = f"unix://{self.socket}"
        self._containerd: subprocess.Popen[bytes] | None = None
        self._dockerd: subprocess.Popen[bytes] | None = None
        (folder / "containerd.toml").write_text(_NO_CRI)
        known = {name: {"path": words[0], "runtimeArgs": list(words[1:])} for name, words in runtimes.items()}
        (folder / "daemon.json").write_text(json.dumps({"runtimes": known}))

    @property
    def runs(self) -> bool:
        """Whether dockerd does."""
        return self._dockerd is not None and self._dockerd.poll() is None

    def start(self) -> None:
        """Start what does not run, and wait until it answers."""
        if self._containerd is None:
            self._containerd = self._launch("containerd", *self._containerd_options())
            _wait_for((self.folder / "containerd.sock").exists, self._containerd, self.folder / "containerd.log")
        self._dockerd = self._launch("dockerd", *self._dockerd_options())
        _wait_for(lambda: answers(self.address), self._dockerd, self.folder / "dockerd.log")

    def stop(self) -> None:
        """Stop dockerd as its service manager would: it ends its containers."""
        if self._dockerd:
            self._dockerd.terminate()
            self._dockerd.wait(30)

    def kill(self) -> None:
        """Kill dockerd on the spot; nobody ends its containers, and its socket stays."""
        if self._dockerd:
            self._dockerd.kill()
            self._dockerd.wait(30)

    def restart(self) -> None:
        """Stop and start."""
        self.stop()
        self.start()

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Stop dockerd in the middle of whatever it does; it takes calls and answers none."""
        assert self._dockerd is not None
        self._dockerd.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self._dockerd.send_signal(signal.SIGCONT)

    def end(self) -> None:
        """Stop all of it, also what would keep the disk busy: a killed engine leaves the helpers of its containers."""
        self.stop()
        if self._containerd:
            self._containerd.terminate()
            self._containerd.wait(30)
        _kill_all_that_name(self.folder)

    def fill_disk(self) -> Path:
        """Take every last byte of the engine's disk; unlink the file that is returned to give them back."""
        return fill(self.disk)

    def _launch(self, name: str, *options: str) -> subprocess.Popen[bytes]:
        around: list[str] = []
        if self._apart and self._containerd is None:
            around = ["unshare", "--mount", "--propagation=unchanged", "sh", "-c", _HIDE_SECOND_CGROUPS, "sh"]
        elif self._apart and self._containerd:
            around = ["nsenter", f"--target={self._containerd.pid}", "--mount", *_WITH_US]
        if name == "dockerd":  # without a bridge of its own it would delete the host's
            around += ["unshare", "--net", "--"]
        with (self.folder / f"{name}.log").open("ab") as log:
            command = [*_WITH_US, *around, name, *options]
            return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)

    def _containerd_options(self) -> list[str]:
        config, place = self.folder / "containerd.toml", self.folder / "containerd.sock"
        folders = ["--root", str(self.disk / "containerd"), "--state", str(self.folder / "containerd")]
        return ["--config", str(config), "--address", str(place), *folders]

    def _dockerd_options(self) -> list[str]:
        places = {
            "--host": self.address,
            "--containerd": str(self.folder / "containerd.sock"),
            "--config-file": str(self.folder / "daemon.json"),
            "--data-root": str(self.disk / "docker"),
            "--exec-root": str(self.folder / "exec"),
            "--pidfile": str(self.folder / "docker.pid"),
        }
        no_network = ["--bridge=none", "--iptables=false", "--ip6tables=false"]
        return [word for option in places.items() for word in option] + no_network


@contextmanager
def private_docker(
    megabytes: int = 768, runtimes: Mapping[str, Sequence[str]] | None = None, one_cgroup_version: bool = False
) -> Iterator[PrivateDocker]:
    """A running Docker whose data lies on a disk of so many MiB.

    crun refuses a machine that has both versions of cgroups mounted: `one_cgroup_version` hides the second from the
    engine. It then has mounts of its own, and sees none that come later: scratch has to be in memory.
    """
    with _folder() as folder, loop_disk(folder, megabytes):
        engine = PrivateDocker(folder, runtimes or {}, one_cgroup_version)
        try:
            engine.start()
            yield engine
        finally:
            engine.end()


class PrivatePodman:
    """podman's Docker socket, run as root with storage of its own, and the small image in it."""

    def __init__(self, folder: Path, images: Path, runtime: str) -> None:
        self.folder = folder
        self.address = f"unix://{folder}/podman.sock"
        self._images, self._runtime = images, runtime
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start what does not run, and wait until it answers."""
        places = {"--root": "root", "--runroot": "run", "--tmpdir": "tmp"}
        words = [word for option, name in places.items() for word in (option, f"{self.folder}/{name}")]
        kind = ["--cgroup-manager=cgroupfs", "--events-backend=file", f"--runtime={self._runtime}"]
        store = ["--storage-driver=overlay", f"--storage-opt=overlay.imagestore={self._images}"]
        command = ["podman", *words, *kind, *store, "system", "service", "--time=0", self.address]
        with (self.folder / "log").open("ab") as log:
            # In its folder: conmon writes a file `oom` where it was started.
            self._process = subprocess.Popen(
                [*_WITH_US, *command], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder
            )
        _wait_for(lambda: answers(self.address), self._process, self.folder / "log")

    def kill(self) -> None:
        """Kill the service on the spot. Its containers are other processes and live on."""
        if self._process:
            self._process.kill()
            self._process.wait(30)

    def end(self) -> None:
        """Stop all of it."""
        self.kill()
        _kill_all_that_name(self.folder)
        for mount in sorted(_mounts_below(self.folder), reverse=True):
            _command("umount", mount)


@contextmanager
def private_podman(runtime: str = "runc") -> Iterator[PrivatePodman]:
    """A running podman."""
    with _folder() as folder:
        engine = PrivatePodman(folder, podman_store(), runtime)
        try:
            engine.start()
            yield engine
        finally:
            engine.end()


@functools.cache
def shared_podman() -> PrivatePodman:
    """One podman for all tests of a run; leave it running."""
    stack = contextlib.ExitStack()
    atexit.register(stack.close)
    return stack.enter_context(private_podman())


@contextmanager
def rootless_engine(name: str) -> Iterator[str]:
    """The address of "Docker" or "Podman" run by `nobody`: enough to ask it what it is, not to start containers."""
    with _folder() as folder:
        address = f"unix://{folder}/engine.sock"
        for place in (folder, folder / "run"):
            place.mkdir(exist_ok=True)
            os.chown(place, *NOBODY)
        env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": str(folder), "XDG_RUNTIME_DIR": str(folder / "run")}
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(
                [*_WITH_US[:-1], *_AS_NOBODY, *_rootless_command(name, folder, address)],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=folder,
            )
        try:
            _wait_for(lambda: answers(address), process, folder / "log")
            yield address
        finally:
            process.kill()
            process.wait(30)
            _kill_all_that_name(folder)


def _rootless_command(name: str, folder: Path, address: str) -> list[str]:
    if name == "Podman":
        kind = ["--cgroup-manager=cgroupfs", "--events-backend=file", "--storage-driver=vfs"]
        return ["podman", *kind, "system", "service", "--time=0", address]
    words = {"host": address, "data-root": folder / "data", "exec-root": folder / "exec", "pidfile": folder / "pid"}
    options = [f"--{key}={value}" for key, value in words.items()]
    kind = ["--rootless", "--group=root", "--storage-driver=vfs", "--bridge=none", "--iptables=false"]
    own = ["unshare", "--user", "--map-root-user", "--mount", "--net", "sh", "-c", _OWN_FOLDERS, "sh"]
    return [*own, "dockerd", *kind, "--ip6tables=false", *options]


def _mounts_below(folder: Path) -> list[str]:
    points = [line.split()[1] for line in _read(Path("/proc/mounts")).splitlines()]
    return [point for point in points if point.startswith(f"{folder}/")]


def _kill_all_that_name(folder: Path) -> None:
    """Kill the processes whose command line holds the name of a folder that only they can know, and their children."""
    doomed = {pid for pid in _processes() if str(folder) in _read(Path(f"/proc/{pid}/cmdline"))}
    doomed |= {pid for pid, parent in _processes().items() if parent in doomed}
    for pid in doomed:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while doomed & set(_processes()) and time.monotonic() < deadline:
        time.sleep(0.01)


def _processes() -> dict[int, int]:
    """The parent of every process that is not a corpse."""
    found = {}
    for entry in Path("/proc").iterdir():
        fields = _read(entry / "stat").rpartition(")")[2].split() if entry.name.isdigit() else []
        if fields and fields[0] != "Z":
            found[int(entry.name)] = int(fields[1])
    return found


def _read(path: Path) -> str:
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""  # it has ended


def answers(address: str) -> bool:
    """Whether an engine answers there."""
    try:
        docker.DockerClient(base_url=address, version="auto", timeout=5).close()
    except (docker.errors.DockerException, requests.RequestException):
        return False
    return True


def _wait_for(ready: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    name = str(process.args)
    deadline = time.monotonic() + START_SECONDS
    while not ready():
        words = log.read_text(errors="replace")[-2000:]
        assert process.poll() is None, f"{name} ended with {process.returncode}: {words}"
        assert time.monotonic() < deadline, f"{name} does not answer: {words}"
        time.sleep(0.05)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder on disk with a short path: addresses of sockets have at most 107 characters."""
    folder = Path(tempfile.mkdtemp(prefix="linguacodus-engine-", dir="/var/tmp"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def loop_disk(folder: Path, megabytes: int) -> Iterator[None]:
    """A file system of so many MiB at `folder`/disk."""
    image, disk = folder / "image", folder / "disk"
    with image.open("wb") as file:
        file.truncate(megabytes * 2**20)
    disk.mkdir()
    _command("mkfs.ext4", "-q", "-F", "-m", "0", "-O", "^has_journal", "-E", "lazy_itable_init=1,nodiscard", str(image))
    _command("mount", "-o", "loop,noatime", str(image), str(disk))
    image.unlink()  # the loop device keeps it; nothing of it is left when this process is killed and the mount undone
    try:
        yield
    finally:
        _command("umount", "--recursive", str(disk))  # dockerd mounts its own folder on itself


def _command(*words: str) -> None:
    subprocess.run(words, check=True, capture_output=True, timeout=60, stdin=subprocess.DEVNULL)
