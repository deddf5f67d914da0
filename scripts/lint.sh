#!/usr/bin/env bash
# Style and types, all of it even where the first part fails.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0
.venv/bin/python -m ruff check . || failed=1
.venv/bin/python -m ruff format --check . || failed=1
.venv/bin/python -m mypy || failed=1
exit $failed
