"""`python -m models.check MODEL`: what a person learns about a model from one tiny call."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.model_scenes import PROSE, in_one_piece
from tests.model_server import Script, answer, refuses_response_format, serving, status

ROOT = Path(__file__).resolve().parent.parent
KEY = "sk-planted-0123456789abcdef"


def run(*arguments: str, **environment: str) -> tuple[int, str]:
    """Exit code, and all that it said."""
    command = [sys.executable, "-W", "ignore", "-m", "models.check", *arguments]
    done = subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False, timeout=60
    )
    return done.returncode, (done.stdout + done.stderr).strip()


def checked(script: Script, *options: str, **environment: str) -> tuple[int, str]:
    with serving(script) as server:
        code, said = run(f"openai:tiny@{server.url}", *options, **environment)
    assert server.overrun == []
    assert len(server.requests) == len(script if isinstance(script, list) else [])
    return code, said.replace(server.url, "URL")


def test_a_model_that_does_all_is_said_to_and_no_tracing_service_hears_of_it() -> None:
    with serving([]) as service:
        tracing = {"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": service.url, "LANGSMITH_API_KEY": "any"}
        code, said = checked([answer('{"sum": 42}', usage=(1_000, 500))], "--price", "1", "2", **tracing)
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
    code, said = run("nobody:tiny")
    assert code == 2
    assert len(said.splitlines()) == 1
    assert "nobody:tiny" in said
