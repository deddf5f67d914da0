# Sourced by setup.sh: the virtual environment, made once and again when what it is made from changes.
source scripts/say.sh

VENV=.venv

# ensure_venv: $VENV holds this project's dependencies as pinned in constraints.txt.
ensure_venv() {
  local stamp=$VENV/linguacodus-setup want had=
  want=$(cat pyproject.toml constraints.txt | sha256sum | cut -c1-32)
  [[ -f $stamp ]] && had=$(< "$stamp")
  [[ $had == "$want" && -x $VENV/bin/python ]] && return
  "$VENV/bin/python" -c "import pip" 2> /dev/null || make_venv
  say "Installing Python packages into $VENV (usually one to two minutes; torch is large)."
  "$VENV/bin/python" -m pip install -qq --disable-pip-version-check --constraint constraints.txt --editable ".[dev,ranker,cluster,kaggle]" \
    || give_up "pip could not install the packages; see its message above, and whether a package index can be reached."
  echo "$want" > "$stamp"
}

make_venv() {
  local python
  python=$(find_python) || python=
  if [[ -z $python ]] && may_apt; then
    apt_install python3 python3-venv
    python=$(find_python) || python=
  fi
  [[ -n $python ]] || give_up "Python 3.11 or newer is needed and was not found; install it and run this again."
  if ! "$python" -c "import ensurepip, venv" 2> /dev/null; then
    may_apt || give_up "Python's venv module is missing; install it (Debian: apt-get install python3-venv) and run this again."
    apt_install "python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
  fi
  say "Making the virtual environment $VENV with $("$python" --version)."
  "$python" -m venv --clear "$VENV"
}

# The first Python that is new enough; 3.11 first, because the pins were measured with it.
find_python() {
  local name
  for name in python3.11 python3.12 python3.13 python3.14 python3; do
    if "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2> /dev/null; then
      command -v "$name"
      return
    fi
  done
  return 1
}
