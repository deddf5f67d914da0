"""The results of a batch as one static page: no scripts, nothing from elsewhere, every text escaped."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import quote

HEADINGS = ("task", "status", "score expected (95 % interval)", "winner", "attempts", "minutes", "USD", "files")
_STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; margin: 2em; color: #222; background: #fff }
table { border-collapse: collapse } th, td { text-align: left; padding: .3em .8em; border-bottom: 1px solid #ddd }
th { border-bottom: 2px solid #888 } td { vertical-align: top } .number { text-align: right }
.done { color: #17692e } .invalid, .refused, .failed { color: #a11 } .fault { color: #666; font-size: 85% }
@media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } a { color: #8bf }
th, td { border-color: #444 } .done { color: #6c8 } .invalid, .refused, .failed { color: #f88 } .fault { color: #999 } }
"""
_HEAD = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Results</title>
<style>{_STYLE}</style>
</head>
"""


def page(results: Sequence[Mapping[str, Any]], totals: Mapping[str, Any]) -> str:
    """The whole page."""
    status = ", ".join(f"{count} {name}" for name, count in totals["status"].items())
    first = (
        f"{totals['valid']} of {totals['tasks']} tasks have a valid submission ({status}); "
        f"{totals['minutes']:.1f} minutes of work, {totals['usd']:.4f} USD."
    )
    heads = "".join(f"<th>{escape(heading)}</th>" for heading in HEADINGS)
    rows = "\n".join(_row(result) for result in results)
    table = f"<table>\n<thead><tr>{heads}</tr></thead>\n<tbody>\n{rows}\n</tbody>\n</table>"
    return f"{_HEAD}<body>\n<h1>Results</h1>\n<p>{escape(first)}</p>\n{table}\n</body>\n</html>\n"


def score_of(result: Mapping[str, Any]) -> str:
    """The score that is expected, with its interval and its metric."""
    if result["estimate"] is None:
        return "-"
    interval = f" ({result['low']:.5g} to {result['high']:.5g})" if None not in (result["low"], result["high"]) else ""
    return f"{result['metric']} {result['estimate']:.5g}{interval}"


def _row(result: Mapping[str, Any]) -> str:
    fault = f'<div class="fault">{escape(result["fault"])}</div>' if result["fault"] else ""
    cells = (
        f'<td title="{escape(result["task"])}">{escape(result["name"])}</td>',
        f'<td class="{escape(result["status"])}">{escape(result["status"])}{fault}</td>',
        f"<td>{escape(score_of(result))}</td>",
        f"<td>{escape(result['winner'] or '-')}</td>",
        f'<td class="number">{result["attempts"]}</td>',
        f'<td class="number">{result["minutes"]:.1f}</td>',
        f'<td class="number">{result["usd"]:.4f}</td>',
        f"<td>{_links(result)}</td>",
    )
    return f"<tr>{''.join(cells)}</tr>"


def _links(result: Mapping[str, Any]) -> str:
    named = [(name, result[name]) for name in ("submission", "report", "log") if result[name]]
    return " ".join(f'<a href="{escape(quote(path))}">{name}</a>' for name, path in named)
