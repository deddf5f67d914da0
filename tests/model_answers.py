# ruff: noqa: ARG002 - a reply is the same whatever was asked
"""What the scripted model server can do with a request: answer, refuse, report an error, or break in some way.

Wire format: https://platform.openai.com/docs/api-reference/chat; errors: https://platform.openai.com/docs/guides/error-codes
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal, Protocol

Json = dict[str, Any]
Finish = Literal["stop", "length", "content_filter"]
End = Literal["whole", "cut", "short"]
"""A body that is whole; half of it, then a closed connection; half of it, ended as if that were all."""
PIECE = 40
"""Characters of one streamed piece."""
EVENTS = "text/event-stream"


class Exchange(Protocol):
    """One request's connection, as a behaviour uses it."""

    def reply(self, code: int, body: str, kind: str, headers: Mapping[str, str], end: End) -> None: ...
    def stream(self, chunks: list[str], pause: float, end: End) -> None: ...
    def wait(self, seconds: float) -> None: ...
    def reset(self) -> None: ...


class Behaviour(Protocol):
    """What the server does with one request."""

    def play(self, request: Json, to: Exchange) -> None: ...


def _characters(content: str | list[Json] | None) -> int:
    parts: list[Json] = content if isinstance(content, list) else [{"text": content}]
    return sum(len(part.get("text") or "") for part in parts)


