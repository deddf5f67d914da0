# Sourced by setup.sh: a container engine that answers.
source scripts/say.sh

ENGINE_LOG=/var/log/linguacodus-dockerd.log
ENGINE_SECONDS=60

engine_answers() { "$VENV/bin/python" -m sandbox.image ping 2> /dev/null; }

ensure_engine() {
  engine_answers && return
  [[ -z ${DOCKER_HOST:-} ]] || give_up "No container engine answers at DOCKER_HOST=$DOCKER_HOST; start it or unset DOCKER_HOST."
  [[ $(id -u) == 0 ]] || give_up "$(advice)"
  command -v dockerd > /dev/null || install_engine
  start_engine
}

# What someone who is not root, or not on Debian, can do.
advice() {
  if [[ -S /var/run/docker.sock && ! -w /var/run/docker.sock ]]; then
    echo "This user may not use Docker; run 'sudo usermod -aG docker $(id -un)', log in again and run this again."
  elif command -v docker > /dev/null; then
    echo "Docker is installed but does not answer; start it ('sudo systemctl start docker', or Docker Desktop) and run this again."
  else
    echo "No container engine answers; install Docker (Debian, Ubuntu: 'sudo apt-get install docker.io'), start it and run this again."
  fi
}

install_engine() {
  may_apt || give_up "No container engine answers; install Docker for this system, start it and run this again."
  if [[ -t 0 ]]; then
    local answer
    read -r -p "No container engine answers. Install Docker (package docker.io) and start it? [Y/n] " answer
    [[ -z $answer || $answer == [yY]* ]] || give_up "Without a container engine nothing can run; install Docker and run this again."
  else
    say "No container engine answers: installing Docker (package docker.io, usually 15 s)."
  fi
  apt_install docker.io
}

# What the tests start engines and a database of their own with, beside the engine that is used.
ensure_test_engines() {
  local name missing=()
  for name in podman crun runsc; do
    command -v "$name" > /dev/null || missing+=("$name")
  done
  compgen -G "/usr/lib/postgresql/*/bin/initdb" > /dev/null || missing+=(postgresql)
  ((${#missing[@]})) || return 0
  may_apt || give_up "The tests need root, and ${missing[*]}; install them and run this again as root."
  apt_install --no-install-recommends "${missing[@]}"
}

# Through systemd where it runs; else in the background, outliving this shell.
start_engine() {
  if [[ -d /run/systemd/system ]]; then
    say "Starting Docker."
    systemctl start docker && wait_for_engine $$ && return
    give_up "Docker did not start; see 'journalctl -u docker', mend it and run this again."
  fi
  forget_dead_engine
  # Without a usable firewall dockerd refuses to make its bridge; the sandbox needs no container network.
  launch || launch --bridge=none --iptables=false --ip6tables=false \
    || give_up "dockerd did not start; its last words in $ENGINE_LOG are: $(tail -n 3 "$ENGINE_LOG")"
}

# launch OPTION...: dockerd in the background; whether it came to answer.
launch() {
  say "Starting dockerd in the background${*:+ with $*} (log: $ENGINE_LOG)."
  setsid nohup dockerd "$@" > "$ENGINE_LOG" 2>&1 < /dev/null &
  wait_for_engine $!
}

# wait_for_engine PID: whether it answers before PID is gone or time is up.
wait_for_engine() {
  local deadline=$((SECONDS + ENGINE_SECONDS))
  until engine_answers; do
    kill -0 "$1" 2> /dev/null && ((SECONDS < deadline)) || return 1
    sleep 0.5
  done
}

# A process file that outlived its dockerd (a crash, a reboot) would keep the next one from starting.
forget_dead_engine() {
  local file=/var/run/docker.pid
  [[ -f $file && $(cat "/proc/$(< "$file")/comm" 2> /dev/null) != dockerd ]] && rm -f "$file"
  return 0
}
