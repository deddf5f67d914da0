"""Makes a LangChain chat model of a name. Providers are imported when they are asked for, never before."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import httpx2
from langchain_core.language_models import BaseChatModel
from pydantic import SecretStr

from grading.base import TaskError
from grading.task import PriceSpec
from models.names import ModelName, Provider
from models.prices import Price, price_of

READ_SECONDS = 300.0
"""A server that sends nothing for so long is given up: models that think are silent for minutes."""
OLLAMA_CONTEXT = 16_384
"""Ollama cuts prompts silently at its own small default."""
ONLY_LOCAL = "LINGUACODUS_ONLY_LOCAL_MODELS"
"""Set in the environment, it refuses every model that is not on this machine. The tests set it."""
WRONG_REPLIES = (
    httpx.HTTPError, httpx2.HTTPError, OSError, ValueError, TypeError, KeyError, AttributeError, IndexError,
    RuntimeError, AssertionError,
)  # fmt: skip
"""What a client raises when a server breaks off or sends what it should not, besides its own exceptions."""
THIS_MACHINE = "this machine"
"""Who receives what a model in a process of ours is asked."""
_KEYS = {"openai": "OPENAI_API_KEY", "anthropic": "ANTHROPIC_API_KEY"}


@dataclass(frozen=True)
class Loaded:
    """A model that can be asked."""

    name: ModelName
    chat: BaseChatModel
    failures: tuple[type[Exception], ...]
    """What its client raises."""
    price: Price | None
    close: Callable[[], None]

    @property
    def where(self) -> str:
        """Who receives what is sent, for people."""
        return f"{self.name.provider} at {self.name.endpoint}" if self.name.endpoint else THIS_MACHINE


def load_model(name: ModelName, prices: Mapping[str, PriceSpec]) -> Loaded:
    """The chat model behind a name; nothing is sent yet.

    Raises: TaskError where a key or a package is missing, or models elsewhere are forbidden.
    """
    if os.environ.get(ONLY_LOCAL) and not name.local:
        raise TaskError(f"{name.text}: {name.endpoint} is not this machine, and {ONLY_LOCAL} is set; unset it.")
    if name.local:
        _past_proxies(urlsplit(name.endpoint or "").hostname)
    chat, failures, close = _MAKERS[name.provider](name)
    return Loaded(name, chat, (*failures, *WRONG_REPLIES), price_of(name, prices), close)


def _past_proxies(host: str | None) -> None:
    """What is asked of this machine goes to no proxy, whatever HTTP_PROXY says."""
    for variable in ("NO_PROXY", "no_proxy"):
        hosts = [part for part in os.environ.get(variable, "").split(",") if part]
        if host and host not in hosts and "*" not in hosts:
            os.environ[variable] = ",".join([*hosts, host])


def nothing() -> None:
    """Close what holds nothing open."""


Made = tuple[BaseChatModel, tuple[type[Exception], ...], Callable[[], None]]


def key_for(name: ModelName) -> SecretStr:
    """The key from the environment. A server of the user's own may need none, and gets it by https or locally only.

    Raises: TaskError where the provider needs one.
    """
    variable = _KEYS[name.provider]
    key = os.environ.get(variable, "").strip()
    if name.url and not (key and (name.local or name.url.startswith("https://"))):
        return SecretStr("none")
    if not key:
        raise TaskError(f"{name.text}: the environment has no {variable}; set it to your key and run this again.")
    return SecretStr(key)


def _openai(name: ModelName) -> Made:
    import openai
    from langchain_openai import ChatOpenAI

    # What a server lacks is found out and said by models.caller; a warning would tear the live table.
    warnings.filterwarnings("ignore", category=UserWarning, module=r"langchain_openai\.|pydantic\.main")
    chat = ChatOpenAI(
        model=name.name,
        base_url=name.endpoint,
        api_key=key_for(name),
        max_retries=0,  # models.retry is the one policy
        timeout=READ_SECONDS,
        stream_usage=True,
        use_responses_api=False if name.url else None,
    )
    return chat, (openai.OpenAIError,), nothing


def _anthropic(name: ModelName) -> Made:
    import anthropic
    from langchain_anthropic import ChatAnthropic

    chat = ChatAnthropic(
        model_name=name.name,
        base_url=name.endpoint,
        api_key=key_for(name),
        max_retries=0,
        timeout=READ_SECONDS,
        stop=None,
    )
    return chat, (anthropic.AnthropicError,), nothing


def _ollama(name: ModelName) -> Made:
    import ollama
    from langchain_ollama import ChatOllama

    chat = ChatOllama(
        model=name.name,
        base_url=name.endpoint,
        num_ctx=OLLAMA_CONTEXT,
        client_kwargs={"timeout": READ_SECONDS},
    )
    return chat, (ollama.ResponseError, ollama.RequestError), nothing


def _huggingface(name: ModelName) -> Made:
    from models.local import LocalChat

    chat = LocalChat(folder=name.name, adapter=name.adapter)
    return chat, (), chat.close


def _neither(name: ModelName) -> Made:
    raise TaskError(f"{name.text} is no model that can be asked: name another.")


_MAKERS: dict[Provider, Callable[[ModelName], Made]] = {
    "openai": _openai,
    "anthropic": _anthropic,
    "ollama": _ollama,
    "hf": _huggingface,
    "replay": _neither,
    "none": _neither,
}


def answer_limit(
    chat: BaseChatModel, provider: Provider, tokens: int, temperature: float | None = None
) -> BaseChatModel | Any:
    """`chat`, bound to answers of at most `tokens`, sampled at `temperature` where one is given."""
    sampled = {} if temperature is None else {"temperature": temperature}
    if provider == "ollama":
        return chat.model_copy(update={"num_predict": tokens, **sampled})
    return chat.bind(max_tokens=tokens, **sampled)
