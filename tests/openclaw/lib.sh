# What the walk is made of. Sourced by ../openclaw.sh; $T is the walk's own directory.

failures=0
pass() { printf 'PASS %s\n' "$*"; }
fail() { printf 'FAIL %s\n' "$*"; failures=$((failures + 1)); }
note() { printf '     %s\n' "$*"; }

# check WHAT COMMAND...: the command must succeed.
check() {
  local what=$1; shift
  if "$@" >>"$T/check.out" 2>&1; then pass "$what"; else fail "$what ($*)"; fi
}
# holds WHAT TEXT PATTERN: the text must contain the pattern (a fixed string).
holds() { if [[ $2 == *"$3"* ]]; then pass "$1"; else fail "$1: \"$3\" is not in: ${2:0:600}"; fi; }
# within SECONDS COMMAND...: waits until the command succeeds.
within() {
  local end=$((SECONDS + $1)); shift
  until "$@" >/dev/null 2>&1; do ((SECONDS < end)) || return 1; sleep 0.1; done
}
now_ms() { date +%s%3N; }

# json EXPRESSION: evaluates it over the JSON document `d` on standard input.
json() { "$NODE" -e 'const d = JSON.parse(require("fs").readFileSync(0)); const v = eval(process.argv[1]); console.log(typeof v === "object" ? JSON.stringify(v) : String(v ?? ""))' "$1"; }
# json_lines EXPRESSION: the same, `d` being the list of the JSON documents on the lines of standard input.
json_lines() { sed '1s/^/[/; $!s/$/,/; $s/$/]/' | json "$1"; }

mc() { "$BIN/mcctl" --home "$MC" --passphrase-file "$T/passphrase" "$@"; }

pending() { mc approval list --status pending --json | json 'd.items[0]?.id'; }
has_pending() { [[ -n $(pending) ]]; }
# asked: waits for an approval and prints its number.
asked() { within "${1:-60}" has_pending && pending; }
approve() { mc approve "$1" --yes --digest "$(mc approval show "$1" --json | json d.digest)" --note "${2:-looked at it}" >/dev/null; }

start_mcd() {
  setsid "$BIN/mcd" --home "$MC" run >>"$T/mcd.log" 2>&1 &
  echo $! >"$T/mcd.pid"; disown
  within 20 mc status
}
start_bridge() {
  setsid "$@" >>"$T/bridge.log" 2>&1 &
  echo $! >"$T/bridge.pid"; disown
}
start_model() {
  MOCK_PORT=$MOCK_PORT MOCK_LOG=$T/model.jsonl MOCK_BILL=$T/bill.jsonl setsid "$NODE" "$HERE/mock-model.mjs" >>"$T/model.log" 2>&1 &
  echo $! >"$T/model.pid"; disown
  within 10 model_calls
}
start_gateway() {
  HOME=$T/home OPENCLAW_STATE_DIR=$T/home/.openclaw PATH=$NODE_DIR:$PATH setsid "$NODE" "$OPENCLAW" gateway run >>"$T/gateway.out" 2>&1 &
  echo $! >"$T/gateway.pid"; disown
  within 180 curl -fsS -m 1 "http://127.0.0.1:$GW_PORT/readyz"
}
alive() { [[ -f $T/$1.pid ]] && kill -0 "$(cat "$T/$1.pid")" 2>/dev/null; }
gone() { ! alive "$1"; }
stop() {
  alive "$1" || return 0
  kill "$(cat "$T/$1.pid")"
  within 30 gone "$1" || kill -9 -- "-$(cat "$T/$1.pid")"
  rm -f "$T/$1.pid"
}

model_calls() { curl -fsS -m 2 "http://127.0.0.1:$MOCK_PORT/calls"; }
# What the model was shown last: every result of a tool, newest last.
results() { tail -n 1 "$T/model.jsonl" | json 'd.filter((m) => m.role === "tool").map((m) => typeof m.content === "string" ? m.content : JSON.stringify(m.content)).join("\n---\n")'; }
gateway() { GW_PORT=$GW_PORT GW_TOKEN=$GW_TOKEN timeout 120 "$NODE" "$HERE/gateway.mjs" "$@"; }
# turn NAME SESSION SCRIPT: begins a turn in the background; its end stands in $T/NAME.turn.
turn() { gateway turn "$2" "$1 MOCK:$3" >"$T/$1.turn" 2>&1 & }
refused() { rm -f "$T/$1.turn"; turn "$@"; within 30 ended "$1" && grep -q "$refusal" "$T/$1.turn"; }
ended() { [[ -s $T/$1.turn ]]; }

screen() { tmux -L "$TMUX_NAME" capture-pane -p -t console; }
shows() { [[ $(screen) == *"$1"* ]]; }
hides() { ! shows "$1"; }
keys() { local key; for key in "$@"; do tmux -L "$TMUX_NAME" send-keys -t console "$key"; sleep 0.25; done; }
types() { tmux -L "$TMUX_NAME" send-keys -t console -l "$1"; sleep 0.4; }

# approve_on_screen A-n: reads the evidence of a red call to its end, then types a reason and the code.
approve_on_screen() {
  keys 2
  within 5 shows "$1" || return 1
  keys J J J J J J J J
  within 5 shows 'type it to approve' || return 1
  local code
  code=$(screen | grep -oE 'code +[0-9a-f]{6}' | grep -oE '[0-9a-f]{6}$' | tail -n 1)
  keys a
  within 5 shows "Approve $1" || return 1
  sleep 0.5 # the dialog ignores keys that come too early
  types 'release notes are wanted'; keys Enter
  types "$code"; keys Enter
  within 10 hides 'code printed at the end'
}
