"""The closing line of `make test`: adds up what the parts reported.

    python scripts/summary.py RESULTS [FAILED_PART...]

RESULTS holds pytest's JUnit files. A part that failed without a failed test (lint, a crash, time up) counts as one.
"""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree


def summary(results: Path, failed_parts: list[str]) -> tuple[str, int]:
    """The text to print, and the exit code."""
    suites = [suite for file in sorted(results.glob("*.xml")) for suite in ElementTree.parse(file).iter("testsuite")]
    total = {key: sum(int(suite.get(key, 0)) for suite in suites) for key in ("tests", "failures", "errors", "skipped")}
    failed = total["failures"] + total["errors"]
    passed = total["tests"] - failed - total["skipped"]
    text = [f"Failed part: {name}" for name in failed_parts]
    text.append(f"{passed} passed, {max(failed, len(failed_parts))} failed, {total['skipped']} skipped")
    return "\n".join(text), 1 if failed or failed_parts else 0


if __name__ == "__main__":
    said, code = summary(Path(sys.argv[1]), sys.argv[2:])
    print(said)
    sys.exit(code)
