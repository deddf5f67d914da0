#!/usr/bin/env bash
# Installs what is missing and says so: the virtual environment, the container engine, the sandbox image.
#   scripts/setup.sh          all three
#   scripts/setup.sh venv     the environment only
#   scripts/setup.sh ranker   the environment with torch, transformers and peft, for local models and the ranker
#   scripts/setup.sh test     all three, the environment with these too, and podman, crun and runsc: what the tests need
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/python.sh
source scripts/engine.sh

wanted=${1:-all}
[[ $wanted == ranker || $wanted == test ]] && extras=dev,ranker || extras=dev
ensure_venv "$extras"
[[ $wanted == all || $wanted == test ]] || exit 0
[[ $wanted != test ]] || ensure_test_engines

# One quick question where all is there; the slow path finds out what is missing.
if ! "$VENV/bin/python" -m sandbox.image present; then
  ensure_engine
  "$VENV/bin/python" -m sandbox.image build
fi
