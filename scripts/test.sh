#!/usr/bin/env bash
# Everything that CI runs: style and types, then five rounds of tests, each in the place that its code is made for.
#   host     what needs neither engine nor pandas nor torch, in parallel
#   local    models on this machine and the ranker, with torch and scikit-learn, two files at a time
#   docker   what needs the engine, two files at a time (half of it is waiting for containers): the sandbox, then whole runs
#   ml       what runs in containers (grader, recipes): inside the sandbox image, without network
# LINGUACODUS_LONG=all runs every long test, =none none; else a sample by LINGUACODUS_TEST_SEED.
set -uo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
results=$(mktemp -d)
trap 'rm -rf "$results"' EXIT
image=$("$python" -m sandbox.image tag)
long=${LINGUACODUS_LONG:-sample}
seed=${LINGUACODUS_TEST_SEED:-0}
export LINGUACODUS_LONG=$long LINGUACODUS_TEST_SEED=$seed
limit=1200
[[ $long == all ]] && limit=7200
failed=()

# part NAME COMMAND...: runs one part, within `limit` seconds.
part() {
  local name=$1 started=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  timeout --foreground --kill-after=10 "$limit" "$@" || failed+=("$name")
  printf '== %s: %d s\n' "$name" $((SECONDS - started))
}

part "style and types" bash scripts/lint.sh
part "tests on the host" "$python" -m pytest -q -n 2 -m "not docker and not ml and not local" --junitxml="$results/host.xml"
part "tests of local models" "$python" -m pytest -q -n 2 --dist loadfile -m local --junitxml="$results/local.xml"
part "tests of the sandbox" "$python" -m pytest -q -n 2 --dist loadfile -m docker tests/test_sandbox_*.py \
  --junitxml="$results/sandbox.xml"
part "tests with the engine" "$python" -m pytest -q -n 2 --dist loadfile -m "docker and not ml" --ignore-glob="*/test_sandbox_*" \
  --junitxml="$results/docker.xml"
part "tests in the image" "$python" scripts/in_image.py "$image" "$results" \
  python -m pytest -q -n 2 -m ml -p no:cacheprovider --junitxml=/results/ml.xml

printf '\n'
"$python" scripts/summary.py "$results" ${failed[@]+"${failed[@]}"}
