"""A task's numbers in words: what the language model of the ranker reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

STEPS: dict[str, tuple[tuple[float, str], ...]] = {
    "rows": ((200, "very few rows"), (450, "few rows"), (1_500, "some rows"), (20_000, "many rows")),
    "columns": ((5, "very few columns"), (12, "few columns"), (30, "some columns"), (80, "many columns")),
}
PROBES = {
    "linear": "linear",
    "strong": "strong penalty",
    "select": "few columns",
    "ranked": "linear on ranks",
    "squares": "products",
    "kernel": "kernel",
    "near": "neighbours",
    "near_few": "three neighbours",
    "tree": "one tree",
    "trees": "trees",
    "boost": "boosting",
    "means": "target means",
    "words": "words",
    "characters": "characters",
}
LEVELS = ((0.02, "nothing"), (0.1, "a little"), (0.25, "some"), (0.45, "half"), (0.7, "much"), (0.9, "most"))
SIZES = ((0.015, "equal"), (0.04, "close"), (0.09, "behind"), (0.18, "worse"), (0.35, "bad"))


def task_text(modality: str, metric: str, numbers: Mapping[str, float]) -> str:
    """The task in a few sentences, the most telling first."""
    parts = [
        f"{modality} {goal(metric, numbers)}",
        probes(numbers),
        later(numbers),
        shape(numbers),
        columns(numbers),
    ]
    return " ".join(part for part in parts if part)


def goal(metric: str, numbers: Mapping[str, float]) -> str:
    """What is to be predicted, and what by."""
    classes = numbers.get("classes", 0)
    if not classes:
        skew = numbers.get("target_skew", 0)
        tail = "with a long tail" if skew > 2 else "skewed" if skew > 1 else "evenly spread"
        return f"regression of numbers {tail}, {metric}."
    kind = "two classes" if classes == 2 else "few classes" if classes <= 5 else "many classes"
    rare = numbers.get("rarest", 0.5) * classes
    return (
        f"classification of {kind}, {'very uneven' if rare < 0.25 else 'uneven' if rare < 0.6 else 'even'}, {metric}."
    )


def probes(numbers: Mapping[str, float]) -> str:
    """Which quick model comes how far, the best first, and how far the others are behind it."""
    found = {said: numbers[f"probe_{name}"] for name, said in PROBES.items() if f"probe_{name}" in numbers}
    if not found:
        return "No probe could be run."
    order = sorted(found, key=lambda said: -found[said])
    best = found[order[0]]
    said = [f"{order[0]} best, explains {level(best)}"]
    said += [f"{name} {difference(best - found[name])}" for name in order[1:]]
    return f"Probes: {', '.join(said)}."


def later(numbers: Mapping[str, float]) -> str:
    """What half the rows cost, and what later rows do."""
    parts: list[str] = []
    if "probe_half" in numbers and "probe_trees" in numbers:
        gain = numbers["probe_trees"] - numbers["probe_half"]
        parts.append("more rows help much" if gain > 0.08 else "more rows help" if gain > 0.03 else "rows suffice")
    if "probe_late" in numbers and "probe_trees" in numbers:
        lost = numbers["probe_trees"] - numbers["probe_late"]
        parts.append("later rows are unlike" if lost > 0.3 else "later rows differ" if lost > 0.12 else "no drift")
        ahead = numbers.get("probe_late_linear", 0) - numbers["probe_late"]
        if abs(ahead) > 0.1:
            parts.append("later linear leads" if ahead > 0 else "later trees lead")
    return f"{', '.join(parts).capitalize()}." if parts else ""


def shape(numbers: Mapping[str, float]) -> str:
    """Sizes, and how columns go with the target and each other."""
    rows, width = numbers.get("rows", 0), numbers.get("columns", 0)
    parts = [stepped("rows", rows, "very many rows"), stepped("columns", width, "very many columns")]
    if width and rows / width < 10:
        parts.append("wide")
    strongest, related = numbers.get("strongest"), numbers.get("related")
    if strongest is not None and related is not None:
        parts.append(f"strongest column {level(strongest)}")
        parts.append("most columns matter" if related > 0.6 else "some matter" if related > 0.25 else "few matter")
        if numbers.get("alike", 0) > 0.5:
            parts.append("columns alike")
    return f"{', '.join(parts).capitalize()}."


def columns(numbers: Mapping[str, float]) -> str:
    """Kinds of columns and their faults."""
    parts: list[str] = []
    width = max(1.0, numbers.get("columns", 1))
    for kind, said in (("category", "categories"), ("flag", "flags"), ("text", "text"), ("date", "dates")):
        share = numbers.get(f"{kind}_columns", 0) / width
        if share:
            parts.append(f"{'mostly' if share > 0.6 else 'some' if share > 0.2 else 'few'} {said}")
    most = numbers.get("values_most", 0)
    if most > 25:
        parts.append("a category of very many values" if most > 100 else "a category of many values")
    missing = numbers.get("missing", 0)
    if missing > 0.005:
        parts.append("many gaps" if missing > 0.15 else "gaps")
    if numbers.get("skewed", 0) > 0.1:
        parts.append("many skewed numbers" if numbers["skewed"] > 0.4 else "skewed numbers")
    if numbers.get("long_tails", 0) > 0.1:
        parts.append("outliers")
    return f"Columns: {', '.join(parts)}." if parts else "Columns: plain numbers."


def instruction_text(preprocessing: str, model: str, training: str) -> str:
    """An instruction of three parts as the ranker reads it: the model first, because long ones are cut."""
    return f"Model: {model.strip()} Preprocessing: {preprocessing.strip()} Training: {training.strip()}"


def level(value: float) -> str:
    """A share that is explained."""
    return next((said for most, said in LEVELS if value <= most), "all")


def difference(value: float) -> str:
    """How far behind."""
    return next((said for most, said in SIZES if value <= most), "useless")


def stepped(name: str, value: float, most: str) -> str:
    """A size in words."""
    steps: Sequence[tuple[float, str]] = STEPS[name]
    return next((said for limit, said in steps if value <= limit), most)
