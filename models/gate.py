"""The one gate to every model: privacy, limits, one re-ask, and a record of all of it."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any, TypeVar

from models.base import AskingStopped, BadAnswer, Level, NoAnswer, Question, Role
from models.caller import Caller
from models.chat import Call, Message, Reply
from models.load import Loaded
from models.prompt import PROMPT_TOKENS, Prompt, compose, fenced
from models.records import Record, Records
from models.replay import recall
from models.trouble import Trouble
from prompts.render import digest, render

T = TypeVar("T")
SHORTENINGS = 3
"""How often a prompt is halved that is too long for the model."""
SHORTEST_ANSWER = 1_000
"""Tokens; an answer is not held to fewer, however small the model's window."""
FIRST_PACE = 30.0
"""Seconds that an answer is taken to need before one came."""
MAX_FAULT = 2_000
"""Characters of what was wrong with an answer that the model is shown."""
Say = Callable[[dict[str, Any]], None]
"""Takes an event for people: {"event": "leaves" | "asking" | "answered" | "unanswered" | "asleep", ...}."""


@dataclass
class Gate:
    """Answers questions with the models of their roles, or from the record of another run (models.base.Mind).

    Constructing sends nothing. `close` frees the models and ends what is being asked.
    """

    names: Mapping[Role, str]
    """The model of each role, as the user named it; a role without one is never awake."""
    minds: Mapping[str, Loaded]
    """The models by that name; empty in a replay."""
    records: Records
    say: Say
    level: Level = "samples"
    usd: float | None = None
    """All calls of the run together may cost so much."""
    replay: Records | None = None
    """Where given, nothing is sent: answers come from here."""
    reworded: bool = False
    """In a replay, whether prompts may differ: the answers are taken by question and order alone."""
    backoff: float = 1.0
    """Unit of the waits between calls, in seconds."""
    caller: Caller = field(init=False)
    _told: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.caller = Caller(self.records, self.usd, self.backoff)

    def ask(self, question: Question[T]) -> T:
        """See models.base.Mind."""
        record = self._begin(question)
        began = time.monotonic()
        self._tell(self.minds.get(record.model))
        self.say({"event": "asking", "key": question.key, "model": record.model})
        try:
            value = self._fitting(question, record, began + question.seconds)
        except Trouble as fault:
            self._lost(record, fault)
            raise NoAnswer(fault.kind, fault.why) from None
        self.caller.circuit(record.model).worked()
        self.say({"event": "answered", "key": question.key, "seconds": time.monotonic() - began} | _counted(record))
        return value

    def awake(self, role: Role) -> bool:
        """See models.base.Mind."""
        name = self.names.get(role)
        return name is not None and self.caller.money_left() and self.caller.circuit(name).why is None

    def pace(self) -> float:
        """See models.base.Mind."""
        answered = [record for record in self.records.all() if record.failure is None and record.exchanges]
        took = [sum(exchange.seconds for exchange in record.exchanges) for record in answered]
        return median(took) if took else FIRST_PACE

    def asleep(self) -> dict[str, str]:
        """See models.base.Mind."""
        whys = {name: self.caller.circuit(name).why for name in sorted(set(self.names.values()))}
        return {name: why for name, why in whys.items() if why}

    def close(self) -> None:
        """End what is being asked and free the models."""
        self.caller.stopped.set()
        for loaded in self.minds.values():
            loaded.close()

    def _begin(self, question: Question[Any]) -> Record:
        """The record of a question; one that was begun before goes on: its replies need not be asked for again."""
        if self.caller.stopped.is_set():
            raise AskingStopped("the run was stopped")
        model = self.names.get(question.role)
        if model is None:
            raise NoAnswer("missing", f"no model is named for the role {question.role}")
        asleep = self.caller.circuit(model).why
        if asleep:
            raise NoAnswer("server", f"{model} is not asked any more: {asleep}")
        prompt = f"{question.template}@{digest(question.template)}"
        before = self.records.find(question.key)
        return Record(
            question.key, question.role, model, self.level, prompt, exchanges=before.exchanges if before else []
        )

    def _lost(self, record: Record, fault: Trouble) -> None:
        record.failure, record.why = fault.kind, fault.why
        self.records.keep(record)
        self.say({"event": "unanswered", "key": record.key, "kind": fault.kind, "why": fault.why})
        circuit = self.caller.circuit(record.model)
        circuit.failed(fault)
        if circuit.why and record.model not in self._told:
            self._told.add(record.model)
            self.say({"event": "asleep", "model": record.model, "why": circuit.why})

    def _fitting(self, question: Question[T], record: Record, end: float) -> T:
        """Ask, until the clock says `end`, with a prompt that is shortened until the model can take it."""
        tokens, answer = PROMPT_TOKENS, question.max_tokens
        for shortening in range(SHORTENINGS + 1):
            prompt = compose(question, self.level, tokens)
            record.sent, record.withheld = prompt.sent, prompt.withheld
            try:
                return self._rounds(question, record, prompt, answer, end)
            except Trouble as fault:
                if fault.kind != "context" or shortening == SHORTENINGS:
                    raise
                tokens = min(tokens, prompt.tokens) // 2
                answer = min(answer, max(SHORTEST_ANSWER, answer // 2))
        raise AssertionError("the last shortening returns or raises")

    def _rounds(self, question: Question[T], record: Record, prompt: Prompt, max_tokens: int, end: float) -> T:
        """The question, and once more with what was wrong about the first answer."""
        messages = [Message("system", prompt.system), Message("user", prompt.user)]
        images = [base64.b64encode(image).decode() for image in question.images] if self.level == "output" else []
        call = Call(messages, images, question.schema, max_tokens, question.temperature)
        reply = self._reply(record, call, end)
        try:
            return understand(question, reply)
        except BadAnswer as fault:
            again = render("again", fault=fenced("fault", str(fault)[:MAX_FAULT]))
        answered = Message("assistant", reply.text or "(nothing)")
        call = replace(call, messages=[*messages, answered, Message("user", again)], images=[])
        reply = self._reply(record, call, end)
        try:
            return understand(question, reply)
        except BadAnswer as fault:
            raise Trouble("refused" if reply.finish == "refusal" else "bad", f"not usable, twice: {fault}") from None

    def _reply(self, record: Record, call: Call, end: float) -> Reply:
        """A reply from this run's record, from the replayed one, or from the model."""
        known = [exchange.reply for exchange in record.of(call.messages) if exchange.reply]
        if known:
            return known[0]
        if self.replay is None:
            return self.caller.reply(self.minds[record.model], record, call, end - time.monotonic())
        exchange = recall(self.replay, record.key, call.messages, len(record.exchanges) if self.reworded else None)
        record.exchanges.append(exchange)
        self.records.keep(record)
        if exchange.reply is None:
            raise Trouble(exchange.trouble or "bad", exchange.why or "")
        return exchange.reply

    def _tell(self, loaded: Loaded | None) -> None:
        """Say once, before the first call, what leaves for whom."""
        if loaded and loaded.where not in self._told:
            self._told.add(loaded.where)
            self.say({"event": "leaves", "where": loaded.where, "level": self.level})


def understand(question: Question[T], reply: Reply) -> T:
    """The value of an answer.

    Raises: BadAnswer, also for one that was cut off or refused.
    """
    if reply.finish == "length":
        raise BadAnswer("It was cut off because it was too long. Answer again, whole, and much shorter.")
    if reply.finish == "refusal":
        raise BadAnswer("It was refused. The task is an ordinary exercise in machine learning on tables and files.")
    return question.read(reply.text)


def _counted(record: Record) -> dict[str, Any]:
    paid = [exchange for exchange in record.exchanges if not exchange.replayed]
    usages = [exchange.reply.usage for exchange in paid if exchange.reply]
    return {
        "prompt_tokens": sum(usage.prompt for usage in usages),
        "completion_tokens": sum(usage.completion for usage in usages),
        "usd": sum(exchange.usd for exchange in paid),
    }
