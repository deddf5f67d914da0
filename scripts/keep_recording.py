"""`python -m scripts.keep_recording RUN FOLDER`: keep of a run what a replay needs, without a path of this machine."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from graphs.recorded import DIGEST, digest

KEPT = (
    "report.json",
    "start.py",
    "review.yaml",
    "llm/*.json",
    "profile/profile.json",
    "attempts/*/try-*/view-*/result.json",
)
PREDICTIONS = "attempts/*/try-*/view-*/predictions.csv"
SCRIPTS = ("attempts/*/try-*/solution.py", "profile/solution.py")
"""Of these only a digest is kept: models' scripts stand in llm/, recipes' in recipes/."""


def keep(run: Path, folder: Path) -> int:
    """Copy what a replay reads; the number of files."""
    shutil.rmtree(folder, ignore_errors=True)
    paths = [path for pattern in (*KEPT, PREDICTIONS) for path in sorted(run.glob(pattern))]
    for path in paths:
        target = folder / path.relative_to(run)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    for script in (path for pattern in SCRIPTS for path in run.glob(pattern)):
        known = (folder / script.relative_to(run)).with_name(DIGEST)
        known.parent.mkdir(parents=True, exist_ok=True)
        known.write_text(f"{digest(script.read_text())}\n")
    record, report = (json.loads((run / name).read_text()) for name in ("task.json", "report.json"))
    record["task"]["data"] = Path(record["task"]["data"]).name
    for settings in (record["settings"], report["settings"]):
        settings |= {"replay": None, "replay_executions": False, "replay_reworded": False}
    report["models"]["replay"] = None
    (folder / "task.json").write_text(json.dumps(record, indent=1) + "\n")
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    for path in folder.glob("llm/*.json"):  # a replay that is kept stands for the run that it replays
        path.write_text(path.read_text().replace('"replayed": true', '"replayed": false'))
    return len(paths) + 1


if __name__ == "__main__":
    source, kept = Path(sys.argv[1]), Path(sys.argv[2])
    print(f"{keep(source, kept)} files of {source} are kept in {kept}")
