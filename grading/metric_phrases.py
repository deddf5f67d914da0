"""Which metric a description names, where it leaves no doubt: full phrases in its section on evaluation.

Nothing here guesses: two metrics, or a word that may change the one that is named, mean that somebody must be asked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from grading.base import TaskError
from grading.metric_names import METRIC_NAMES, RANKED, resolve_metric

TOO_SHORT = frozenset({"acc", "ap", "l1", "map", "r_2", "roc", "f_1", "bacc", "mapk"})
"""Other names of metrics that are too common, or too short, to be looked for in running text."""
LONGEST_QUOTE = 200
"""Characters of the sentence that is quoted."""
LONGEST_SECTION = 20_000
"""Characters of the section on evaluation that are read."""
_HEADING = re.compile(r"^\s{0,3}(#{1,6})\s*(.+?)\s*#*\s*$")
_ABOUT = re.compile(r"\b(?:evaluation|metric|scoring)\b", re.IGNORECASE)
_FORM = re.compile(r"\b(?:submission|format|timeline|prizes?)\b", re.IGNORECASE)
_NOISE = re.compile(r"```.*?```|\$\$.*?\$\$|\$[^$\n]*\$|\]\([^)\s]*\)|<[^<>]*>|https?://\S+", re.DOTALL)
_SENTENCES = re.compile(r"(?<=[.!?])\s+|\n+")
_RANKED_AT = re.compile(
    r"_((?:map|ndcg|mean_average_precision|normali[sz]ed_discounted_cumulative_gain)_(?:at_)?\d{1,4})_"
)
_BEFORE = re.compile(r"_(?:mean|average|averaged|weighted|modified|adjusted|macro|micro|log|scaled|partial|top_\d+)_@_")
"""Right before a name, such a word makes another metric of it."""
_BY_COLUMN = re.compile(r"_(?:column_?wise|columns?|individual|averaged|average_of|mean_of|each_of)_")
_TWISTED = re.compile(r"_(?:weighted|macro|micro|modified|penali[sz]\w*|custom)_")
_LOGARITHM = re.compile(r"_log(?:s|arithms?|arithmic)?_")


@dataclass(frozen=True)
class Named:
    """A metric that a description names."""

    metric: str
    """Canonical name."""
    sentence: str
    """Where it says so."""


def named_metric(description: str) -> Named | None:
    """The one metric that the section on evaluation names in full; None where there is any doubt."""
    named: dict[str, str] = {}
    rest = "_"
    for sentence in _sentences(evaluation(description)):
        found, masked = _names_in(_key(sentence))
        if None in found:
            return None
        named.update({metric: sentence for metric in found if metric and metric not in named})
        rest += masked
    if len(named) != 1:
        return None
    [(metric, sentence)] = named.items()
    return None if _changed(metric, rest) else Named(metric, sentence[:LONGEST_QUOTE])


def evaluation(description: str) -> str:
    """The lines below the headings that speak of evaluation, up to the form of a submission."""
    kept: list[str] = []
    level = 0
    for line in description.splitlines():
        heading = _HEADING.match(line)
        if heading:
            depth = len(heading[1])
            if _FORM.search(heading[2]):
                level = 0
            elif _ABOUT.search(heading[2]):
                level = level or depth
            elif depth <= level:
                level = 0
        elif level:
            kept.append(line)
    return "\n".join(kept)[:LONGEST_SECTION]


def _sentences(text: str) -> Iterator[str]:
    for sentence in _SENTENCES.split(_NOISE.sub(" ", text)):
        if plain := " ".join(re.sub(r"[*_`\[\]]", "", sentence).split()):
            yield re.sub(r" (?=[,.;:])", "", plain)


def _key(sentence: str) -> str:
    """As `grading.metric_names` spells names: lower case, words joined by underscores; one at either end."""
    words = re.sub(r"['’]", "", sentence.lower()).replace("²", "2").replace("@", "_at_")
    return f"_{re.sub(r'[^a-z0-9]+', '_', words).strip('_')}_"


def _names_in(key: str) -> tuple[set[str | None], str]:
    """The metrics in a sentence (None stands for one that needs a number it does not have), and what is left of it."""
    found: set[str | None] = set()
    for match in _RANKED_AT.finditer(key):
        try:
            found.add(resolve_metric(match[1].replace("_", " ")))
        except TaskError:
            found.add(None)
    key = _RANKED_AT.sub("_@_", key)
    for phrase, metric in _PHRASES:
        if f"_{phrase}_" in key:
            found.add(metric)
            key = key.replace(f"_{phrase}_", "_@_")
    return found, key


def _changed(metric: str, rest: str) -> bool:
    """Whether the words around the name may make another metric of it."""
    if _BEFORE.search(rest) or _TWISTED.search(rest):
        return True
    if not metric.startswith("mean_columnwise") and metric != "mcrmse" and _BY_COLUMN.search(rest):
        return True
    logarithmic = metric in ("log_loss", "balanced_log_loss") or metric.endswith(("rmsle", "_log_loss"))
    return not logarithmic and bool(_LOGARITHM.search(rest))


def _phrases() -> list[tuple[str, str | None]]:
    """Phrase -> metric, the longest first, so that no part of a name is taken for a name."""
    known: dict[str, str | None] = {alias: None for ranked in RANKED.values() for alias in ranked.aliases}
    known |= {phrase: name for name, metric in METRIC_NAMES.items() for phrase in (name, *metric.aliases)}
    return sorted(((p, name) for p, name in known.items() if p not in TOO_SHORT), key=lambda pair: -len(pair[0]))


_PHRASES = _phrases()
