"""Code that attacks places: the network, secrets, files of the host and the image, /proc, /sys and the cgroups.

Here and in the files beside this one a docstring says how the attack ends: `tests.attack_table` makes
docs/sandbox-attacks.md of them, where a parametrized test has a row for each of its parameters.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.base import Limits, Mount, Session
from sandbox.docker_sandbox import DockerSandbox
from sandbox.script import DATA_DIR
from tests.sandbox_image import find_image, is_alive

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
def run_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What lies beside the data on the host: hidden labels and an earlier attempt; the data holds links to them."""
    run = tmp_path_factory.mktemp("run")
    for name in ("hidden/labels.csv", "attempts/0001/solution.py", "views/1/train.csv"):
        (run / name).parent.mkdir(parents=True)
        (run / name).write_text(SECRET)
    (run / "views/1/near.csv").symlink_to("../../hidden/labels.csv")
    (run / "views/1/far.csv").symlink_to(run / "hidden/labels.csv")
    (run / "views/1").chmod(0o755)
    return run


@pytest.fixture(scope="module")
def shared(sandbox: DockerSandbox, run_folder: Path) -> Iterator[Session]:
    """One session for attacks that leave it as it was."""
    with sandbox.session(mounts=[Mount(run_folder / "views/1", DATA_DIR)], limits=SMALL) as session:
        yield session


REFUSED = {
    "connect to an address": "import socket; socket.create_connection(('1.1.1.1', 80), 2)",
    "connect to an IPv6 address": "import socket; socket.create_connection(('2606:4700:4700::1111', 80), 2)",
    "send a datagram": "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('1.1.1.1', 53))",
    "ask for cloud credentials (169.254.169.254)": (
        "import socket; socket.create_connection(('169.254.169.254', 80), 2)"
    ),
    "look up a name": "import socket; socket.getaddrinfo('example.org', 80)",
    "find the engine's socket": "open('/var/run/docker.sock')",
    "connect to the engine's socket": (
        "import socket; socket.socket(socket.AF_UNIX).connect('/run/docker.sock')"
    ),
    "write to the image": "open('/opt/venv/x', 'w')",
    "write to the root": "open('/x', 'w')",
    "write to /etc": "open('/etc/passwd', 'a')",
    "replace the interpreter through /proc/self/exe": "open('/proc/self/exe', 'r+b')",
    "read the image's passwords": "open('/etc/shadow')",
    "write to the data": "open('data/train.csv', 'a')",
    "delete the data": "import os; os.unlink('data/train.csv')",
    "replace the data": "import os; os.rename('data', 'other')",
    "open the data's files to all": "import os; os.chmod('data/train.csv', 0o777)",
    "leave the data by ..": "open('data/../../hidden/labels.csv')",
    "follow a link in the data to hidden labels": "open('data/near.csv')",
    "follow an absolute link in the data": "open('data/far.csv')",
    "write to our code": "open('/opt/linguacodus/sandbox/relay.py', 'a')",
    "write to /sys": "open('/sys/kernel/uevent_helper', 'w')",
    "set the kernel's core handler": "open('/proc/sys/kernel/core_pattern', 'w')",
    "press the kernel's keys": "open('/proc/sysrq-trigger', 'w')",
    "read the kernel's memory": "if not open('/proc/kcore', 'rb').read(1): raise PermissionError('masked')",
    "read the machine's memory": "open('/dev/mem', 'rb')",
    "read the kernel's log": "open('/dev/kmsg', 'rb')",
    "open a disk of the host": (
        "import os, stat\nfound = [n for n in os.listdir('/dev') if stat.S_ISBLK(os.stat('/dev/' + n).st_mode)]\n"
        "open('/dev/' + (found or ['vda'])[0], 'rb')"
    ),
    "become root": "import os; os.setuid(0)",
    "join root's groups": "import os; os.setgroups([0])",
    "become root by a setuid program": "import subprocess; subprocess.run(['su', '-c', 'id'], check=True, timeout=10)",
    "make a setuid program of its own": (
        "import os, shutil, subprocess\nshutil.copy('/usr/bin/id', 'id'); os.chmod('id', 0o6755)\n"
        "if subprocess.run(['./id', '-u'], capture_output=True).stdout != b'0\\n': raise PermissionError('no root')"
    ),
    "run a program from /tmp": (
        "import shutil, subprocess; shutil.copy('/bin/true', '/tmp/t'); subprocess.run(['/tmp/t'])"
    ),
    "make a device": "import os, stat; os.mknod('/work/d', stat.S_IFBLK | 0o600, os.makedev(254, 0))",
    "mount by a program": "import subprocess; subprocess.run(['mount', '-t', 'tmpfs', 'x', '/work'], check=True)",
    "unmount the data": "import subprocess; subprocess.run(['umount', '/work/data'], check=True)",
    "get a namespace by a program": "import subprocess; subprocess.run(['unshare', '-Ur', 'true'], check=True)",
    "enter the namespaces of process 1": (
        "import subprocess; subprocess.run(['nsenter', '-t', '1', '-m', 'true'], check=True)"
    ),
    "raise its priority": "import os; os.nice(-5)",
    "become a real-time process": "import os; os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(1))",
    "be spared when memory runs out": "import os; os.write(os.open('/proc/self/oom_score_adj', os.O_WRONLY), b'-1')",
    "raise its limit of open files": (
        "import resource; kind = resource.RLIMIT_NOFILE; hard = resource.getrlimit(kind)[1]\n"
        "resource.setrlimit(kind, (hard + 1, hard + 1))"
    ),
    "ask for core files": "import resource; resource.setrlimit(resource.RLIMIT_CORE, (4096, 4096))",
    "ask a person at the terminal": "input('password: ')",
}  # fmt: skip
REFUSALS = {
    "OSError",
    "PermissionError",
    "FileNotFoundError",
    "ConnectionRefusedError",
    "gaierror",
    "CalledProcessError",
    "ValueError",  # what `resource` makes of "not allowed to raise maximum limit"
    "StdinNotImplementedError",
}


