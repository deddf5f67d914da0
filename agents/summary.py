"""What a person at a terminal sees at the end of a run, or of a preview."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from agents.model_lines import closing_lines as model_closing
from agents.terminal import number, plain_console, plus_minus


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
    lines += [ranked_line(report)] if report["ranking"]["order"] else []
    lines += model_closing(report["models"])
    lines.append(f"Time: {report['seconds']:.0f} s. The end: {report['decision']}.")
    lines.append("Isolation: " + ", ".join(f"{key} {value}" for key, value in report["isolation"].items()))
    if report["valid"]:
        lines.append(f"Submission: {folder / 'submission.csv'}")
        lines.append(f"Solution: {folder / 'solution'} and {folder / 'solution.ipynb'}")
        lines.append(f"Report: {folder / 'report.json'}")
        mounts = "".join(f" --mount {name}={path}" for name, path in report["mounts"].items())
        lines.append(f"Run it again: python -m sandbox.run {folder / 'solution'} --data DATA_FOLDER{mounts}")
    return lines


def ranked_line(report: dict[str, Any]) -> str:
    """What ordered the instructions, and why the first was tried first."""
    first, by = report["ranking"]["order"][0], report["ranking"]["by"]
    return f"Ranked by {by}; {first['instruction']} came first: {first['why']}."


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


def _candidates_table(candidates: list[dict[str, Any]]) -> Table:
    table = Table("order", "instruction", "score", "why", title="Candidates", title_justify="left")
    for place, candidate in enumerate(candidates, start=1):
        table.add_row(str(place), escape(candidate["title"]), f"{candidate['score']:.2f}", candidate["why"])
    return table


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
    if settings["preset"]:
        console.print(f"Preset {settings['preset']}: a model would write {found['ideas']} instructions; no recipes.")
    else:
        console.print(_candidates_table(found["candidates"]))
        if found["ideas"]:
            console.print(f"A model would add {found['ideas']} instructions to these; it was not asked.")
    usd = "USD not known (no price)" if cost["usd"] is None else f"{cost['usd']:.4g} USD"
    console.print(
        f"Largest cost: {cost['attempts']} attempts, {cost['minutes']:g} minutes, {usd}; "
        f"{settings['parallel']} scripts side by side, {settings['cpus']:g} cpus and {settings['memory_mb']} MiB each."
    )
