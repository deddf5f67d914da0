"""`hf:FOLDER[+ADAPTER]`: a local Hugging Face model as a LangChain chat model.

It lives in a process of its own (models/local_child.py), so torch never enters this one, and a model that is killed
for want of memory takes nothing else along. How it fails is said in models/local_process.py.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.chat_models import generate_from_stream
from langchain_core.messages import AIMessageChunk, BaseMessage, ChatMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import PrivateAttr

from models.local_process import (
    Child,
    ChildDied,
    ContextTooLong,
    LocalModelError,
    OutOfMemory,
    Ready,
    check_files,
    check_libraries,
)

__all__ = ["ChildDied", "ContextTooLong", "LocalChat", "LocalModelError", "OutOfMemory", "Ready"]

NO_TEXT = "[left out: this model reads text only]"
"""Stands where a message holds a picture or the like."""


class LocalChat(BaseChatModel):
    """A local model. Its process starts with the first call and ends with `close`, or with this process.

    One answer at a time: other calls wait, and one that is made while this thread still reads a stream waits for
    ever. A stream that is not read to its end is stopped by ending the process; the next call starts a new one.
    """

    folder: str
    """Folder of the model: configuration, tokenizer, weights as safetensors."""
    adapter: str | None = None
    """Folder of a PEFT adapter for it."""
    max_tokens: int = 2_048
    """Length of an answer at most; less where the model's context ends before."""
    temperature: float = 0.0
    """0 takes the likeliest token, always."""
    seed: int | None = None
    """Makes sampled answers repeatable."""
    _lock: threading.Lock = PrivateAttr(default_factory=threading.Lock)
    _child: Child | None = PrivateAttr(default=None)

    @property
    def model_name(self) -> str:
        """As a user names it."""
        return f"hf:{self.folder}" + (f"+{self.adapter}" if self.adapter else "")

    @property
    def pid(self) -> int | None:
        """Id of the model's process; None while there is none."""
        child = self._child
        return child.pid if child is not None else None

    def start(self) -> Ready:
        """Load the model, where it is not loaded.

        Raises: LocalModelError (something is missing or wrong), OutOfMemory, ChildDied.
        """
        with self._lock:
            return self._started()[1]

    def close(self) -> None:
        """End the process, at once and from any thread. An answer in the making ends with ChildDied."""
        child, self._child = self._child, None
        if child is not None:
            child.end()

    @property
    def _llm_type(self) -> str:
        return "linguacodus-local"

    @property
    def _identifying_params(self) -> Mapping[str, Any]:
        return {"model_name": self.model_name, **self._settings({})}

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        return generate_from_stream(self._stream(messages, stop, run_manager, **kwargs))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        request = {"messages": [_turn(message) for message in messages], "stop": stop, **self._settings(kwargs)}
        with closing(self._frames(request)) as frames:
            for frame in frames:
                chunk = self._last(frame) if "done" in frame else _piece(frame["text"])
                if run_manager:
                    run_manager.on_llm_new_token(chunk.text, chunk=chunk)
                yield chunk

    def _settings(self, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Those of the call first (`bind`), else those of the model."""
        return {name: kwargs.get(name, getattr(self, name)) for name in ("max_tokens", "temperature", "seed")}

    def _frames(self, request: Mapping[str, object]) -> Generator[dict[str, Any], None, None]:
        """The frames of one answer. Whatever cuts it short, but for a prompt that is too long, ends the process."""
        with self._lock:
            usable = False
            try:
                child, _ = self._started()
                child.send(request)
                while "done" not in (frame := child.receive()):
                    yield frame
                usable = True
                yield frame
            except ContextTooLong:
                usable = True
                raise
            finally:
                if not usable:
                    self.close()

    def _started(self) -> tuple[Child, Ready]:
        child = self._child
        if child is None or child.pid is None or child.ready is None:
            self.close()
            check_libraries()
            check_files(self.folder, self.adapter)
            child = self._child = Child(self.model_name)
        try:
            return child, child.load(self.folder, self.adapter)
        finally:
            if child.ready is None:
                self.close()

    def _last(self, frame: Mapping[str, Any]) -> ChatGenerationChunk:
        prompt, completion = frame["prompt_tokens"], frame["completion_tokens"]
        usage = UsageMetadata(input_tokens=prompt, output_tokens=completion, total_tokens=prompt + completion)
        about = {"finish_reason": frame["finish"], "model_name": self.model_name}
        message = AIMessageChunk(content="", usage_metadata=usage, response_metadata=about, chunk_position="last")
        return ChatGenerationChunk(message=message, generation_info={"finish_reason": frame["finish"]})


def _piece(text: str) -> ChatGenerationChunk:
    return ChatGenerationChunk(message=AIMessageChunk(content=text))


def _turn(message: BaseMessage) -> dict[str, str]:
    roles = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant", "HumanMessageChunk": "user"}
    role = message.role if isinstance(message, ChatMessage) else roles.get(message.type, message.type)
    return {"role": role, "content": _text(message.content)}


def _text(content: str | Sequence[str | dict[Any, Any]]) -> str:
    if isinstance(content, str):
        return content
    return "\n".join(block if isinstance(block, str) else str(block.get("text", NO_TEXT)) for block in content)