@dataclass(frozen=True)
class Answer:
    """A completion: JSON, or events where a stream is asked for; the arguments of a call where there are tools."""

    text: str
    usage: tuple[int, int] | None = None
    """Tokens of the request and of the answer; None: a quarter of their characters."""
    finish: Finish = "stop"
    model: str | None = None
    """None: the model asked for."""
    refused: bool = False
    pause: float = 0.0
    """Seconds after each event; an answer without events takes as long as all of them."""
    end: End = "whole"

    def play(self, request: Json, to: Exchange) -> None:
        chunks = self._chunks(request)
        if request.get("stream"):
            return to.stream(chunks, self.pause, self.end)
        to.wait(self.pause * len(chunks))
        return to.reply(200, json.dumps(self._completion(request)), "application/json", {}, self.end)

    def _tool(self, request: Json) -> str | None:
        """The tool that the request forces, or else its first."""
        tools, choice = request.get("tools"), request.get("tool_choice")
        if not tools or choice == "none" or self.refused or not self.text:
            return None
        return str((choice if isinstance(choice, dict) else tools[0])["function"]["name"])

    def _finish(self, request: Json) -> str:
        """As OpenAI has it: a call that was forced ends with `stop`, one that the model chose with `tool_calls`."""
        chosen = self._tool(request) and not isinstance(request.get("tool_choice"), dict)
        return "tool_calls" if chosen and self.finish == "stop" else self.finish

    def _usage(self, request: Json) -> Json:
        told = sum(_characters(message.get("content")) for message in request["messages"]) // 4
        taken, given = self.usage or (told, len(self.text) // 4)
        return {"prompt_tokens": taken, "completion_tokens": given, "total_tokens": taken + given}

    def _envelope(self, request: Json, kind: str, choices: list[Json]) -> Json:
        model = self.model or request["model"]
        return {"id": "chatcmpl-scripted", "object": kind, "created": 1, "model": model, "choices": choices}

    def _part(self, request: Json, text: str, **opening: str) -> Json:
        """Where a text stands: in a message, or a piece of it in a delta."""
        name = self._tool(request)
        if name is None:
            return {"refusal" if self.refused else "content": text}
        function = {"arguments": text} | ({"name": name} if opening else {})
        return {"tool_calls": [{"index": 0, "function": function, **opening}]}

    def _message(self, request: Json, text: str) -> Json:
        part = self._part(request, text, id="call_1", type="function")
        return {"role": "assistant", "content": None, "refusal": None} | part

    def _completion(self, request: Json) -> Json:
        choice = {"index": 0, "message": self._message(request, self.text), "finish_reason": self._finish(request)}
        return self._envelope(request, "chat.completion", [choice]) | {"usage": self._usage(request)}

    def _deltas(self, request: Json) -> list[Json]:
        text = self.text if self.end == "whole" else self.text[: len(self.text) // 2]
        pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
        return [self._message(request, ""), *(self._part(request, piece) for piece in pieces)]

    def _chunk(self, request: Json, delta: Json, finish: str | None = None) -> Json:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return self._envelope(request, "chat.completion.chunk", [choice])

    def _chunks(self, request: Json) -> list[str]:
        chunks = [self._chunk(request, delta) for delta in self._deltas(request)]
        if self.end != "whole":
            return [*map(json.dumps, chunks)]
        chunks.append(self._chunk(request, {}, self._finish(request)))
        if (request.get("stream_options") or {}).get("include_usage"):
            chunks.append(self._envelope(request, "chat.completion.chunk", []) | {"usage": self._usage(request)})
        return [*map(json.dumps, chunks), "[DONE]"]


@dataclass(frozen=True)
class Reply:
    """A body as it stands, whatever was asked for."""

    code: int
    body: str
    kind: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)

    def play(self, request: Json, to: Exchange) -> None:
        to.reply(self.code, self.body, self.kind, self.headers, "whole")


@dataclass(frozen=True)
class Silence:
    """No byte of reply for so many seconds, or until the server closes; then a reset connection."""

    seconds: float

    def play(self, request: Json, to: Exchange) -> None:
        to.wait(self.seconds)
        to.reset()


def slow(text: str, seconds_between: float) -> Behaviour:
    return Answer(text, pause=seconds_between)


def half(text: str, end: End = "cut") -> Behaviour:
    """`cut`: the client can tell that the answer broke off; `short`: only what is missing shows it."""
    return Answer(text, end=end)


def status(
    code: int,
    message: str,
    type: str | None = None,  # noqa: A002 - OpenAI's name
    code_text: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Behaviour:
    error = {"message": message, "type": type, "param": None, "code": code_text}
    return Reply(code, json.dumps({"error": error}), headers=headers or {})


def too_many(retry_after: float | None = None) -> Behaviour:
    headers = {} if retry_after is None else {"Retry-After": f"{retry_after:g}"}
    return status(429, "Rate limit reached for requests", "requests", "rate_limit_exceeded", headers)


def overflow(limit: int) -> Behaviour:
    text = f"This model's maximum context length is {limit} tokens. However, your messages resulted in more."
    return status(400, text, INVALID, "context_length_exceeded")


def late_error(message: str) -> Behaviour:
    """An error inside a stream that began with 200, as vLLM and OpenRouter send it."""
    return Reply(200, f"data: {json.dumps({'error': {'message': message, 'code': 502}})}\n\n", EVENTS)


INVALID = "invalid_request_error"
NO_FORMAT = "Invalid parameter: 'response_format' of type 'json_schema' is not supported with this model."
NO_IMAGES = "Invalid content type. image_url is only supported by certain models."

answer = Answer
refusal = partial(Answer, refused=True)
empty = partial(Answer, "")
silent = Silence
drop = partial(Silence, 0.0)
server_error = partial(status, 500, "The server had an error while processing your request.", "server_error")
unauthorized = partial(status, 401, "Incorrect API key provided.", INVALID, "invalid_api_key")
forbidden = partial(status, 403, "Your country, region, or territory is not supported.", "request_forbidden")
no_quota = partial(status, 429, "You exceeded your current quota.", "insufficient_quota", "insufficient_quota")
not_found = partial(status, 404, "The model does not exist or you do not have access.", INVALID, "model_not_found")
refuses_response_format = partial(status, 400, NO_FORMAT, INVALID)
refuses_images = partial(status, 400, NO_IMAGES, INVALID)
garbage = partial(Reply, 200, "<html><body>Bad gateway</body></html>", "text/html")
garbage_json = partial(Reply, 200, '{"unexpected": true}')
bad_chunk = partial(Reply, 200, 'data: {"choices": [{"delta"\n\n', EVENTS)
