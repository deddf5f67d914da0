"""kill -9 of a run beside a model: no answer that was recorded is asked for again, and the end is the same."""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.model_server import Behaviour, Server, answer, serving
from tests.mortal_run import MODEL, OWN
from tests.test_kills import SECONDS, Ended, assert_as_if_nothing_had_happened, go_on, kill, start

pytestmark = pytest.mark.docker
FORMS = {
    "InsightForm": {"objective": "Predict it.", "modality": "tabular", "pitfalls": []},
    "Ideas": {"ideas": [{"title": "A plan", "preprocessing": "p", "model": "m", "training": "t"}]},
    "Reviews": {"reviews": []},
}
BOUNDARIES = [
    *((node, moment, 1) for node in ("describe", "propose", "critique", "repair") for moment in ("start", "end")),
    *(("write", moment, 2) for moment in ("start", "end")),
]


def answered(body: dict[str, Any]) -> Behaviour:
    """A form where one is asked for, else the script that works; a changed one where it is shown that script."""
    form = body.get("response_format", {}).get("json_schema", {}).get("name")
    if form:
        return answer(json.dumps(FORMS[form]))
    works = "0.5] for row" in str(body["messages"])
    return answer(f"Change: it works.\n```python\n{OWN.replace('0.5', '0.4') if works else OWN}```\n")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    with serving(answered) as found:
        monkeypatch.setenv(MODEL, f"openai:scripted@{found.url}")
        yield found


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Ended, int]]:
    """The run that nobody kills, and how many questions it asks."""
    with serving(answered) as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv(MODEL, f"openai:scripted@{found.url}")
        yield go_on(tmp_path_factory.mktemp("whole") / "run", 0.0), len(found.requests)


def test_the_run_mends_a_script_and_improves_it(whole: tuple[Ended, int]) -> None:
    run, questions = whole
    tried = [(attempt["kind"], attempt["tries"], attempt["status"]) for attempt in run.report["attempts"]]
    assert tried == [("draft", 2, "ok"), ("improve", 1, "ok")]
    assert questions == 5, "describe, propose, critique, repair, improve"


@pytest.mark.long(always=True)
@pytest.mark.timeout(3 * SECONDS)
@pytest.mark.parametrize(("node", "moment", "nth"), BOUNDARIES)
def test_no_answer_that_was_recorded_is_asked_for_again(
    node: str, moment: str, nth: int, whole: tuple[Ended, int], server: Server, tmp_path: Path
) -> None:
    began = time.monotonic()
    process = start(tmp_path / "run", node, moment, nth)
    try:
        _, said = process.communicate(timeout=SECONDS)
    finally:
        kill(process)
    assert process.returncode == -signal.SIGKILL, said
    assert_as_if_nothing_had_happened(go_on(tmp_path / "run", time.monotonic() - began), whole[0])
    assert len(server.requests) == whole[1]
    assert server.overrun == []
