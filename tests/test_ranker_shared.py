"""One process of the fine-tuned ranker for many runs, real and small."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from ranker.process import FineTunedRanker
from ranker.shared import SHARED_VARIABLE, shared_ranker
from sandbox.frames import write_frame
from tests.test_end_to_end import wait_until
from tests.test_ranker_child import a_ranker
from tests.test_ranker_process import UNDRAWN, children, rank

pytestmark = pytest.mark.local

BATCH = """import os, time
from ranker.shared import SHARED_VARIABLE, shared_ranker
with shared_ranker():
    print(os.environ[SHARED_VARIABLE], flush=True)
    time.sleep(60)
"""


def test_runs_side_by_side_ask_one_process_that_ends_with_the_batch(tmp_path: Path) -> None:
    folder, runs = a_ranker(tmp_path), 4
    alone = rank(FineTunedRanker(folder, UNDRAWN))
    with shared_ranker():
        shared = children()
        with ThreadPoolExecutor(runs) as pool:
            orders = list(pool.map(lambda _: rank(FineTunedRanker(folder, UNDRAWN)), range(runs)))
        assert orders == [alone] * runs
        assert len(shared) == 1
        assert children() == shared
        assert Path(os.environ[SHARED_VARIABLE]).parent.stat().st_mode & 0o077 == 0, "others may enter"
    assert not children()
    assert SHARED_VARIABLE not in os.environ


@pytest.mark.parametrize("called", [True, False], ids=["while it is called", "before it is called"])
def test_a_run_whose_shared_process_is_gone_starts_its_own(called: bool, tmp_path: Path) -> None:
    folder = a_ranker(tmp_path)
    alone = rank(FineTunedRanker(folder, UNDRAWN))
    with shared_ranker():
        [shared] = children()
        run = FineTunedRanker(folder, UNDRAWN)
        if called:
            run.start()
        os.kill(shared, signal.SIGKILL)
        assert wait_until(lambda: shared not in children() or psutil.Process(shared).status() == "zombie", 10)
        assert rank(run) == alone


def test_a_shared_process_that_cannot_rank_ends_so_that_nobody_waits_for_it(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['ranker.child'] = None\n"
        "from ranker.service import main; from sandbox.frames import own_pipes; main(*own_pipes())"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as service:
        assert service.stdin is not None
        write_frame(service.stdin, {"socket": str(tmp_path / "ranker")})
        assert service.wait(30) == 1


def test_a_batch_that_is_killed_leaves_neither_process_nor_socket() -> None:
    batch = subprocess.Popen([sys.executable, "-c", BATCH], stdout=subprocess.PIPE, text=True)
    assert batch.stdout is not None
    socket = Path(batch.stdout.readline().strip())
    (service,) = psutil.Process(batch.pid).children()
    batch.kill()
    batch.communicate()
    assert wait_until(lambda: not service.is_running() or service.status() == "zombie", 20)
    assert not socket.parent.exists()
