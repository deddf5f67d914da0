"""The largest cost that a call can have, before it is made."""

from __future__ import annotations

from models.chat import Call
from models.prices import Price, Usage

IMAGE_TOKENS = 3_000
"""A picture counts as at most so many tokens (providers say 85 to 2,600 for one of up to 2,000 pixels)."""
TURN_TOKENS = 20
"""What providers add for each turn of a conversation."""


def largest_usage(call: Call) -> Usage:
    """A token is never shorter than a byte, so a prompt has at most as many tokens as bytes."""
    text = sum(len(message.content.encode()) + TURN_TOKENS for message in call.messages)
    form = len(str(call.schema.model_json_schema())) if call.schema else 0
    return Usage(text + form + IMAGE_TOKENS * len(call.images), call.max_tokens)


def largest_cost(price: Price | None, call: Call) -> float:
    """USD at most; 0 where no price is known (then no cap in USD is accepted)."""
    return price.cost(largest_usage(call)) if price else 0.0
