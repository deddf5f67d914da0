"""`python -m models.check MODEL`: what a person learns about a model from one tiny call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from models.check import app
from tests.calls import Ended, here, process
from tests.model_scenes import PROSE, in_one_piece
from tests.model_server import Script, answer, refuses_response_format, serving, status

KEY = "sk-planted-0123456789abcdef"
CHECK = partial(here, app)
"""The command in this process."""
CHECK_PROCESS = partial(process, "models.check")


def said_by(done: Ended) -> tuple[int, str]:
    """Exit code, and all that it said."""
    return done.returncode, (done.stdout + done.stderr).strip()


def checked(script: Script, *options: str, check: Callable[..., Ended] = CHECK, **environment: str) -> tuple[int, str]:
    with serving(script) as server:
        code, said = said_by(check(f"openai:tiny@{server.url}", *options, env=environment))
    assert server.overrun == []
    assert len(server.requests) == len(script if isinstance(script, list) else [])
    return code, said.replace(server.url, "URL")


def test_a_model_that_does_all_is_said_to_and_no_tracing_service_hears_of_it() -> None:
    """In a process of its own: who is told of calls is looked up once a process."""
    with serving([]) as service:
        tracing = {"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": service.url, "LANGSMITH_API_KEY": "any"}
        right = answer('{"sum": 42}', usage=(1_000, 500))
        code, said = checked([right], "--price", "1", "2", check=CHECK_PROCESS, **tracing)
    assert service.overrun == []
    first, *rest = said.splitlines()
    assert code == 0
    assert first.startswith("openai:tiny@URL (openai at URL) answers: rightly, in ")
    assert rest == [
        "Structured output: yes.",
        "Usage: counted (1000 + 500 tokens).",
        "Price: 0.002000 USD for this call, by the task's prices.",
    ]


def test_what_a_model_lacks_is_said() -> None:
    code, said = checked([refuses_response_format(), in_one_piece('{"sum": 41}')])
    assert code == 0
    assert "answers: WRONGLY" in said
    assert "Structured output: no: the server refuses a schema" in said
    assert "Usage: not counted by the server: estimated by length (" in said
    assert "Price: not known" in said


def test_a_wrong_key_is_said_in_one_sentence_and_not_shown() -> None:
    code, said = checked([status(401, f"Incorrect API key provided: {KEY}")], OPENAI_API_KEY=KEY)
    assert code == 3
    assert len(said.splitlines()) == 1
    assert "openai:tiny@URL" in said
    assert "does not answer: the server answered 401" in said
    assert KEY not in said


def test_a_model_that_talks_beside_the_point_fails() -> None:
    code, said = checked([PROSE, PROSE])
    assert code == 3
    assert "There is no JSON object in it" in said


def test_what_is_no_model_is_said_in_one_sentence() -> None:
    code, said = said_by(CHECK("nobody:tiny"))
    assert code == 2
    assert len(said.splitlines()) == 1
    assert "nobody:tiny" in said
