"""What a person is told of models: what leaves for whom, what was asked, what it cost, what it brought."""

from __future__ import annotations

from typing import Any

from models.load import THIS_MACHINE

LEAVES = {
    "schema": "the task's text, names of files, columns and classes, statistics (such as the smallest and the largest "
    "number of a column), and the scripts; no other cell, nothing that programs print",
    "samples": "the task's text, names of files and columns, statistics, the scripts, a few cells of the data, and "
    "error messages; nothing else that programs print",
    "output": "the task's text, names of files and columns, statistics, the scripts, a few cells of the data, error "
    "messages, and what programs print and plot",
}


def model_lines(event: dict[str, Any]) -> list[str]:
    """An event of the gate to models as lines of text."""
    match event["event"]:
        case "leaves" if event["where"] == THIS_MACHINE:
            return [f"model: it runs on {THIS_MACHINE}, so that nothing leaves it"]
        case "leaves":
            return [f"model: to {event['where']} goes (privacy level {event['level']}): {LEAVES[event['level']]}"]
        case "asking":
            return [f"model: {event['key']}: asking {event['model']}"]
        case "answered":
            usd = f", {event['usd']:.4f} USD" if event["usd"] else ""
            tokens = f"{event['prompt_tokens']} + {event['completion_tokens']} tokens{usd}"
            return [f"model: {event['key']}: answered in {event['seconds']:.1f} s, {tokens}"]
        case "unanswered":
            return [f"model: {event['key']}: no usable answer ({event['kind']}): {event['why'].splitlines()[0]}"]
        case "asleep":
            return [f"model: {event['model']} is not asked any more, the run goes on without it: {event['why']}"]
        case "unwritten":
            return [f"attempt {event['attempt']} has no script: {event['faults'][0].splitlines()[0][:160]}"]
    return []


def closing_lines(asked: dict[str, Any]) -> list[str]:
    """What the report says of models: cost by role, and what they brought."""
    if not asked["names"]:
        return []
    lines = [f"Models: {_names(asked['names'])}; privacy level {asked['privacy']}."]
    for role, sums in asked["totals"].items():
        if role != "all":
            lines.append(f"  {role}: {_sums(sums)}")
    if "all" in asked["totals"]:
        lines.append(f"  all: {_sums(asked['totals']['all'])}{_price(asked)}")
    lines += [f"  {model} fell silent: {why}" for model, why in asked["asleep"].items()]
    return [*lines, f"What models brought: {asked['brought']}", *(asked["replay"] or [])]


def _names(names: dict[str, str]) -> str:
    if len(set(names.values())) == 1:
        return next(iter(names.values()))
    return ", ".join(f"{role} {model}" for role, model in names.items())


def _sums(sums: dict[str, Any]) -> str:
    about = "about " if sums["estimated"] else ""
    usd = f"{'' if sums['certain'] else 'at most '}{sums['usd']:.4f} USD"
    replayed = f", {sums['replayed']} replayed" if sums["replayed"] else ""
    lost = f" ({sums['unanswered']} unanswered)" if sums["unanswered"] else ""
    tokens = f"{about}{sums['prompt_tokens']} + {sums['completion_tokens']} tokens"
    asked = f"{sums['questions']} questions{lost}, {sums['calls']} calls{replayed}"
    return f"{asked}, {tokens}, {usd}, {sums['seconds']:.0f} s"


def _price(asked: dict[str, Any]) -> str:
    unknown = [model for model, source in asked["prices"].items() if source is None]
    return f" (no price is known of {', '.join(unknown)}: not counted)" if unknown else ""
