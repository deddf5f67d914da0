"""What a session on Docker says with our own image: pictures of matplotlib, and floods by every door.

What any sandbox promises is in tests/test_sandbox_contract.py.
"""

from __future__ import annotations

import pytest

from sandbox.base import Limits
from sandbox.docker_sandbox import DockerSandbox

pytest_plugins = ["tests.sandbox_fixtures"]
pytestmark = pytest.mark.docker

# Room in memory: what the kernel has printed and not yet sent is its own, and on busy cores may be 200 MB.
ROOMY = Limits(memory_mb=2048, cpus=1, pids=128, disk_mb=64, output_mb=4)


def test_plots_come_out_as_png(sandbox: DockerSandbox) -> None:
    code = "import matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()\nplt.plot([2, 1])"
    with sandbox.session(limits=ROOMY) as session:
        result = session.execute(code, 60)
    assert result.status == "ok", result
    assert [plot[:8] for plot in result.plots] == [b"\x89PNG\r\n\x1a\n"] * 2


@pytest.mark.parametrize(
    "code",
    [
        "while True:\n    print('x' * 1000)",
        "print('x' * 50_000_000)",
        "from IPython.display import display\nwhile True:\n    display({'text/html': 'x' * 10_000}, raw=True)",
    ],
    ids=["prints", "one print", "displays"],
)
def test_a_flood_of_output_is_stopped(sandbox: DockerSandbox, code: str) -> None:
    with sandbox.session(limits=ROOMY) as session:
        result = session.execute(code, 60)
    assert result.status == "output_limit"
    assert result.seconds < 20
    assert len(result.stdout) < 21_000
