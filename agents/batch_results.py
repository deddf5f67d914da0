"""The results of a batch, for programs and for people: results.csv, results.json and index.html."""

from __future__ import annotations

import csv
import io
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agents.batch_page import page
from agents.batch_table import Row, read_rows, refuse
from sandbox.files import locked, write_atomically

COLUMNS = (
    *("name", "status", "valid", "metric", "direction", "estimate", "low", "high", "winner", "attempts"),
    *("minutes", "usd", "tries", "code", "fault", "task", "submission", "report", "log"),
)
PATIENCE_S = 10.0
"""How long another shard may be at it; it then has written what it knows, and writes again soon."""


def write_results(out: Path, passed_over: Callable[[Path, Exception], object] = refuse) -> None:
    """Write all three from the tables of all shards; `passed_over` takes each that cannot be read.

    Raises: OSError; TaskError, SandboxError where a table cannot be read, unless `passed_over` takes them.
    """
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            lock = locked(out / "results.lock")
            break
        except BlockingIOError:
            if time.monotonic() > until:
                return
            time.sleep(0.05)
    with lock:
        results = [result(out, row) for row in _by_name(read_rows(out, passed_over))]
        sums = totals(results)
        write_atomically(out / "results.csv", as_csv(results).encode("utf-8", "replace"))
        text = json.dumps({"totals": sums, "tasks": results}, indent=1, ensure_ascii=False)
        write_atomically(out / "results.json", (text + "\n").encode("utf-8", "replace"))
        write_atomically(out / "index.html", page(results, sums).encode("utf-8", "replace"))


def _by_name(rows: Mapping[str, Row]) -> list[Row]:
    return sorted(rows.values(), key=lambda row: row.name)


def result(out: Path, row: Row) -> dict[str, Any]:
    """A row with its files, relative to the batch's folder; JSON-able."""
    run, log = Path("runs") / row.name, Path("runs") / f"{row.name}.log"
    files = {"submission": run / "submission.csv", "report": run / "report.json", "log": log}
    found = {name: path.as_posix() if (out / path).is_file() else None for name, path in files.items()}
    known = asdict(row) | {"valid": bool(row.valid), "minutes": round(row.seconds / 60, 2), "usd": round(row.usd, 6)}
    return {name: (known | found)[name] for name in COLUMNS}


def totals(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How many tasks ended how, and what all cost."""
    return {
        "tasks": len(results),
        "valid": sum(result["valid"] for result in results),
        "status": dict(sorted(Counter(result["status"] for result in results).items())),
        "minutes": round(sum(result["minutes"] for result in results), 2),
        "usd": round(sum(result["usd"] for result in results), 6),
    }


def as_csv(results: Sequence[Mapping[str, Any]]) -> str:
    """A line a task."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(results)
    return text.getvalue()
