"""One call of a model: streamed, with one deadline for the whole of it, and ended at once by a stop."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, BaseMessageChunk
from langsmith import tracing_context
from pydantic import BaseModel

from models.base import AskingStopped
from models.load import Loaded, answer_limit
from models.prices import Usage
from models.secrets import redact
from models.trouble import Trouble, trouble

POLL_SECONDS = 0.1
"""How soon a stop is noticed."""
ENOUGH = 2_000_000
"""Characters of an answer after which it is no longer read."""
CHARACTERS_A_TOKEN = 3.0
"""For servers that do not count: tokens of English and code have about 4 characters, of other texts fewer."""


@dataclass(frozen=True)
class Message:
    """One turn of a conversation."""

    role: str
    """"system", "user" or "assistant"."""
    content: str


@dataclass(frozen=True)
class Reply:
    """What a model said."""

    text: str
    finish: str
    """"stop", "length" (cut off) or "refusal"."""
    usage: Usage


@dataclass(frozen=True)
class Call:
    """What is sent."""

    messages: Sequence[Message]
    images: Sequence[str] = ()
    """PNG pictures in base64, shown with the last message."""
    schema: type[BaseModel] | None = None
    max_tokens: int = 8_000
    temperature: float | None = None
    """Of sampling; None leaves it to the model."""
    system_apart: bool = True
    """Whether the system's words are a turn of their own; else they stand before the user's first ones."""


def send(loaded: Loaded, call: Call, seconds: float, stopped: threading.Event) -> Reply:
    """Ask once, within `seconds`.

    Raises: Trouble, AskingStopped.
    """
    pieces: queue.Queue[AIMessageChunk | Exception | None] = queue.Queue()
    # A daemon: a client that hangs in a read must hold up neither the deadline nor the end of the process.
    left_alone = threading.Event()
    threading.Thread(target=_pump, args=(loaded, call, pieces, left_alone), daemon=True).start()
    try:
        whole = _gather(pieces, time.monotonic() + seconds, seconds, stopped)
    finally:
        left_alone.set()
    text = _clean(str(whole.text))
    refusal = whole.additional_kwargs.get("refusal") or _refused_block(whole)
    finish = "refusal" if refusal else _finish(whole)
    if not finish:
        raise Trouble("connection", "the answer broke off before its end", billed=True)
    if not text.strip() and finish == "stop":
        raise Trouble("empty", "the model answered with nothing", billed=True)
    return Reply(text or _clean(str(refusal or "")), finish, _usage(whole, call, text))


def _pump(
    loaded: Loaded, call: Call, pieces: queue.Queue[AIMessageChunk | Exception | None], left_alone: threading.Event
) -> None:
    """Read the stream into `pieces` until nobody waits for it; None at its end."""
    chat: Any = answer_limit(loaded.chat, loaded.name.provider, call.max_tokens, call.temperature)
    if call.schema is not None:
        chat = chat.bind(response_format=response_format(call.schema))
    try:
        with tracing_context(enabled=False):  # prompts go to the model's provider and to nobody else
            for piece in chat.stream(_messages(call)):
                pieces.put(piece)
                if left_alone.is_set():
                    break
    except loaded.failures as fault:
        pieces.put(_recovered(fault) or fault)
    finally:
        pieces.put(None)


def _gather(
    pieces: queue.Queue[AIMessageChunk | Exception | None], end: float, seconds: float, stopped: threading.Event
) -> AIMessageChunk:
    whole: AIMessageChunk | None = None
    for piece in _until(pieces, end, seconds, stopped):
        if isinstance(piece, Exception):
            raise trouble(piece)
        whole = _joined(whole, piece)
        if len(str(whole.text)) > ENOUGH:
            raise Trouble("bad", "the answer has no end", billed=True)
    if whole is None:
        raise Trouble("empty", "the server closed without an answer", billed=True)
    return whole


def _joined(whole: AIMessageChunk | None, piece: AIMessageChunk) -> AIMessageChunk:
    try:
        return piece if whole is None else whole + piece
    except (TypeError, ValueError) as fault:  # pieces that do not go together, such as a count that is no number
        raise trouble(fault) from None


def _until(
    pieces: queue.Queue[AIMessageChunk | Exception | None], end: float, seconds: float, stopped: threading.Event
) -> Iterator[AIMessageChunk | Exception]:
    while True:
        if stopped.is_set():
            raise AskingStopped("the run was stopped while a model was being asked")
        left = end - time.monotonic()
        if left <= 0:
            raise Trouble("timeout", f"no whole answer came within {seconds:.0f} s", billed=True)
        try:
            piece = pieces.get(timeout=min(POLL_SECONDS, left))
        except queue.Empty:
            continue
        if piece is None:
            return
        yield piece


def _messages(call: Call) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [{"role": m.role, "content": m.content} for m in call.messages]
    if not call.system_apart and messages[0]["role"] == "system":
        system, first, *rest = messages
        messages = [first | {"content": f"{system['content']}\n\n{first['content']}"}, *rest]
    if call.images:
        pictures = [{"type": "image", "base64": image, "mime_type": "image/png"} for image in call.images]
        messages[-1]["content"] = [{"type": "text", "text": messages[-1]["content"]}, *pictures]
    return messages


def response_format(schema: type[BaseModel]) -> dict[str, Any]:
    """OpenAI's way to ask for JSON; LangChain's clients of other providers translate it."""
    form = _bare(schema.model_json_schema())
    return {"type": "json_schema", "json_schema": {"name": schema.__name__, "schema": form, "strict": True}}


def _bare(form: Any) -> Any:
    """A JSON schema without titles and descriptions: the prompt says in words what is meant."""
    if isinstance(form, list):
        return [_bare(part) for part in form]
    if not isinstance(form, dict):
        return form
    return {
        name: {inner: _bare(part) for inner, part in value.items()} if name == "properties" else _bare(value)
        for name, value in form.items()
        if name not in ("title", "description")
    }


def _recovered(fault: Exception) -> AIMessageChunk | None:
    """OpenAI's client raises where a held-to-form answer was cut off or filtered; that is an answer all the same."""
    finish = {"LengthFinishReasonError": "length", "ContentFilterFinishReasonError": "content_filter"}.get(
        type(fault).__name__
    )
    if finish is None:
        return None
    usage = getattr(getattr(fault, "completion", None), "usage", None)
    counted: Any = usage and {
        "input_tokens": usage.prompt_tokens,
        "output_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }
    return AIMessageChunk(content="", response_metadata={"finish_reason": finish}, usage_metadata=counted)


def _clean(text: str) -> str:
    """An answer without our keys, should a server echo them, and without halves of characters: it can be written."""
    return redact(text).encode("utf-8", "replace").decode()


def _finish(message: BaseMessage) -> str:
    """How an answer ended, in one vocabulary; "" where the server did not say that it did."""
    about = message.response_metadata
    reason = about.get("finish_reason") or about.get("stop_reason") or about.get("done_reason") or about.get("status")
    if reason is None:
        return ""
    # By their beginning: a reason that came twice is joined like other text, to "lengthlength".
    if str(reason).startswith(("length", "max_tokens", "model_context_window_exceeded", "incomplete")):
        return "length"
    return "refusal" if str(reason).startswith(("content_filter", "refusal")) else "stop"


def _refused_block(message: BaseMessage) -> str:
    blocks = message.content if isinstance(message.content, list) else []
    return "".join(str(block["refusal"]) for block in blocks if isinstance(block, dict) and block.get("refusal"))


def _usage(message: AIMessage | BaseMessageChunk, call: Call, text: str) -> Usage:
    """As the server counted, else by the number of characters."""
    counted = getattr(message, "usage_metadata", None)
    if counted and counted["output_tokens"] > 0 and counted["input_tokens"] >= 0:
        cached = (counted.get("input_token_details") or {}).get("cache_read") or 0
        return Usage(counted["input_tokens"], counted["output_tokens"], cached)
    return Usage(tokens_of(call), int(len(text) / CHARACTERS_A_TOKEN) + 1, estimated=True)


def tokens_of(call: Call) -> int:
    """About how many tokens a prompt has; pictures are left out."""
    return int(sum(len(message.content) for message in call.messages) / CHARACTERS_A_TOKEN) + 1
