#!/usr/bin/env bash
# Fuzzes each target: `tests/fuzz.sh [SECONDS] [TARGET...]`, 60 s each when nothing is said.
# What goes wrong is written to `.cache/fuzz/`; put it among the seeds once it is mended.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

seconds=${1:-60}
[[ $seconds =~ ^[0-9]+$ ]] || { printf 'usage: tests/fuzz.sh [SECONDS] [TARGET...]\n' >&2; exit 2; }
shift || true
targets=("$@")
[[ $# -gt 0 ]] || targets=(shell path host redact policy)

# The compiler's own coverage counters, which the engine reads; the flags are those of stable.
export RUSTFLAGS="--cfg fuzzing -Cpasses=sancov-module -Ccodegen-units=1 -Cdebug-assertions
  -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-trace-compares
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table"
host=$(rustc -vV | sed -n 's/^host: //p')
dir=${CARGO_TARGET_DIR:-target}/fuzz
bins=("${targets[@]/#/--bin=fuzz-}")
cargo build -p mc-fuzz --features libfuzzer "${bins[@]}" --profile fuzz --locked --target "$host" --target-dir "$dir"

for target in "${targets[@]}"; do
  printf '\n--- %s, %s s\n' "$target" "$seconds"
  mkdir -p ".cache/fuzz/$target"
  "$dir/$host/fuzz/fuzz-$target" ".cache/fuzz/$target" "tests/fuzz/seeds/$target" \
    -max_total_time="$seconds" -max_len=16384 -timeout=5 -rss_limit_mb=1024 -print_final_stats=1 \
    -artifact_prefix=".cache/fuzz/" 2>&1 | grep -vE '^#|# Uses:|NEW_FUNC|^INFO' | tail -n 40
done
# The counters make everything slow: what is slow shows in a build without them.
unset RUSTFLAGS
cargo run -q -p mc-fuzz --profile fuzz --bin replay --locked --target-dir "$dir" -- .cache/fuzz
cargo run -q -p mc-fuzz --profile fuzz --bin replay --locked --target-dir "$dir" -- tests/fuzz/seeds
printf '\nno target found anything\n'