@pytest.mark.parametrize("attack", REFUSED)
def test_an_attack_on_a_place_is_refused(shared: Session, attack: str) -> None:
    """refused: the code gets an error"""
    result = shared.execute(REFUSED[attack], 20)
    assert result.status == "error", attack
    assert result.error is not None
    assert result.error.type in REFUSALS, result.error
    assert is_alive(shared)


WALK = """
import os, stat
opened, tried = [], 0
for root in ROOTS:
    for folder, names, files in os.walk(root):
        names[:] = [name for name in names if not (folder == '/proc' and name.isdigit())]
        for path in (os.path.join(folder, name) for name in files):
            tried += 1
            try:
                found = os.stat(path)
                descriptor = os.open(path, FLAGS | os.O_NONBLOCK)
                if path.startswith('/proc/1/') and FLAGS == os.O_WRONLY:
                    os.write(descriptor, b'0')  # some open and refuse then
                os.close(descriptor)
            except OSError:
                continue
            if not stat.S_ISLNK(found.st_mode) and found.st_rdev != os.makedev(1, 3):  # masked files are /dev/null
                opened.append(path)
print(tried, opened)
"""
"""Opens every file below `ROOTS` and prints those that let it."""
WRITABLE = {
    "every file below /sys, cgroups too": ("'/sys'", "os.O_WRONLY", 500),
    "every file below /proc that is no process's": ("'/proc'", "os.O_WRONLY", 100),
    "every file of process 1": ("'/proc/1'", "os.O_WRONLY", 30),
    "every secret of process 1": ("'/proc/1/fd', '/proc/1/map_files', '/proc/1/fdinfo'", "os.O_RDONLY", 0),
}
HARMLESS = ("/proc/pressure/",)
"""May be opened: it tells its reader how busy the machine is."""


@pytest.mark.parametrize("attack", WRITABLE)
def test_no_door_of_the_kernel_is_open(shared: Session, attack: str) -> None:
    """not one of them opens"""
    roots, flags, least = WRITABLE[attack]
    result = shared.execute(WALK.replace("ROOTS", f"[{roots}]").replace("FLAGS", flags), 60)
    assert result.status == "ok", result
    tried, _, opened = result.stdout.partition(" ")
    assert int(tried) >= least
    found = [path.strip("' ") for path in opened.strip("[]\n").split(",") if path.strip("' ")]
    assert [path for path in found if not path.startswith(HARMLESS)] == []
    assert is_alive(shared)


def test_a_port_of_the_host_is_not_reached(shared: Session) -> None:
    """Connect to a port that the host listens on: refused, nothing arrives at the host"""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        result = shared.execute(f"import socket; socket.create_connection(('127.0.0.1', {port}), 2)", 20)
        assert result.status == "error"
        listener.settimeout(0)
        with pytest.raises(BlockingIOError):
            listener.accept()


