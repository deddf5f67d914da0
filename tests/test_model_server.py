"""What a real client sees of each behaviour of the scripted model server (`-s` prints it)."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from functools import cache, reduce
from operator import add
from typing import Any

import httpx2
import openai
import pytest
from langchain_core.messages import AIMessage
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models import base as client_errors
from pydantic import SecretStr

from tests.model_server import (
    Behaviour,
    Script,
    Server,
    answer,
    bad_chunk,
    drop,
    empty,
    forbidden,
    garbage,
    garbage_json,
    half,
    late_error,
    no_quota,
    not_found,
    overflow,
    refusal,
    refuses_images,
    refuses_response_format,
    server_error,
    serving,
    silent,
    slow,
    status,
    too_many,
    unauthorized,
)

TEXT, HALF = "a few words " * 20, "a few words " * 10
OBJECT = json.dumps({"a": TEXT})
SHAPE = {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": False}
SCHEMA = {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": SHAPE, "strict": True}}}
TOOLS = {"tools": [{"type": "function", "function": {"name": name, "parameters": SHAPE}} for name in ("f", "g")]}
FORCED = TOOLS | {"tool_choice": {"type": "function", "function": {"name": "g"}}}
MODES = ["invoke", "stream"]

Raised = type[Exception]
CUT, FILTERED = openai.LengthFinishReasonError, openai.ContentFilterFinishReasonError
FAULTS: dict[str, tuple[Behaviour, Raised, Raised]] = {
    "too many": (too_many(), client_errors.OpenAIRateLimitError, client_errors.OpenAIRateLimitError),
    "no quota": (no_quota(), client_errors.OpenAIRateLimitError, client_errors.OpenAIRateLimitError),
    "server error": (server_error(), client_errors.OpenAIAPIError, client_errors.OpenAIAPIError),
    "unauthorized": (unauthorized(), client_errors.OpenAIAuthenticationError, client_errors.OpenAIAuthenticationError),
    "forbidden": (forbidden(), client_errors.OpenAIPermissionDeniedError, client_errors.OpenAIPermissionDeniedError),
    "not found": (not_found(), client_errors.OpenAIModelNotFoundError, client_errors.OpenAIModelNotFoundError),
    "overflow": (overflow(8192), client_errors.OpenAIInvalidRequestError, client_errors.OpenAIInvalidRequestError),
    "images": (refuses_images(), client_errors.OpenAIInvalidRequestError, client_errors.OpenAIInvalidRequestError),
    "402": (status(402, "No balance"), openai.APIStatusError, openai.APIStatusError),
    "drop": (drop(), client_errors.OpenAIConnectionError, client_errors.OpenAIConnectionError),
    "half": (half(TEXT), client_errors.OpenAIConnectionError, client_errors.OpenAIConnectionError),
    "silent": (silent(9), client_errors.OpenAITimeoutError, client_errors.OpenAITimeoutError),
    "garbage": (garbage(), ValueError, ValueError),
    "garbage json": (garbage_json(), TypeError, ValueError),
    "bad chunk": (bad_chunk(), ValueError, json.JSONDecodeError),
    "late error": (late_error("upstream died"), ValueError, openai.APIError),
    "schema: length": (answer(OBJECT, finish="length"), CUT, CUT),
    "schema: filter": (answer(OBJECT, finish="content_filter"), FILTERED, FILTERED),
    "schema: half": (half(OBJECT), client_errors.OpenAIConnectionError, client_errors.OpenAIConnectionError),
    "schema: garbage": (garbage(), AttributeError, AssertionError),
    "schema: garbage json": (garbage_json(), TypeError, AssertionError),
    "schema: bad chunk": (bad_chunk(), AttributeError, json.JSONDecodeError),
}
"""Behaviour, what `invoke` raises, what `stream` raises; with a schema bound where the name says so."""


@cache
def without_certificates() -> dict[str, Any]:
    """Reading them for each client would take longer than the tests."""
    return {"http_client": httpx2.Client(verify=False), "http_async_client": httpx2.AsyncClient(verify=False)}


def a_client(server: Server, **changes: Any) -> ChatOpenAI:
    options = without_certificates() | {"timeout": 2, "stream_usage": True, "model": "m"} | changes
    return ChatOpenAI(base_url=server.url, api_key=SecretStr("any"), max_retries=0, **options)


def ask(server: Server, mode: str, bound: dict[str, Any] | None = None, **changes: Any) -> AIMessage:
    model: Any = a_client(server, **changes).bind(**(bound or {}))
    return model.invoke("eight ch") if mode == "invoke" else reduce(add, model.stream("eight ch"))


def told(script: Script, mode: str, bound: dict[str, Any] | None = None, **changes: Any) -> Any:
    with serving(script) as server:
        try:
            return ask(server, mode, bound, **changes)
        finally:
            assert server.overrun == []


def raised(
    behaviour: Behaviour, mode: str, expected: Raised, bound: dict[str, Any] | None = None, timeout: float = 2
) -> Any:
    with pytest.raises(expected) as caught:
        told([behaviour], mode, bound, timeout=timeout)
    fault: Any = caught.value
    print(mode, type(fault).__module__, type(fault).__qualname__, getattr(fault, "status_code", None), fault)
    assert type(fault) is expected
    return fault


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_arrives_so(name: str) -> None:
    behaviour, *expected = FAULTS[name]
    for mode, fault in zip(MODES, expected, strict=True):
        timeout = 0.5 if name == "silent" else 2
        raised(behaviour, mode, fault, SCHEMA if name.startswith("schema") else {}, timeout)


@pytest.mark.parametrize("mode", MODES)
def test_an_error_status_brings_code_body_and_headers(mode: str) -> None:
    fault = raised(too_many(1.5), mode, client_errors.OpenAIRateLimitError)
    assert (fault.status_code, fault.code, fault.response.headers["retry-after"]) == (429, "rate_limit_exceeded", "1.5")
    assert raised(overflow(8192), mode, client_errors.OpenAIInvalidRequestError).code == "context_length_exceeded"
    assert raised(no_quota(), mode, client_errors.OpenAIRateLimitError).body["type"] == "insufficient_quota"


@pytest.mark.parametrize("mode", MODES)
def test_an_answer_that_was_cut_at_its_length_says_what_it_cost(mode: str) -> None:
    cut = answer(OBJECT, usage=(7, 9), finish="length")
    assert raised(cut, mode, CUT, SCHEMA).completion.usage.completion_tokens == 9


@pytest.mark.parametrize("mode", MODES)
def test_a_server_that_refuses_a_schema_names_it(mode: str) -> None:
    with pytest.warns(UserWarning, match="structured output"):
        fault = raised(refuses_response_format(), mode, client_errors.OpenAIInvalidRequestError, SCHEMA)
    assert "response_format" in fault.message


@pytest.mark.parametrize("bound", [{}, SCHEMA], ids=["text", "schema"])
@pytest.mark.parametrize("mode", MODES)
def test_an_answer_arrives_whole_with_its_usage(mode: str, bound: dict[str, Any]) -> None:
    message = told([answer(OBJECT)], mode, bound)
    metadata, usage = message.response_metadata, message.usage_metadata
    assert (message.content, metadata["finish_reason"], metadata["model_name"]) == (OBJECT, "stop", "m")
    assert (usage["input_tokens"], usage["output_tokens"]) == (2, len(OBJECT) // 4)


@pytest.mark.parametrize("mode", MODES)
def test_finish_model_and_usage_are_as_scripted(mode: str) -> None:
    message = told([answer(TEXT, usage=(3, 4), finish="content_filter", model="other")], mode)
    metadata = message.response_metadata
    assert (metadata["finish_reason"], metadata["model_name"]) == ("content_filter", "other")
    assert message.usage_metadata["total_tokens"] == 7


def test_a_stream_reports_its_usage_only_when_asked() -> None:
    assert told([answer(TEXT)], "stream", stream_usage=False).usage_metadata is None


@pytest.mark.parametrize(("bound", "name", "finish"), [(TOOLS, "f", "tool_calls"), (FORCED, "g", "stop")])
@pytest.mark.parametrize("mode", MODES)
def test_a_tool_is_called_with_the_text(mode: str, bound: dict[str, Any], name: str, finish: str) -> None:
    message = told([answer(OBJECT)], mode, bound)
    assert [(call["name"], call["args"]) for call in message.tool_calls] == [(name, {"a": TEXT})]
    assert (message.content, message.response_metadata["finish_reason"]) == ("", finish)


@pytest.mark.parametrize(
    ("mode", "bound", "seen"),
    [("invoke", {}, "No."), ("stream", {}, None), ("invoke", SCHEMA, "No."), ("stream", SCHEMA, "No.")],
)
def test_a_plain_stream_loses_a_refusal(mode: str, bound: dict[str, Any], seen: str | None) -> None:
    message = told([refusal("No.")], mode, bound)
    assert (message.content, message.additional_kwargs.get("refusal")) == ("", seen)


def test_half_an_answer_shows_only_in_what_is_missing_where_http_ends_well() -> None:
    message = told([half(TEXT, "short")], "stream")
    assert (message.content, message.usage_metadata) == (HALF, None)
    assert "finish_reason" not in message.response_metadata


def test_half_an_answer_arrives_before_its_connection_breaks() -> None:
    seen: list[str] = []
    with serving([half(TEXT)]) as server, pytest.raises(openai.APIConnectionError):
        seen.extend(chunk.text for chunk in a_client(server).stream("x"))
    assert "".join(seen) == HALF


def test_a_slow_stream_outlives_a_timeout_that_an_answer_does_not() -> None:
    words = "a few words " * 12
    assert told([slow(words, 0.12)], "stream", timeout=0.5).content == words
    raised(slow(words, 0.12), "invoke", client_errors.OpenAITimeoutError, timeout=0.5)


@pytest.mark.parametrize("mode", MODES)
def test_an_empty_answer_is_an_answer(mode: str) -> None:
    message = told([empty()], mode, TOOLS)
    assert (message.content, message.tool_calls, message.response_metadata["finish_reason"]) == ("", [], "stop")


def test_an_exhausted_script_fails_loudly() -> None:
    with serving([answer("one")]) as server:
        assert ask(server, "invoke").content == "one"
        with pytest.raises(openai.InternalServerError, match="the scripted server has no further answer"):
            ask(server, "stream")
    assert server.overrun == ["request 2: the scripted server has no further answer"]


def test_what_is_not_served_or_breaks_in_the_script_is_noted(capsys: pytest.CaptureFixture[str]) -> None:
    with serving(lambda body: answer(body["no such key"])) as server:
        with pytest.raises(openai.NotFoundError):
            ask(server, "invoke", use_responses_api=True)
        with pytest.raises(openai.APIConnectionError):
            ask(server, "invoke")
    assert server.overrun == ["POST /v1/responses HTTP/1.1: not served", "KeyError('no such key')"]
    assert "KeyError" in capsys.readouterr().err


def test_requests_at_once_are_answered_and_kept() -> None:
    with serving(lambda body: answer(body["messages"][0]["content"].upper())) as server, ThreadPoolExecutor(8) as pool:
        messages = list(pool.map(a_client(server).invoke, "abcdefgh"))
    assert [message.content for message in messages] == list("ABCDEFGH")
    assert sorted(request.body["messages"][0]["content"] for request in server.requests) == list("abcdefgh")
    assert {request.headers["authorization"] for request in server.requests} == {"Bearer any"}


def test_models_are_listed() -> None:
    with serving([]) as server:
        assert [model.id for model in a_client(server).root_client.models.list()] == ["scripted"]


def test_closing_waits_for_nobody() -> None:
    with ThreadPoolExecutor(1) as pool:
        with serving([silent(60)]) as server:
            waiting = pool.submit(ask, server, "invoke", timeout=60)
            while not server.requests:
                time.sleep(0.01)
            start = time.monotonic()
        assert time.monotonic() - start < 1
        assert isinstance(waiting.exception(timeout=1), openai.APIConnectionError)
