"""Answers from the record of an earlier run: the same question, the same answer, no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from models.base import ReplayDiffers
from models.chat import Message
from models.normal import difference, fingerprint
from models.records import Exchange, Record, Records


def recall(records: Records, key: str, messages: Sequence[Message], place: int | None = None) -> Exchange:
    """What was answered to this conversation, marked as replayed; an exchange without a reply failed then, too.

    With `place`, words do not count: it is the answer that came at this place of the same question.

    Raises: ReplayDiffers.
    """
    record = records.find(key)
    if record is None:
        raise ReplayDiffers(
            f"The replay differs: {records.folder} has no question {key}. Replay with the settings and the version of "
            f"the program that made it, or run anew with a model."
        )
    came = _outcomes(record)
    if place is not None and place < len(came):
        return replace(came[place], messages=list(messages), replayed=True)
    if record.failure and not _turns(record, messages):  # no money or no time was left to send it
        return Exchange(list(messages), trouble=record.failure, why=record.why, replayed=True)
    same = record.of(messages)
    if not same:
        raise ReplayDiffers(_how(records, record, messages))
    exchange = next((exchange for exchange in same if exchange.reply), same[-1])
    return replace(exchange, replayed=True)


def _outcomes(record: Record) -> list[Exchange]:
    """What each conversation led to: calls that were made again do not count."""
    last = len(record.exchanges) - 1
    numbered = enumerate(record.exchanges)
    return [e for number, e in numbered if e.reply or e.trouble == "context" or number == last]


def _turns(record: Record, messages: Sequence[Message]) -> list[Exchange]:
    """The exchanges with as many turns: the first question, or what was said about its answer."""
    return [exchange for exchange in record.exchanges if len(exchange.messages) == len(messages)]


def _how(records: Records, record: Record, messages: Sequence[Message]) -> str:
    recorded = next((exchange.messages for exchange in _turns(record, messages)), None)
    if recorded is None:
        return f"The replay differs: {records.folder} holds no further answer to {record.key}."
    turns = zip(messages, recorded, strict=True)
    ours, theirs = next((ours, then) for ours, then in turns if fingerprint([ours]) != fingerprint([then]))
    return (
        f"The replay differs at the question {record.key}: {difference(ours.content, theirs.content)}. "
        f"Replay with the settings and the version that made {records.folder}, or run anew with a model."
    )
