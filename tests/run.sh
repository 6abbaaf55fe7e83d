#!/usr/bin/env bash
# Runs every test: the workspace's own, then the walk with a real OpenClaw gateway.
# `./tests/run.sh --without-openclaw` leaves the gateway out (it downloads about 700 MB once).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

openclaw=yes
case ${1:-} in
  '') ;;
  --without-openclaw) openclaw=no ;;
  *) printf 'usage: ./tests/run.sh [--without-openclaw]\n' >&2; exit 2 ;;
esac

# The tests run the programs themselves, so they are built first.
cargo build --workspace --bins --locked
cargo test --workspace --locked
if command -v node >/dev/null; then
  node --test tests/openclaw/plugin/*.test.mjs
fi
[[ $openclaw == no ]] || ./tests/openclaw.sh
