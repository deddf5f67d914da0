"""What a person at a terminal sees while a run goes on: a live table, or plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from agents.model_lines import model_lines
from grading.base import AUDIT_VIEW, FULL_VIEW, SAMPLE_VIEW, Task

Event = dict[str, Any]
Watch = Callable[[Event], None]
WIDTH = 130
"""Columns of a table that goes to a file or a pipe."""


@contextmanager
def watcher(quiet: bool) -> Iterator[Watch]:
    """The watch that fits where we are: nothing, a live table, or plain lines."""
    console = plain_console()
    if quiet:
        yield ignore
    elif console.is_terminal:
        board = Board()
        with Live(console=console, get_renderable=board.render, refresh_per_second=4):
            yield board.take
    else:
        yield Lines(console).take


def plain_console() -> Console:
    """Stdout; as wide as the terminal, or WIDTH where there is none."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=WIDTH)


def ignore(_: Event) -> None:
    """Watch nothing."""


def view_name(view: int) -> str:
    """A view as people call it."""
    return {FULL_VIEW: "all rows", AUDIT_VIEW: "audit view", SAMPLE_VIEW: "sample"}.get(view, f"view {view}")


def number(value: float | None) -> str:
    """A score for people: five significant digits."""
    return "-" if value is None else f"{value:.5g}"


def plus_minus(value: float | None, error: float | None) -> str:
    """A score with its standard error."""
    return number(value) if error is None else f"{number(value)} ± {error:.2g}"


def facts_lines(facts: Task) -> list[str]:
    """What was found out about the task, a line each."""
    split = f"{facts.split} ({facts.split_column})" if facts.split_column else facts.split
    first = (
        f"{facts.name}: {facts.problem}, {facts.output} scored by {facts.metric} ({facts.direction}), "
        f"{facts.train_rows} training rows, {facts.test_rows} test rows, split by {split}, {facts.views} views"
    )
    blind = [f"NOT BLIND: {facts.unblind}"] if facts.unblind else []
    return [first, *blind, *(f"- {note}" for note in facts.notes)]


@dataclass
class Lines:
    """Plain lines, one an event, with the seconds since the start."""

    console: Console
    since: float = field(default_factory=time.monotonic)

    def take(self, event: Event) -> None:
        """Print what the event says."""
        for line in describe_event(event):
            self.console.print(f"[{time.monotonic() - self.since:6.1f} s] {line}", markup=False, soft_wrap=True)


def describe_event(event: Event) -> list[str]:
    """An event as lines of text."""
    match event["event"]:
        case "started":
            assignment = event["assignment"]
            tries = f", try {event['tries']}" if event["tries"] > 1 else ""
            return [f"attempt {assignment['attempt']} starts on {view_name(assignment['view'])}{tries}"]
        case "ended":
            return [ended_line(event)]
        case "failed":
            return [
                f"attempt {event['attempt']}, try {event['tries']} failed: {event['faults'][0].splitlines()[0][:160]}"
            ]
        case "opening":
            return [f"{event['run']}: opening the sandbox and the grader"]
        case "resumed":
            return [f"resumed: {len(event['state'].get('attempts', {}))} attempts are done"]
        case "inferred":
            return [f"The metric is {event['metric']}, to {event['direction']}, {event['why']}"]
        case "unranked":
            return [f"{event['why']} The recipes' priors order the instructions."]
        case "stage":
            return stage_lines(event["node"], event["update"] or {})
    return model_lines(event)


def ended_line(event: Event) -> str:
    """How a run of a script ended."""
    run = event["run"]
    score = f", blind score {plus_minus(run['value'], run['error'])}" if run["value"] is not None else ""
    fault = f": {event['faults'][0].splitlines()[0][:160]}" if event["faults"] else ""
    where = view_name(run["view"])
    return f"attempt {run['attempt']} on {where}: {run['status']} in {run['seconds']:.1f} s{score}{fault}"


