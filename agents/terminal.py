"""What a person at a terminal sees: live progress, and the closing tables. Plain lines where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from grading.base import AUDIT_VIEW, FULL_VIEW, Task

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
    return {FULL_VIEW: "all rows", AUDIT_VIEW: "audit view"}.get(view, f"view {view}")


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
        case "opening":
            return [f"{event['run']}: opening the sandbox and the grader"]
        case "resumed":
            return [f"resumed: {len(event['state'].get('attempts', {}))} attempts are done"]
        case "stage":
            return stage_lines(event["node"], event["update"] or {})
    return []


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
            return [f"describe: {line}" for line in facts_lines(update["facts"])] + [update["description"].summary]
        case "propose":
            return [f"propose: {len(update['pool'])} instructions"]
        case "rank":
            return [
                "rank, by the recipes' priors: "
                + ", ".join(f"{r.instruction} ({r.score:.2f})" for r in update["ranking"])
            ]
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

    def _stage(self, node: str, update: Event) -> None:
        if node == "describe":
            self.header = facts_lines(update["facts"])
        if node == "propose":
            self.titles = {instruction.id: instruction.title for instruction in update["pool"]}
        self.stage = update["decision"].why if node == "plan" else node

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
        elapsed = f"{time.monotonic() - self.since:.0f} s  {self.stage}"
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


def show_report(report: dict[str, Any], folder: Path, quiet: bool) -> None:
    """The closing tables, and where everything is."""
    console = plain_console()
    if quiet:
        text = str(folder / "submission.csv") if report["valid"] else "no valid submission was found"
        console.print(text, markup=False, soft_wrap=True)
        return
    console.print(tried_table(report))
    for line in closing_lines(report, folder):
        console.print(line, markup=False, soft_wrap=True)


def tried_table(report: dict[str, Any]) -> Table:
    """What was tried, with its blind scores."""
    table = Table(title="What was tried", title_justify="left")
    for heading in ("attempt", "instruction", "status", "tries", "views", "blind score", "behind", "time"):
        table.add_column(heading, no_wrap=heading != "instruction")
    for attempt in report["attempts"]:
        standing = attempt["standing"]
        score = standing["score"] if standing else {"mean": None, "error": None}
        behind = plus_minus(standing["behind"], standing["behind_error"]) if standing else "-"
        views = str(len(standing["views"])) if standing else "0"
        seconds = sum(run["seconds"] for run in attempt["runs"])
        row = [attempt["id"], escape(attempt["title"]), attempt["status"], str(attempt["tries"]), views]
        table.add_row(*row, plus_minus(score["mean"], score["error"]), behind, f"{seconds:.0f} s")
    if report["blend"]:
        score, members = report["blend"]["score"], report["blend"]["members"]
        name = "blend of " + ", ".join(f"{member} ({weight:.2f})" for member, weight in members.items())
        table.add_row("", name, "ok", "", str(len(report["blend"]["views"])), plus_minus(score["mean"], score["error"]))
    return table


def closing_lines(report: dict[str, Any], folder: Path) -> list[str]:
    """The estimate, the files, the isolation, and how to run the solution again."""
    lines = [estimate_line(report)]
    if report["delivery"]:
        delivery = report["delivery"]
        lines.append(chosen_line(report))
        lines.append(f"Delivered: {delivery['reason']}")
        lines += [f"Fault: {fault}" for fault in delivery["faults"]]
    lines.append(f"Time: {report['seconds']:.0f} s. The end: {report['decision']}.")
    lines.append("Isolation: " + ", ".join(f"{key} {value}" for key, value in report["isolation"].items()))
    if report["valid"]:
        lines.append(f"Submission: {folder / 'submission.csv'}")
        lines.append(f"Solution: {folder / 'solution'} and {folder / 'solution.ipynb'}")
        lines.append(f"Report: {folder / 'report.json'}")
        lines.append(f"Run it again: python -m sandbox.run {folder / 'solution'} --data DATA_FOLDER")
    return lines


def chosen_line(report: dict[str, Any]) -> str:
    """Which candidate was taken, and why where it is not the leader."""
    if report["kind"] == "blend":
        return f"Chosen: the blend of {', '.join(report['winner'])}, clearly ahead of every single attempt."
    [winner] = report["winner"]
    standings = [attempt["standing"] for attempt in report["attempts"] if attempt["standing"]]
    leaders = [next(iter(s["members"])) for s in standings if s["behind"] == 0 and s["behind_error"] == 0]
    if not leaders or winner in leaders:
        return f"Chosen: attempt {winner}."
    return f"Chosen: attempt {winner}, level with {leaders[0]} (within one standard error) and ranked before it."


def estimate_line(report: dict[str, Any]) -> str:
    """What the submission can be expected to score."""
    delivery, metric = report["delivery"], report["task"]["metric"]
    if not delivery:
        return "No valid submission was found."
    if not report["blind"]:
        return f"Valid, but not graded blind ({report['task']['unblind']}): no score can be vouched for."
    if delivery["estimate"] is None:
        return f"Expected {metric}: not known (no audit rows were graded)."
    interval = f"95 % prediction interval {number(delivery['low'])} to {number(delivery['high'])}"
    estimate = f"Expected {metric} on the test set: {number(delivery['estimate'])}, {interval}"
    return f"{estimate} ({delivery['rows']} audit rows, by which nothing was chosen)"


def show_preview(found: dict[str, Any]) -> None:
    """What a run would do."""
    console = plain_console()
    task, cost, settings = found["task"], found["largest_cost"], found["settings"]
    lines = [
        f"{task['name']}: {task['problem']}, {task['output']} scored by {task['metric']} ({task['direction']})",
        f"train {task['train']} ({task['train_rows']} rows), test {task['test']} ({task['test_rows']} rows)",
        f"id {task['id']}, target {', '.join(task['targets'])}",
        f"submission columns {', '.join(task['columns'][:12])}",
        f"views: {task['views']}, split by {task['split']} {task['split_column'] or ''}",
        *(f"- {note}" for note in task["notes"]),
        found["description"]["summary"],
    ]
    for line in lines:
        console.print(line, markup=False, soft_wrap=True)
    table = Table("order", "instruction", "score", "why", title="Candidates", title_justify="left")
    for place, candidate in enumerate(found["candidates"], start=1):
        table.add_row(str(place), escape(candidate["title"]), f"{candidate['score']:.2f}", candidate["why"])
    console.print(table)
    console.print(
        f"Largest cost: {cost['attempts']} attempts, {cost['minutes']:g} minutes, {cost['usd']:g} USD; "
        f"{settings['parallel']} scripts side by side, {settings['cpus']:g} cpus and {settings['memory_mb']} MiB each."
    )