def test_an_abstract_socket_of_the_host_is_not_reached(shared: Session) -> None:
    """Connect to an abstract socket of the host: refused, abstract names belong to a network namespace"""
    name = f"\0linguacodus-{os.getpid()}"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(name)
        listener.listen()
        result = shared.execute(f"import socket; socket.socket(socket.AF_UNIX).connect({name!r})", 20)
        assert result.error is not None
        assert result.error.type == "ConnectionRefusedError"


def test_there_is_no_interface_but_the_loopback(shared: Session) -> None:
    """Look for another network interface: there is only the loopback"""
    assert shared.execute("import os; print(os.listdir('/sys/class/net'))", 20).stdout == "['lo']\n"
    routes = shared.execute("print(open('/proc/net/route').read().count('\\n'))", 20)
    assert routes.stdout == "1\n"  # the heading alone


def test_the_hosts_secrets_are_nowhere(shared: Session) -> None:
    """Look for the host's secrets in every environment, command line and file: they are nowhere"""
    half = len(SECRET) // 2
    code = (
        f"import glob, os\nsecret = ({SECRET[half:]!r} + ' ' + {SECRET[:half]!r}).split()\n"
        "secret = (secret[1] + secret[0]).encode()\n"
        "texts = [repr(dict(os.environ)).encode()]\n"
        "places = ['/proc/*/environ', '/proc/*/cmdline', '/tmp/.*/*', '/tmp/*', '/run/*', '/etc/*', '/work/*', '/*']\n"
        "for path in [path for place in places for path in glob.glob(place)]:\n"
        "    try:\n        texts.append(open(path, 'rb').read())\n    except OSError:\n        pass\n"
        "print(len(texts), any(secret in text or b'PLANTED' in text for text in texts))"
    )
    count, found = shared.execute(code, 20).stdout.split()
    assert int(count) >= 20
    assert found == "False"


def test_the_hidden_labels_are_not_inside(shared: Session, run_folder: Path) -> None:
    """Search the whole file system for the hidden labels and earlier attempts: they are not mounted"""
    code = (
        "import os\nfound = [os.path.join(folder, name) for folder, _, names in os.walk('/') for name in names\n"
        "    if name in ('labels.csv', 'solution.py') and not folder.startswith('/proc')]\n"
        f"print(found, os.path.exists({str(run_folder)!r}), sorted(os.listdir('data')))"
    )
    result = shared.execute(code, 60)
    assert result.stdout == "[] False ['far.csv', 'near.csv', 'train.csv']\n"


def test_the_process_has_no_rights(shared: Session) -> None:
    """Use rights of root or a writable root: there is no capability and no way to get one, the image is read-only"""
    status = shared.execute("print(open('/proc/self/status').read())", 20).stdout
    facts = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
        assert facts[name] == "0" * 16
    assert facts["NoNewPrivs"] == "1"
    assert facts["Seccomp"] == "2"
    assert set(facts["Uid"].split()) != {"0"}
    assert "0" not in facts["Groups"].split()
    assert shared.execute("import os; print(os.statvfs('/').f_flag & os.ST_RDONLY)", 20).stdout == "1\n"


def test_nothing_of_an_earlier_try_is_seen(sandbox: DockerSandbox, shared: Session) -> None:
    """Read files, shared memory or processes of an earlier try: each try has a container of its own"""
    places = "('/work/note', '/tmp/note', '/dev/shm/note')"
    shared.execute(f"for path in {places}: open(path, 'w').write('x')\nimport ctypes, subprocess", 20)
    made = shared.execute(
        "child = subprocess.Popen(['sleep', '60']); print(ctypes.CDLL(None).shmget(77, 4096, 0o1666))", 20
    )
    assert int(made.stdout) >= 0
    with sandbox.session(limits=SMALL) as second:
        code = (
            f"import ctypes, os; print([os.path.exists(p) for p in {places}], os.listdir('/work'),\n"
            "    ctypes.CDLL(None).shmget(77, 4096, 0), b'sleep' in b''.join(open(f'/proc/{p}/cmdline', 'rb').read()\n"
            "        for p in os.listdir('/proc') if p.isdigit()))"
        )
        assert second.execute(code, 20).stdout == "[False, False, False] [] -1 False\n"
    shared.execute("child.kill(); child.wait()", 20)
