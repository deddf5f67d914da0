"""A question takes no longer than it may, and ends at once when the run is stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGenerationChunk, ChatResult

from models.base import AskingStopped, NoAnswer
from models.gate import Gate
from models.load import Loaded, load_model
from models.names import ModelName, parse_model
from models.prices import FreePrice
from models.records import Records
from tests.model_scenes import OK, Scene, a_question, asking
from tests.model_server import Behaviour, drop, refuses_response_format, silent, slow, too_many

DRIPPING = slow("a few words " * 400, 0.1)
endless = pytest.mark.parametrize("behaviour", [silent(30), DRIPPING], ids=["silent", "dripping"])


@dataclass(frozen=True)
class Later:
    """Another behaviour, after some seconds."""

    seconds: float
    then: Behaviour

    def play(self, request: dict[str, Any], to: Any) -> None:
        to.wait(self.seconds)
        self.then.play(request, to)


class BreaksOff(BaseHTTPRequestHandler):
    """Anthropic's side of a conversation that ends in the middle of a chunk."""

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"ff\r\nevent: ping\n")

    def log_message(self, *args: object) -> None:
        pass


@contextmanager
def warm(folder: Path, *script: Behaviour) -> Iterator[Scene]:
    """A scene whose client has made its first call, which takes longer than any other."""
    with asking(folder, [OK, *script]) as scene:
        scene.gate.ask(a_question("to warm up"))
        yield scene


def took(action: Callable[[], object]) -> float:
    """Seconds."""
    began = time.monotonic()
    action()
    return time.monotonic() - began


def closed_while(scene: Scene, condition: Callable[[], bool]) -> BaseException | None:
    """What a question ends with that is stopped from another thread once it was sent and `condition` holds."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(scene.gate.ask, a_question())
        while not (len(scene.bodies()) == 2 and condition()):
            time.sleep(0.01)
        began = time.monotonic()
        scene.gate.close()
        ended = asked.exception(timeout=5)
        assert time.monotonic() - began < 1
    return ended


@endless
def test_an_answer_that_takes_too_long_is_given_up_in_time(behaviour: Behaviour, tmp_path: Path) -> None:
    with warm(tmp_path, behaviour) as scene:
        assert 1.2 <= took(lambda: scene.failure(a_question(seconds=1.2))) < 2.4
    assert scene.record().failure == "timeout"


def test_a_question_keeps_its_time_also_where_it_is_asked_again_without_a_schema(tmp_path: Path) -> None:
    with warm(tmp_path, Later(1.4, refuses_response_format()), silent(30)) as scene:
        assert took(lambda: scene.failure(a_question(seconds=2.4))) < 3.4
    assert scene.record().failure == "timeout"


def test_too_little_time_is_not_begun(tmp_path: Path) -> None:
    with asking(tmp_path, []) as scene:
        assert scene.failure(a_question(seconds=0.5)).kind == "budget"


def test_a_server_is_given_the_pause_that_it_asks_for(tmp_path: Path) -> None:
    with asking(tmp_path, [too_many(1), OK]) as scene:
        assert took(lambda: scene.gate.ask(a_question())) >= 1


@pytest.mark.parametrize(("pause", "seconds"), [(20, 10.0), (100, 600.0)], ids=["the time left", "anybody waits"])
def test_a_pause_longer_than_this_is_not_waited_for(pause: float, seconds: float, tmp_path: Path) -> None:
    with warm(tmp_path, too_many(pause)) as scene:
        assert took(lambda: scene.failure(a_question(seconds=seconds))) < 5
    assert scene.record().failure == "rate"


@endless
def test_close_ends_what_is_being_asked(behaviour: Behaviour, tmp_path: Path) -> None:
    with warm(tmp_path, behaviour) as scene:
        assert isinstance(closed_while(scene, lambda: True), AskingStopped)
        with pytest.raises(AskingStopped):
            scene.gate.ask(a_question("second"))


def test_close_ends_a_pause_between_calls_and_nothing_is_sent_after_it(tmp_path: Path) -> None:
    with warm(tmp_path, too_many(8)) as scene:
        stopped = closed_while(scene, lambda: scene.record().exchanges[0].trouble == "rate")
        assert isinstance(stopped, AskingStopped)
        time.sleep(0.3)
    assert len(scene.record().exchanges) == 1


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_an_exception_that_no_list_names_ends_a_question_at_once(tmp_path: Path) -> None:
    with warm(tmp_path, *[drop()] * 4) as scene:
        minds = {name: replace(loaded, failures=()) for name, loaded in scene.gate.minds.items()}
        gate = Gate(scene.gate.names, minds, scene.gate.records, scene.events.append, backoff=0.01)
        assert took(lambda: replace(scene, gate=gate).failure(a_question(seconds=20))) < 10


def test_another_providers_broken_stream_is_noticed_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANTHROPIC_API_KEY", "any")
    with HTTPServer(("127.0.0.1", 0), BreaksOff) as server:
        threading.Thread(target=server.serve_forever, args=[0.02], daemon=True).start()
        name = f"anthropic:tiny@http://127.0.0.1:{server.server_address[1]}"
        minds = {name: load_model(parse_model(name), {})}
        gate = Gate({"check": name}, minds, Records(tmp_path), lambda event: None, backoff=0.01)
        with pytest.raises(NoAnswer) as caught:
            gate.ask(a_question(seconds=20, schema=None))
        server.shutdown()
    assert caught.value.kind == "connection"


class DiesWhenClosed(BaseChatModel):
    """A model in a process of ours: closing it breaks its answer off."""

    closed: Any = None

    @property
    def _llm_type(self) -> str:
        return "dies"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    def _stream(self, messages: list[BaseMessage], *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        if self.closed.wait(10):
            raise RuntimeError("the process has ended")
        yield ChatGenerationChunk(message=AIMessageChunk(content=str(messages)))


def test_a_model_that_dies_of_being_closed_was_stopped_and_gave_no_wrong_answer(tmp_path: Path) -> None:
    closed = threading.Event()
    chat = DiesWhenClosed(closed=closed)
    loaded = Loaded(ModelName("own", "hf", "own"), chat, (RuntimeError,), FreePrice(), closed.set)
    gate = Gate({"check": "own"}, {"own": loaded}, Records(tmp_path), lambda event: None)
    threading.Timer(0.3, gate.close).start()
    with pytest.raises(AskingStopped):
        gate.ask(a_question())
    assert gate.asleep() == {}
