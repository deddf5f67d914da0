#!/usr/bin/env bash
# Installs what is missing and says so: the virtual environment, the ranker's base model, the container engine, the
# sandbox image.
#   scripts/setup.sh          all of them
#   scripts/setup.sh venv     the environment only
#   scripts/setup.sh ranker   the environment and the ranker's base model
#   scripts/setup.sh test     all of them, and podman, crun, runsc and PostgreSQL: what the tests need
set -euo pipefail
cd "$(dirname "$0")/.."
source scripts/python.sh
source scripts/engine.sh

wanted=${1:-all}
ensure_venv
[[ $wanted == venv ]] && exit 0
# Without its base model the recipes' priors take the ranker's place, visibly: no reason to stop here.
"$VENV/bin/python" -m ranker.base_model || say "Until the base model is there, the recipes' priors order instructions."
[[ $wanted == all || $wanted == test ]] || exit 0
[[ $wanted != test ]] || ensure_test_engines

# One quick question where all is there; the slow path finds out what is missing.
if ! "$VENV/bin/python" -m sandbox.image present; then
  ensure_engine
  "$VENV/bin/python" -m sandbox.image build
fi
