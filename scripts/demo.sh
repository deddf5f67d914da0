#!/usr/bin/env bash
# Solves an example task, then grades its submission by the answers that lie beside the task.
set -euo pipefail
cd "$(dirname "$0")/.."
example=${EXAMPLE:-life-expectancy}
run=runs/demo-$example-$(date +%Y%m%d-%H%M%S)
.venv/bin/python -m agents.run "examples/$example/task.yaml" --out "$run" ${DEMO_OPTIONS:---attempts 4 --minutes 6}
.venv/bin/python -m examples.truth "examples/$example" "$run"
