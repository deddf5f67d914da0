# Sourced by the other scripts: what they tell the user, and what they may do on this machine.

say() { printf '\033[1m==>\033[0m %s\n' "$*" >&2; }

# One sentence and the exit code of a machine that is not ready.
give_up() {
  printf '%s\n' "$*" >&2
  exit 3
}

# Root on a Debian family may install packages.
may_apt() { [[ $(id -u) == 0 ]] && command -v apt-get > /dev/null; }

# apt_install PACKAGE...
apt_install() {
  say "Installing $* with apt-get."
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq > /dev/null && apt-get install -y -qq "$@" > /dev/null < /dev/null \
    || give_up "apt-get could not install $*; install it by hand and run this again."
}
