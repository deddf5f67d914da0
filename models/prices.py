"""What a call costs: from the maintained table of the package genai-prices, or as the task says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from genai_prices import Usage as PricedUsage
from genai_prices import calc_price

from grading.task import PriceSpec
from models.names import ModelName

MILLION = 1_000_000


@dataclass(frozen=True)
class Usage:
    """Tokens of one call."""

    prompt: int
    completion: int
    """Thinking included."""
    cached: int = 0
    """The part of `prompt` that the provider had in its cache."""
    estimated: bool = False
    """True where the server did not count and we did."""


class Price(Protocol):
    """The price of a model."""

    @property
    def source(self) -> str:
        """Where it comes from, for people."""
        ...

    def cost(self, usage: Usage) -> float:
        """USD of a call."""
        ...


@dataclass(frozen=True)
class TaskPrice:
    """A price as the task gives it."""

    spec: PriceSpec
    source: str = "the task's prices"

    def cost(self, usage: Usage) -> float:
        """USD of a call."""
        return (usage.prompt * self.spec.input + usage.completion * self.spec.output) / MILLION


@dataclass(frozen=True)
class FreePrice:
    """The price of what runs on this machine."""

    source: str = "runs on this machine"

    def cost(self, usage: Usage) -> float:  # noqa: ARG002 - whatever was used
        """Nothing."""
        return 0.0


@dataclass(frozen=True)
class TablePrice:
    """A price from genai-prices, with its tiers and its discount for cached tokens."""

    model: str
    provider: str
    source: str = "the table of genai-prices"

    def cost(self, usage: Usage) -> float:
        """USD of a call. Raises: LookupError for a model that the table does not know."""
        tokens = PricedUsage(
            input_tokens=usage.prompt, output_tokens=usage.completion, cache_read_tokens=min(usage.cached, usage.prompt)
        )
        return float(calc_price(tokens, model_ref=self.model, provider_id=self.provider).total_price)


def price_of(name: ModelName, given: Mapping[str, PriceSpec]) -> Price | None:
    """The price of a model; None where none is known. What the task says wins."""
    for key in (name.text, name.name):
        if key in given:
            return TaskPrice(given[key])
    if name.provider in ("hf", "replay") or (name.provider == "ollama" and name.local):
        return FreePrice()
    if name.url or name.provider not in ("openai", "anthropic"):
        return None
    price = TablePrice(name.name, name.provider)
    try:
        price.cost(Usage(1, 1))
    except LookupError:
        return None
    return price
