#!/usr/bin/env bash
# Installs Mission Control: builds it, places the programs, sets a squad up, starts the daemon.
# Safe to run again: an upgrade keeps the squad and restarts the daemon.
set -euo pipefail

usage() {
  cat <<'TEXT'
usage: ./install.sh [options]

  --open             open the console at the end
  --prefix DIR       where programs go [default: ~/.local, with --system /usr/local]
  --home DIR         where the squad lies [default: the user's own places]
  --passphrase-file F  take the operator's passphrase from F (mode 0600) instead of asking
  --no-start         install and set up, start nothing
  --no-systemd       start the daemon in the background, even where systemd could keep it
  --from DIR         take built programs from DIR instead of building

  --system           install a system service with its own user, groups and sockets (as root)
  --operator USER    with --system: who governs [default: who called sudo]
  --agent-user USER  with --system: a user that agents run as; repeat for more

  --uninstall        stop the daemon and take the programs away; the squad's data stays
  --purge            with --uninstall: take the squad's data away, too
  --help             this text
TEXT
}

say() { printf '%s\n' "$*"; }
die() { printf 'install.sh: %s\n' "$*" >&2; exit 1; }

programs=(mcd mcd-notify mctui mcctl mc-openclaw)
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
prefix='' home='' passphrase_file='' from='' operator=''
agent_users=()
open=no start=yes systemd=auto system=no uninstall=no purge=no

needs_value() { [[ $# -ge 2 && -n $2 ]] || die "$1 needs a value (see --help)"; }

while [[ $# -gt 0 ]]; do
  case $1 in
    --open) open=yes ;;
    --no-start) start=no ;;
    --no-systemd) systemd=no ;;
    --system) system=yes ;;
    --uninstall) uninstall=yes ;;
    --purge) purge=yes ;;
    --prefix) needs_value "$@"; prefix=$2; shift ;;
    --home) needs_value "$@"; home=$2; shift ;;
    --passphrase-file) needs_value "$@"; passphrase_file=$2; shift ;;
    --from) needs_value "$@"; from=$2; shift ;;
    --operator) needs_value "$@"; operator=$2; shift ;;
    --agent-user) needs_value "$@"; agent_users+=("$2"); shift ;;
    --help | -h) usage; exit 0 ;;
    *) usage >&2; printf '\ninstall.sh: unknown option %s\n' "$1" >&2; exit 2 ;;
  esac
  shift
done

