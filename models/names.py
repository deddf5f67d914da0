"""What a user writes to name a model: `provider:NAME[@URL]`, `hf:FOLDER[+ADAPTER]`, `replay:RUN`, `none`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from grading.base import TaskError

Provider = Literal["openai", "anthropic", "ollama", "hf", "replay", "none"]
PROVIDERS: tuple[Provider, ...] = ("openai", "anthropic", "ollama", "hf", "replay", "none")
HOME = {
    "openai": "https://api.openai.com/v1",
    "anthropic": "https://api.anthropic.com",
    "ollama": "http://127.0.0.1:11434",
}
"""Where a provider is asked when no URL is given."""
_FORMS = (
    "openai:NAME, anthropic:NAME, ollama:NAME (each with @URL for a server of your own), hf:FOLDER[+ADAPTER], "
    "replay:RUN or none"
)
_LOOPBACK = re.compile(r"localhost|127\.\d+\.\d+\.\d+|::1")


@dataclass(frozen=True)
class ModelName:
    """A model, taken apart."""

    text: str
    """As the user wrote it."""
    provider: Provider
    name: str
    """The provider's name of it; a folder for hf and replay."""
    url: str | None = None
    """A server of the user's own."""
    adapter: str | None = None
    """Folder of a PEFT adapter (hf)."""

    @property
    def endpoint(self) -> str | None:
        """The address that is asked; None where nothing leaves this process's machine by network."""
        return self.url or HOME.get(self.provider)

    @property
    def local(self) -> bool:
        """Whether it runs on this machine."""
        return self.endpoint is None or bool(_LOOPBACK.fullmatch(urlsplit(self.endpoint).hostname or ""))


def parse_model(text: str, where: str = "--model") -> ModelName:
    """Take a model's name apart.

    Raises: TaskError.
    """
    if text == "none":
        return ModelName(text, "none", "")
    provider, _, rest = text.partition(":")
    if provider not in PROVIDERS or provider == "none" or not rest.partition("@http")[0].partition("+")[0]:
        raise TaskError(f"{where} {text}: is no model; write {_FORMS}.")
    if provider in ("hf", "replay"):
        folder, _, adapter = rest.partition("+") if provider == "hf" else (rest, "", "")
        for name in filter(None, (folder, adapter)):
            if not Path(name).is_dir():
                raise TaskError(f"{where} {text}: the folder {name} does not exist; name one on this machine.")
        return ModelName(text, provider, folder, adapter=adapter or None)
    name, _, url = rest.partition("@http")
    address = f"http{url}" if url else None
    if address and not _usable(address):
        raise TaskError(
            f"{where} {text}: {address} is no address without a key in it; write {provider}:NAME@http://host/v1 and "
            f"put the key into the environment."
        )
    return ModelName(text, provider, name, address)


def _usable(address: str) -> bool:
    try:
        parts = urlsplit(address)
    except ValueError:
        return False
    plain = "@" not in parts.netloc and not parts.query and not parts.fragment
    return bool(parts.hostname) and parts.scheme in ("http", "https") and plain