def stage_lines(node: str, update: Event) -> list[str]:
    """What a node of the main graph found."""
    match node:
        case "describe":
            pitfalls = update["insight"].pitfalls if update["insight"] else []
            found = [update["description"].summary, *(f"describe: pitfall: {pitfall}" for pitfall in pitfalls)]
            return [f"describe: {line}" for line in facts_lines(update["facts"])] + found
        case "propose":
            return [f"propose: {len(update['pool'])} instructions"]
        case "review" if "ranking" in update:
            return [f"review: {', '.join(r.instruction for r in update['ranking'])}"]
        case "rank":
            order = ", ".join(f"{r.instruction} ({r.score:.2f})" for r in update["ranking"])
            first = f"; first because: {update['ranking'][0].why}" if update["ranking"] else ""
            return [f"rank, by {update['ranked_by']}: {order}{first}"]
        case "plan":
            return [f"plan: {update['decision'].why}"]
    return []


@dataclass
class Board:
    """The live table: what was tried, what runs now, what the plan says."""

    since: float = field(default_factory=time.monotonic)
    header: list[str] = field(default_factory=list)
    stage: str = "opening sandbox and grader"
    titles: dict[str, str] = field(default_factory=dict)
    instructions: dict[str, str] = field(default_factory=dict)
    running: dict[tuple[str, int], float] = field(default_factory=dict)
    ended: dict[str, dict[int, Event]] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    """Question -> model, of those that wait for an answer."""

    def take(self, event: Event) -> None:
        """Remember what the event says."""
        match event["event"]:
            case "started":
                assignment = event["assignment"]
                self.instructions[assignment["attempt"]] = assignment["instruction"]
                self.running[assignment["attempt"], assignment["view"]] = time.monotonic()
            case "ended":
                run = event["run"]
                self.running.pop((run["attempt"], run["view"]), None)
                self.ended.setdefault(run["attempt"], {})[run["view"]] = event
            case "resumed":
                self._resume(event["state"])
            case "stage":
                self._stage(event["node"], event["update"] or {})
            case "asking":
                self.asked[event["key"]] = event["model"]
            case "answered" | "unanswered":
                self.asked.pop(event["key"], None)
        if event["event"] in ("leaves", "asleep", "unanswered", "unwritten"):
            self.header += model_lines(event)
        if event["event"] in ("unranked", "inferred"):
            self.header += describe_event(event)

    def _stage(self, node: str, update: Event) -> None:
        if node == "describe":
            self.header = facts_lines(update["facts"])
        if node == "propose":
            self.titles = {instruction.id: instruction.title for instruction in update["pool"]}
        self.stage = update["decision"].why if node == "plan" else node
        self.asked = {}

    def _resume(self, state: Event) -> None:
        if "facts" in state:
            self.header = facts_lines(state["facts"])
        self.titles = {instruction.id: instruction.title for instruction in state.get("pool", [])}
        self.instructions = {a.id: a.instruction for a in state.get("attempts", {}).values()}
        for run in state.get("runs", {}).values():
            event = {"run": vars(run), "faults": [], "tries": 1}
            self.ended.setdefault(run.attempt, {})[run.view] = event

    def render(self) -> RenderableType:
        """The table as it is now."""
        table = Table(box=None, pad_edge=False)
        for heading in ("attempt", "instruction", "status", "blind score", "views", "time"):
            right, cut = heading in ("views", "time"), heading == "instruction"
        table.add_column(heading, justify="right" if right else "left", no_wrap=True, max_width=60 if cut else None)
        for attempt in sorted(self.instructions):
            table.add_row(*self._row(attempt))
        asked = "".join(f", asking {model} ({key})" for key, model in self.asked.items())
        elapsed = f"{time.monotonic() - self.since:.0f} s  {self.stage}{asked}"
        return Group(*(Text(line, overflow="fold") for line in self.header), table, Text(elapsed, style="bold"))

    def _row(self, attempt: str) -> list[str]:
        done = self.ended.get(attempt, {})
        first = done.get(1) or next(iter(done.values()), None)
        active = [f"{view_name(v)} {time.monotonic() - t:.0f} s" for (a, v), t in self.running.items() if a == attempt]
        status = f"running: {', '.join(active)}" if active else (first["run"]["status"] if first else "")
        values = [event["run"]["value"] for event in done.values() if event["run"]["value"] is not None]
        error = first["run"]["error"] if first else None
        score = plus_minus(sum(values) / len(values), error) if values else "-"
        seconds = sum(event["run"]["seconds"] for event in done.values())
        title = self.titles.get(self.instructions[attempt], self.instructions[attempt])
        return [attempt, escape(title), status, score, str(len(values)), f"{seconds:.0f} s"]
