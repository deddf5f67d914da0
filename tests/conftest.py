"""Which tests a run sees. Imports nothing but pytest: the same file serves the host and the sandbox image.

Tests marked `docker` have no way to be skipped: where no engine answers, they fail.
"""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

LONG_SAMPLE = 3
"""How many long tests a sampled run keeps of each part."""
PROVIDER_KEYS = ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "OLLAMA_API_KEY")


def pytest_configure(config: pytest.Config) -> None:
    """A test that reaches a real provider fails: models elsewhere are refused, and there is no key to pay them with.

    Runs are ranked by the recipes' priors, so that a test loads the fine-tuned ranker only where it asks for it.
    """
    os.environ["LINGUACODUS_ONLY_LOCAL_MODELS"] = "1"
    os.environ.setdefault("LINGUACODUS_RANKER", "prior")
    for name in PROVIDER_KEYS:
        os.environ.pop(name, None)
    if config.option.markexpr == "local":
        os.environ.setdefault("OMP_NUM_THREADS", "1")  # models are tiny: threads only wait for each other


@pytest.fixture(autouse=True)
def _no_certificates(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each client of a model reads all certificates that it may trust, which takes longer than most tests; no server
    of a test has one. Only what downloads, which is what needs the engine, keeps them."""
    if request.node.get_closest_marker("docker") is None:
        monkeypatch.delenv("SSL_CERT_FILE", raising=False)
        monkeypatch.setenv("SSL_CERT_DIR", os.devnull)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Host and image have different libraries: `-m ml` reads only files marked `ml`, any other run only the rest.

    Importing a file, and what it imports, only to leave its tests out takes long: a part reads its own files.
    """
    if collection_path.suffix != ".py" or not collection_path.name.startswith("test_"):
        return None
    text = collection_path.read_text(encoding="utf-8")
    wanted = config.option.markexpr.split(" ")[0]
    if wanted in ("docker", "local") and f"mark.{wanted}" not in text:
        return True
    if "pytestmark = pytest.mark.local" in text and config.option.markexpr not in ("", "local"):
        return True
    marked = "pytestmark = pytest.mark.ml" in text
    return True if marked != (config.option.markexpr == "ml") else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep all long tests, none, or a sample of those that the run selected (`LINGUACODUS_LONG`: all, none, sample)."""
    wanted = os.environ.get("LINGUACODUS_LONG", "all")
    long = [item for item in items if item.get_closest_marker("long")]
    if wanted == "all" or not long:
        return
    kept = set() if wanted == "none" else set(sample(long))
    left_out = [item for item in long if item not in kept]
    config.hook.pytest_deselected(items=left_out)
    items[:] = [item for item in items if item not in left_out]


def sample(items: list[pytest.Item]) -> list[pytest.Item]:
    """LONG_SAMPLE of the tests, those marked `long(always=True)` among them, and of each one case: many cases of one
    test crowd out no other."""
    drawn = random.Random(os.environ.get("LINGUACODUS_TEST_SEED", "0"))
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        cases.setdefault(item.nodeid.split("[")[0], []).append(item)
    always = [
        name for name, found in cases.items() if any(m.kwargs.get("always") for m in found[0].iter_markers("long"))
    ]
    others = sorted(cases.keys() - set(always))
    names = always + drawn.sample(others, min(max(0, LONG_SAMPLE - len(always)), len(others)))
    return [drawn.choice(cases[name]) for name in names]