[[ $purge == no || $uninstall == yes ]] || die '--purge goes with --uninstall'
[[ $system == no || -z $home ]] || die '--system has fixed places: leave --home out'
[[ $system == no || $(id -u) == 0 ]] || die '--system needs root: run `sudo ./install.sh --system`'
[[ $system == yes || ${#agent_users[@]} == 0 ]] || die '--agent-user goes with --system'

absolute() { case $1 in /*) printf '%s' "$1" ;; *) printf '%s/%s' "$PWD" "$1" ;; esac; }

: "${HOME:?install.sh: HOME must be set}"
if [[ $system == yes ]]; then prefix=${prefix:-/usr/local}; fi
prefix=$(absolute "${prefix:-$HOME/.local}")
home=${home:-${MC_HOME:-}}
[[ -z $home || $system == yes ]] || home=$(absolute "$home")
bin=$prefix/bin
share=$prefix/share/mission-control
if [[ $system == yes ]]; then
  config=/etc/mission-control state=/var/lib/mission-control run=/run/mission-control home=''
elif [[ -n $home ]]; then
  config=$home/config state=$home/state run=$home/run
else
  config=${XDG_CONFIG_HOME:-$HOME/.config}/mission-control
  state=${XDG_STATE_HOME:-$HOME/.local/state}/mission-control
  run=${XDG_RUNTIME_DIR:+$XDG_RUNTIME_DIR/mission-control}
  run=${run:-$state/run}
fi
at_home=()
[[ -z $home ]] || at_home=(--home "$home")
units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
unit=mission-control.service
notify_unit=mission-control-notify.service
sockets=(mission-control-agent.socket mission-control-operator.socket mission-control-notify.socket)
pid_file=$state/mcd.pid
notify_pid_file=$state/mcd-notify.pid

# An agent's identity in the environment must not speak here.
unset MC_AGENT MC_TOKEN_FILE MC_SOCKET

# --- building and placing -------------------------------------------------------------------------

build() {
  if [[ -n $from ]]; then
    from=$(absolute "$from")
    return
  fi
  command -v cargo >/dev/null || die 'cargo is not there: install Rust from https://rustup.rs and run this again'
  say 'Building; the first time this takes some minutes.'
  (cd "$here" && cargo build --release --locked -p mcd -p mc-notify -p mctui -p mcctl -p mc-openclaw)
  from=${CARGO_TARGET_DIR:-$here/target}/release
}

# Puts a program beside its place and renames it: a running one is not disturbed.
place() {
  [[ -x $from/$1 ]] || die "$from/$1 is missing: build it, or leave --from out"
  install -m 0755 "$from/$1" "$bin/.$1.new"
  mv -f "$bin/.$1.new" "$bin/$1"
}

place_all() {
  mkdir -p "$bin" "$share/completions" "$share/systemd"
  local program shell
  for program in "${programs[@]}"; do place "$program"; done
  rm -rf "$share/openclaw.new"
  cp -R "$here/integrations/openclaw/plugin" "$share/openclaw.new"
  rm -rf "$share/openclaw"
  mv "$share/openclaw.new" "$share/openclaw"
  for shell in bash zsh fish; do
    "$bin/mcctl" completions "$shell" >"$share/completions/mcctl.$shell"
  done
  local args=''
  [[ -z $home ]] || args=" --home \"$home\""
  local one
  for one in "$unit" "$notify_unit"; do
    render "$here/packaging/systemd/user/$one" "$share/systemd/$one" "$args"
  done
  say "Installed ${programs[*]} in $bin"
}

# Fills the paths into a unit file.
render() {
  local text
  text=$(<"$1")
  text=${text//@BIN@/$bin}
  printf '%s\n' "${text//@ARGS@/$3}" >"$2"
}

# --- the squad ------------------------------------------------------------------------------------

random_passphrase() { head -c 18 /dev/urandom | base64 | tr -d '\n'; }

set_up() {
  local init=(init "${at_home[@]}") made=''
  if [[ -n $passphrase_file ]]; then
    init+=(--passphrase-file "$passphrase_file")
  elif [[ ! -e $config/identity.toml && ! -t 0 ]]; then
    (umask 077 && mkdir -p "$config" && random_passphrase >"$config/passphrase")
    made=$config/passphrase
    init+=(--passphrase-file "$made")
  fi
  if [[ $system == yes ]]; then init+=(--system); else init+=(--single-user); fi
  # What comes next is said at the end, when the daemon runs.
  "$bin/mcctl" "${init[@]}" "$@" | sed '/^next /d'
  if [[ -n $made ]]; then
    say "PASSPHRASE: there was no terminal to ask on, so a random one was made. It is in $made"
    say '            (mode 0600). Learn it or keep it elsewhere, then delete that file.'
  fi
}

# --- the daemon of one user -----------------------------------------------------------------------

has_user_systemd() {
  [[ $systemd == auto ]] && command -v systemctl >/dev/null \
    && systemctl --user show-environment >/dev/null 2>&1
}

# Prints the process that the pid file $1 names, if it still is our program $2.
background_pid() {
  local pid
  [[ -r $1 ]] || return 1
  pid=$(<"$1")
  [[ $pid =~ ^[0-9]+$ && $(cat "/proc/$pid/comm" 2>/dev/null) == "$2" ]] || return 1
  printf '%s' "$pid"
}

stop_one() {
  local pid tries
  pid=$(background_pid "$1" "$2") || { rm -f "$1"; return 0; }
  kill -TERM "$pid"
  for ((tries = 0; tries < 200; tries++)); do
    background_pid "$1" "$2" >/dev/null || { rm -f "$1"; return 0; }
    sleep 0.1
  done
  die "$2 (process $pid) does not end within 20 s"
}

stop_background() {
  stop_one "$notify_pid_file" mcd-notify
  stop_one "$pid_file" mcd
}

# Says whether notify.toml names a sink; a wrong one is said and started by nobody.
has_sinks() {
  local code=0
  [[ -e $config/notify.toml ]] || return 1
  "$bin/mcd" "${at_home[@]}" notify --check || code=$?
  [[ $code == 0 ]] && return 0
  [[ $code == 3 ]] || say 'notify.toml is wrong: notices are not sent until it is mended (see docs/NOTIFICATIONS.md)'
  return 1
}

start_notify() {
  has_sinks || return 0
  if has_user_systemd; then
    cp "$share/systemd/$notify_unit" "$units/$notify_unit"
    systemctl --user daemon-reload
    systemctl --user enable --quiet "$notify_unit"
    systemctl --user restart "$notify_unit"
  else
    (
      umask 077
      setsid nohup "$bin/mcd" "${at_home[@]}" notify >>"$state/mcd-notify.log" 2>&1 </dev/null &
      printf '%s\n' "$!" >"$notify_pid_file"
    )
  fi
  say 'Notices are sent to the sinks of notify.toml (mcctl notify status)'
}

start_user() {
  if has_user_systemd; then
    stop_background
    mkdir -p "$units"
    cp "$share/systemd/$unit" "$units/$unit"
    systemctl --user daemon-reload
    systemctl --user enable --quiet "$unit"
    systemctl --user restart "$unit"
    say "The daemon runs as the user service $unit"
    say '(to keep it after you log out: loginctl enable-linger)'
  else
    stop_background
    (
      umask 077
      mkdir -p "$state"
      # shellcheck disable=SC2094
      setsid nohup "$bin/mcd" run "${at_home[@]}" >>"$state/mcd.log" 2>&1 </dev/null &
      printf '%s\n' "$!" >"$pid_file"
    )
    say "The daemon runs in the background; its log is $state/mcd.log"
  fi
  wait_until_up
  start_notify
}

wait_until_up() {
  local tries
  for ((tries = 0; tries < 150; tries++)); do
    if "$bin/mcctl" status "${at_home[@]}" >/dev/null 2>&1; then return 0; fi
    sleep 0.1
  done
  "$bin/mcctl" status "${at_home[@]}" || true
  [[ ! -r $state/mcd.log ]] || tail -n 20 "$state/mcd.log" >&2
  die 'the daemon does not answer within 15 s'
}

# --- the system service ---------------------------------------------------------------------------

system_users() {
  if command -v systemd-sysusers >/dev/null; then
    systemd-sysusers "$here/packaging/sysusers.d/mission-control.conf"
  else
    local group
    for group in mcd mc-notify mc-agents mc-operators; do
      getent group "$group" >/dev/null || groupadd --system "$group"
    done
    getent passwd mcd >/dev/null \
      || useradd --system --gid mcd --home-dir /var/lib/mission-control --no-create-home --shell /usr/sbin/nologin mcd
    getent passwd mc-notify >/dev/null \
      || useradd --system --gid mc-notify --home-dir / --no-create-home --shell /usr/sbin/nologin mc-notify
  fi
  install -D -m 0644 "$here/packaging/sysusers.d/mission-control.conf" /usr/lib/sysusers.d/mission-control.conf
}

system_places() {
  install -D -m 0644 "$here/packaging/tmpfiles.d/mission-control.conf" /usr/lib/tmpfiles.d/mission-control.conf
  if command -v systemd-tmpfiles >/dev/null; then
    systemd-tmpfiles --create /usr/lib/tmpfiles.d/mission-control.conf
  else
    install -d -m 0755 -o mcd -g mcd /run/mission-control
    install -d -m 2750 -o mcd -g mc-agents /run/mission-control/agent
    install -d -m 2750 -o mcd -g mc-operators /run/mission-control/operator
    install -d -m 2750 -o mcd -g mc-notify /run/mission-control/notify
    install -d -m 0750 -o root -g mc-notify /etc/mission-control-notify
    install -d -m 0711 -o mcd -g mcd /var/lib/mission-control
    install -d -m 0750 -o root -g mcd /etc/mission-control
  fi
}

system_install() {
  operator=${operator:-${SUDO_USER:-}}
  [[ -n $operator ]] || die '--system needs --operator USER: the account that governs, and that no agent uses'
  local operator_uid user uids=()
  operator_uid=$(id -u "$operator") || die "there is no user $operator"
  for user in "${agent_users[@]}"; do
    uids+=(--agent-uid "$(id -u "$user")") || die "there is no user $user"
    [[ $user != "$operator" ]] || die "agents must not run as the operator $operator"
  done
  system_users
  system_places
  usermod -a -G mc-operators "$operator"
  for user in "${agent_users[@]}"; do usermod -a -G mc-agents "$user"; done
  set_up --operator "$operator" --operator-uid "$operator_uid" --notify-uid "$(id -u mc-notify)" "${uids[@]}"
  # The daemon reads its configuration and can't change it.
  chown -R root:mcd "$config"
  chmod 0750 "$config"
  chmod 0700 "$config/tokens"
  chmod 0640 "$config"/*.toml
  chown -R mcd:mcd "$state"
  local file
  for file in "$here"/packaging/systemd/system/*; do
    render "$file" "/etc/systemd/system/$(basename "$file")" ''
  done
  [[ $start == yes ]] || return 0
  command -v systemctl >/dev/null || die 'systemd is not there; start `mcd run` as the user mcd yourself'
  systemctl daemon-reload
  systemctl enable --quiet "${sockets[@]}" "$unit"
  systemctl restart "${sockets[@]}" "$unit"
  wait_until_up
  if runuser -u mc-notify -- "$bin/mcd" notify --config /etc/mission-control-notify/notify.toml --check; then
    systemctl enable --quiet "$notify_unit"
    systemctl restart "$notify_unit"
  fi
  say "The daemon runs as the system service $unit; $operator governs (log in anew for the group)."
}

# --- taking it away -------------------------------------------------------------------------------

remove_data() {
  local dir
  for dir in "$config" "$state" "$run"; do
    # Only what is ours: these directories bear our name or lie in the squad's home.
    [[ -n $dir && $dir != / && ($dir == */mission-control* || (-n $home && $dir == "$home"/*)) ]] || continue
    rm -rf -- "$dir"
  done
  [[ -z $home ]] || rmdir --ignore-fail-on-non-empty "$home" 2>/dev/null || true
  say "Removed the squad's data"
}

uninstall() {
  if [[ $system == yes ]]; then
    if command -v systemctl >/dev/null; then
      systemctl disable --now --quiet "$notify_unit" "$unit" "${sockets[@]}" 2>/dev/null || true
    fi
    rm -f /etc/systemd/system/mission-control* /usr/lib/sysusers.d/mission-control.conf /usr/lib/tmpfiles.d/mission-control.conf
    ! command -v systemctl >/dev/null || systemctl daemon-reload || true
  else
    if has_user_systemd && [[ -e $units/$notify_unit ]]; then
      systemctl --user disable --now --quiet "$notify_unit" || true
      rm -f "$units/$notify_unit"
    fi
    if has_user_systemd && [[ -e $units/$unit ]]; then
      systemctl --user disable --now --quiet "$unit" || true
      rm -f "$units/$unit"
      systemctl --user daemon-reload
    fi
    stop_background
  fi
  local program
  for program in "${programs[@]}"; do rm -f "$bin/$program"; done
  rm -rf "$share"
  say "Removed the programs from $bin"
  if [[ $purge == yes ]]; then
    remove_data
  else
    say "The squad's data stays in $config and $state (--uninstall --purge removes it)"
  fi
}

next_steps() {
  local with=''
  [[ -z $home ]] || with=" --home $home"
  case :$PATH: in
    *:"$bin":*) ;;
    *) say "Put the programs on your path:  export PATH=\"$bin:\$PATH\"" ;;
  esac
  say ''
  if [[ $start == no ]]; then
    say "Next: start the daemon with  mcd run$with"
    return
  fi
  say "Next: open the console          mctui$with"
  say "      connect OpenClaw          mcctl openclaw install$with"
  say "      or look around            mcctl status$with   mcctl doctor$with"
}

# --- the walk -------------------------------------------------------------------------------------

if [[ $uninstall == yes ]]; then
  uninstall
  exit 0
fi
build
place_all
if [[ $system == yes ]]; then
  system_install
else
  set_up
  [[ $start == no ]] || start_user
fi
next_steps
if [[ $open == yes ]]; then
  [[ $start == yes ]] || die '--open needs a running daemon: leave --no-start out'
  [[ -t 0 && -t 1 ]] || die '--open needs a terminal; everything else is done'
  exec "$bin/mctui" "${at_home[@]}"
fi
