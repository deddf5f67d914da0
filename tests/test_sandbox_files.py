"""What the sandbox is given and gives back: data, environment, files, and a working folder with a quota."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from sandbox.base import Limits, Mount, SandboxError, Session
from sandbox.docker_sandbox import DockerSandbox
from sandbox.script import DATA_DIR, MEMBERS_DIR, run_script

pytest_plugins = ["tests.sandbox_fixtures"]
pytestmark = pytest.mark.docker

SMALL = Limits(memory_mb=256, cpus=1, pids=128, disk_mb=64, output_mb=4)


def test_data_is_there_and_read_only(sandbox: DockerSandbox, tmp_path: Path) -> None:
    (tmp_path / "train.csv").write_text("id\n1\n")
    (tmp_path / "images").mkdir()
    tmp_path.chmod(0o755)
    code = "text = open('data/train.csv').read()\nopen('submission.csv', 'w').write(text)\nopen('data/new', 'w')"
    run = run_script(sandbox, code, mounts=[Mount(tmp_path, DATA_DIR)], limits=SMALL, seconds=20)
    assert run.result.error is not None
    assert "Read-only file system" in run.result.error.message
    assert run.output.data == b"id\n1\n"
    assert sorted(os.listdir(tmp_path)) == ["images", "train.csv"]


def test_the_contract_of_scripts_is_in_the_environment(sandbox: DockerSandbox) -> None:
    code = (
        "import json, os\nnames = ['TIME_LIMIT_S', 'CPUS', 'MEMORY_MB', 'SEED', 'OMP_NUM_THREADS', 'HOME']\n"
        "json.dump([os.getcwd()] + [os.environ[name] for name in names], open('submission.csv', 'w'))"
    )
    run = run_script(sandbox, code, limits=SMALL, seconds=20, seed=7)
    assert json.loads(run.output.data or b"") == ["/work", "20", "1", "256", "7", "1", "/tmp"]


def test_files_behind_links_do_not_come_out(shared: Session) -> None:
    code = (
        "import os\nos.symlink('/etc/passwd', 'link.csv'); os.symlink('/etc', 'folder'); os.mkfifo('fifo.csv')\n"
        "open('one.csv', 'w').write('x'); os.link('one.csv', 'two.csv'); open('big.csv', 'w').write('x' * 1001)"
    )
    assert shared.execute(code, 20).status == "ok"
    faults = {
        "link.csv": "link",
        "folder/passwd": "link",
        "fifo.csv": "not a regular file",
        "two.csv": "hard link",
        "big.csv": "at most 1,000",
        "../etc/passwd": "not a path below",
        "/etc/passwd": "not a path below",
        "none.csv": "was not written",
    }
    for path, fault in faults.items():
        fetched = shared.fetch(path, 1000)
        assert fetched.data is None
        assert fault in (fetched.fault or ""), path


def test_a_larger_file_comes_out_whole(shared: Session) -> None:
    shared.execute("open('large.bin', 'wb').write(bytes(range(256)) * 40_000)", 20)
    assert shared.fetch("large.bin", 2**30).data == bytes(range(256)) * 40_000


def test_the_working_folder_has_a_quota(session: Session) -> None:
    code = "with open('fill', 'wb') as file:\n    while True:\n        file.write(bytes(1_000_000)); file.flush()"
    result = session.execute(code, 30)
    assert result.error is not None
    assert "No space left" in result.error.message
    size = session.execute("import os\nprint(os.stat('fill').st_size // 2**20)", 20).stdout
    assert 30 < int(size) <= 64


def test_without_a_disk_the_working_folder_is_bounded_memory(
    monkeypatch: pytest.MonkeyPatch, sandbox: DockerSandbox, tmp_path: Path
) -> None:
    monkeypatch.setenv("LINGUACODUS_SCRATCH", "memory")
    (tmp_path / "member.csv").write_text("x")
    mounts = [Mount(tmp_path / "member.csv", f"{MEMBERS_DIR}/a.csv")]
    code = "print(open('members/a.csv').read())\nopen('submission.csv', 'wb').write(bytes(70_000_000))"
    run = run_script(sandbox, code, mounts=mounts, limits=SMALL, seconds=20)
    assert run.result.stdout == "x\n"
    assert run.result.error is not None
    assert "No space left" in run.result.error.message
    assert "memory" in sandbox.isolation()["scratch"]


def test_isolation_is_named(sandbox: DockerSandbox, shared: Session) -> None:
    facts = sandbox.isolation()
    assert facts["network"] == "none"
    assert facts["user"] != "0:0"
    assert "quota" in facts["scratch"]


def test_data_that_the_code_could_not_read_is_refused_at_once(sandbox: DockerSandbox, tmp_path: Path) -> None:
    for name in ("none", "closed") if os.geteuid() == 0 else ():
        (tmp_path / "closed").mkdir(mode=0o700, exist_ok=True)
        with pytest.raises(SandboxError, match="chmod"), sandbox.session(mounts=[Mount(tmp_path / name, DATA_DIR)]):
            pass
