#!/usr/bin/env bash
# Installs into a fresh home, twice, and takes everything away again.
# `./tests/install.sh DIR` takes built programs from DIR instead of building them.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Rust stays where it is; everything else is new.
export CARGO_HOME=${CARGO_HOME:-$HOME/.cargo} RUSTUP_HOME=${RUSTUP_HOME:-$HOME/.rustup}
work=$(mktemp -d)
export HOME=$work/home
unset MC_HOME MC_SOCKET MC_AGENT MC_TOKEN_FILE XDG_CONFIG_HOME XDG_STATE_HOME XDG_DATA_HOME XDG_RUNTIME_DIR
mkdir -p "$HOME"
mcctl=$HOME/.local/bin/mcctl
state=$HOME/.local/state/mission-control
options=(--no-systemd)
[[ $# == 0 ]] || options+=(--from "$1")

cleanup() {
  local pid
  pid=$(cat "$state/mcd.pid" 2>/dev/null || true)
  if [[ -n $pid && $(cat "/proc/$pid/comm" 2>/dev/null) == mcd ]]; then kill "$pid" || true; fi
  rm -rf "$work"
}
trap cleanup EXIT

failed() { printf 'install test: %s\n' "$*" >&2; exit 1; }
step() { printf -- '--- %s\n' "$*"; }

step 'a fresh home'
./install.sh "${options[@]}" </dev/null
"$mcctl" status
[[ $(stat -c %a "$HOME/.config/mission-control/identity.toml") == 600 ]] || failed 'identity.toml is open'
[[ $(stat -c %a "$HOME/.config/mission-control/passphrase") == 600 ]] || failed 'the passphrase is open'
[[ -f $HOME/.local/share/mission-control/openclaw/openclaw.plugin.json ]] || failed 'the plugin is missing'
passphrase=$HOME/.config/mission-control/passphrase
"$mcctl" task create 'Survive an upgrade' --type docs --passphrase-file "$passphrase" --json >/dev/null
"$mcctl" agent register wren --passphrase-file "$passphrase" --token-file "$work/wren.token"
[[ $(stat -c %a "$work/wren.token") == 600 ]] || failed 'a token is open'
MC_AGENT=wren MC_TOKEN_FILE=$work/wren.token "$mcctl" task claim T-1 --json >/dev/null
first=$(cat "$state/mcd.pid")

step 'again: an upgrade keeps the squad and restarts the daemon'
before=$(cksum <"$HOME/.config/mission-control/identity.toml")
./install.sh "${options[@]}" </dev/null
[[ $(cksum <"$HOME/.config/mission-control/identity.toml") == "$before" ]] || failed 'the operator was replaced'
[[ $(cat "$state/mcd.pid") != "$first" ]] || failed 'the daemon was not restarted'
"$mcctl" task show T-1 --json | grep -q '"state":"assigned"' || failed 'the task is lost'
"$mcctl" audit verify
"$mcctl" doctor || true

step 'wrong options are usage errors'
code=0; ./install.sh --frobnicate >/dev/null 2>&1 || code=$?
[[ $code == 2 ]] || failed "an unknown option ended with $code"

step 'away again: first the programs, then the data'
second=$(cat "$state/mcd.pid")
./install.sh --uninstall
[[ ! -e $mcctl ]] || failed 'mcctl is still there'
[[ $(cat "/proc/$second/comm" 2>/dev/null) != mcd ]] || failed 'the daemon still runs'
[[ -e $HOME/.config/mission-control/identity.toml ]] || failed 'the data was removed'
./install.sh --uninstall --purge
[[ ! -e $HOME/.config/mission-control && ! -e $state ]] || failed 'the data is still there'
step 'done'
