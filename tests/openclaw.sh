#!/usr/bin/env bash
# The walk with a real OpenClaw gateway: an agent asks, the daemon decides, a person approves in the
# console. Installs the pinned gateway and its Node from the package registry into a cache (once);
# the model is a script, and nothing outside this machine is spoken to afterwards.
#
# MC_CACHE   where the gateway is kept (default: .cache in the repository)
# MC_BIN     directory of built programs (default: they are built)
# MC_KEEP=1  leaves the walk's directory behind, with every log
# MC_PART    only this part, with a squad of its own: `money`
set -uo pipefail
REPO=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
HERE=$REPO/tests/openclaw
CACHE=${MC_CACHE:-$REPO/.cache}/openclaw
OPENCLAW_VERSION=2026.9.6 NODE_VERSION=24.21.0
ROOT=$(mktemp -d /tmp/mc-walk.XXXXXX)
T=$ROOT
MC=$T/mc WS=$T/workspace TMUX_NAME=mc-walk-$$
GW_PORT=$((20000 + RANDOM % 10000)) MOCK_PORT=$((30000 + RANDOM % 10000)) GW_TOKEN=walk-$RANDOM$RANDOM
unset MC_HOME MC_SOCKET MC_AGENT MC_TOKEN_FILE TMUX
. "$HERE/lib.sh"

cleanup() {
  local name
  tmux -L "$TMUX_NAME" kill-server 2>/dev/null
  for name in gateway bridge mcd model; do stop "$name"; done
  if [[ ${MC_KEEP:-} == 1 || $failures -gt 0 ]]; then
    note "logs: $ROOT"
    tail -n 15 "$T"/mcd.log "$T"/bridge.log 2>/dev/null
  fi
  [[ ${MC_KEEP:-} == 1 ]] || rm -rf "$ROOT"
}
finish() {
  printf '\n%d failure(s)\n' "$failures"
  exit $((failures > 0))
}
trap cleanup EXIT
trap 'exit 130' INT TERM
give_up() { fail "$*"; exit 1; }

# --- What the walk needs -------------------------------------------------------------------------
case $(uname -m) in x86_64) arch=x64 ;; aarch64) arch=arm64 ;; *) give_up "no pinned Node for $(uname -m)" ;; esac
NODE_DIR=$CACHE/node_modules/node-linux-$arch/bin NODE=$NODE_DIR/node OPENCLAW=$CACHE/node_modules/openclaw/openclaw.mjs
if [[ ! -x $NODE ]] || ! grep -q "\"version\": \"$OPENCLAW_VERSION\"" "${OPENCLAW%/*}/package.json" 2>/dev/null; then
  command -v npm >/dev/null || give_up 'npm is needed to install the gateway'
  mkdir -p "$CACHE" && cd "$CACHE" || exit 1
  [[ -f package.json ]] || printf '{ "private": true }\n' >package.json
  # No install scripts: neither package needs them, and what they would do is not ours to know.
  npm install --no-audit --no-fund --ignore-scripts "node-linux-$arch@$NODE_VERSION" "openclaw@$OPENCLAW_VERSION" >"$T/npm.log" 2>&1 ||
    { tail "$T/npm.log"; give_up 'the gateway could not be installed'; }
fi
cd "$REPO" || exit 1
if [[ -n ${MC_BIN:-} ]]; then BIN=$MC_BIN; else
  cargo build -q --locked -p mcd -p mcctl -p mctui -p mc-openclaw || give_up 'the programs do not build'
  BIN=${CARGO_TARGET_DIR:-$REPO/target}/debug
fi

if [[ ${MC_PART:-} == money ]]; then
  . "$HERE/money.sh"
  finish
fi

# --- A squad, a gateway, and the two joined by one command -----------------------------------------
mkdir -p "$WS" "$T/home/.openclaw"
(umask 077; printf 'four words are good\n' >"$T/passphrase")
check 'a squad is set up' mc init --single-user --squad walk --operator ana
start_mcd || give_up 'the daemon does not start'
start_model || give_up 'the model does not start'
sed -e "s|@T@|$T|g; s|@GW_PORT@|$GW_PORT|g; s|@GW_TOKEN@|$GW_TOKEN|g; s|@MOCK_PORT@|$MOCK_PORT|g" \
  "$HERE/openclaw.json" >"$T/home/.openclaw/openclaw.json"
install() {
  mc openclaw "$@" --config "$T/home/.openclaw/openclaw.json" --plugin-dir "$REPO/integrations/openclaw/plugin" --agent main=wren
}
install install --wait 0 --json >"$T/install.json" 2>"$T/install.err" || give_up "mcctl openclaw install: $(cat "$T/install.err")"
pass 'mcctl openclaw install joins gateway and squad'
mapfile -t bridge < <(json 'd.bridge.join("\n")' <"$T/install.json")
bridge[0]=$BIN/mc-openclaw
began=$(now_ms)
start_gateway || { tail -n 20 "$T/gateway.out"; give_up 'the gateway does not start'; }
note "gateway ready after $(($(now_ms) - began)) ms"
start_bridge "${bridge[@]}"
check 'mcctl openclaw check: plugin and bridge are attached' within 30 install check

# --- The console of the person ---------------------------------------------------------------------
console=yes
command -v tmux >/dev/null || { console=no; printf 'SKIP the console in tmux: tmux is missing (apt-get install tmux)\n'; }
if [[ $console == yes ]]; then
  tmux -L "$TMUX_NAME" -f /dev/null new-session -d -s console -x 120 -y 60 "$BIN/mctui --home $MC"
  check 'the console opens on the squad' within 20 shows Inbox
  keys L; types "$(cat "$T/passphrase")"; keys Enter
  check 'the passphrase unlocks it' within 20 hides assphrase
fi

# --- An agent claims, plans, starts, asks, submits -----------------------------------------------------
mc task create 'Write the release notes' --type docs --description 'Collect what changed.' >/dev/null
review=$(mc task show T-1 --json | json 'd.checklist.map((item) => ({ item, checked: true }))')
turn walk agent:main:main '[
  {"tool":"mc_task","args":{"action":"list"}},
  {"tool":"mc_task","args":{"action":"claim","task":"T-1"}},
  {"tool":"mc_task","args":{"action":"start","steps":["only one"]}},
  {"tool":"mc_task","args":{"action":"start","steps":["Collect","Write","Check"]}},
  {"tool":"exec","args":{"command":"ls > /dev/null && echo seen-without-asking"}},
  {"tool":"exec","args":{"command":"openclaw config set agents.x y"}},
  {"tool":"exec","args":{"command":"node -e \"require('"'fs'"').writeFileSync('"'one.txt','approved'"')\""}},
  {"tool":"exec","args":{"command":"printf denied > two.txt"}},
  {"tool":"exec","args":{"command":"mcctl task comment T-1 \"from the shell\" && printf restarted > three.txt"}},
  {"tool":"mc_task","args":{"action":"submit","deliverable":"one.txt and three.txt","self_review":'"$review"',"evidence":["cat one.txt: approved"]}},
  {"text":"handed in"}]'
first=$(asked 90) || give_up "the first call never asked; turn: $(cat "$T/walk.turn")"
holds 'the agent claimed, planned and started T-1' "$(mc task show T-1 --json | json 'd.state + " " + d.assignees + " " + d.work_plan?.length')" 'in_progress wren 3'
holds 'the evidence holds the exact command' "$(mc approval show "$first" --json | json 'JSON.stringify(d.statement.arguments)')" writeFileSync
if [[ $console == yes ]]; then
  check 'a person reads and approves it in the console' approve_on_screen "$first"
  grep -q . < <(screen) && screen >"$T/screen.txt"
else
  approve "$first"
fi
check 'approved: the command ran' within 20 test -f "$WS/one.txt"
holds 'a harmless command ran without asking' "$(results)" 'seen-without-asking'
holds 'the control of the gateway itself is denied' "$(results)" 'it steers the runtime'

second=$(asked) || give_up 'the second call never asked'
mc deny "$second" --note 'not on a Friday' >/dev/null
third=$(asked) || give_up 'the third call never asked'
holds 'denied: the model was told the reason' "$(results)" 'not on a Friday'
holds 'a move against the law was refused field by field' "$(results)" 'work_plan'
check 'denied: the command did not run' test ! -e "$WS/two.txt"

# --- kill -9 while a question waits ------------------------------------------------------------------
kill -9 "$(cat "$T/mcd.pid")"; within 5 gone mcd
start_mcd || give_up 'the daemon does not come back'
holds 'after kill -9 the same question waits' "$(pending)" "$third"
approve "$third"
check 'decided after the restart: the agent goes on' within 20 test -f "$WS/three.txt"
check 'the turn ends' within 40 ended walk
holds 'the agent submitted' "$(mc task show T-1 --json | json d.state)" review
holds 'mcctl in the shell of the agent is the agent' "$(mc message list T-1 --json | json 'd.items.map((m) => m.author?.name + ": " + m.text).join("\n")')" 'from the shell'
check 'a person completes with a note' mc task complete T-1 --note 'good work'
holds 'done' "$(mc task show T-1 --json | json d.state)" 'done'
check 'usage and cost stand on the task' test "$(mc task show T-1 --json | json d.spent_uusd)" -gt 0
check 'usage and cost stand on the agent' test "$(mc agent show wren --json | json d.today_uusd)" -gt 0
answers=$(mc task answers T-1 --json)
for word in what who why cost next; do
  check "the answer to \"$word\" names its events" test "$(json "(d.$word.events ?? []).length" <<<"$answers")" -gt 0
done

# --- Nobody decides in time: other work, then the same call once -----------------------------------------
turn hold agent:main:main '[
  {"tool":"exec","args":{"command":"printf once >> four.txt"}},
  {"text":"waiting"},
  {"tool":"exec","args":{"command":"printf once >> four.txt"}},
  {"text":"woken"}]'
began=$(now_ms)
fourth=$(asked) || give_up 'the held call never asked'
check 'after the hold the turn ends' within 60 ended hold
note "held for about $(($(now_ms) - began)) ms"
holds 'the agent was told to do other work' "$(results)" "Not now: waiting for $fourth"
check 'not run yet' test ! -e "$WS/four.txt"
approve "$fourth"
check 'approved later: the agent is woken and the same call runs' within 40 test -f "$WS/four.txt"
within 20 test "$(mc run list --json | json 'd.items[0].status')" != running
holds 'the approval was used once' "$(cat "$WS/four.txt")" once

# --- Emergency stop --------------------------------------------------------------------------------------
mark="300.$RANDOM" back="400.$RANDOM"
turn stop agent:main:main '[
  {"tool":"exec","args":{"command":"sleep '"$back"'","background":true}},
  {"tool":"exec","args":{"command":"sleep '"$mark"'","yieldMs":120000}},
  {"text":"never"}]'
check 'a command runs in the background' within 20 pgrep -fx "sleep $back"
check 'a long command runs' within 20 pgrep -fx "sleep $mark"
began=$(now_ms)
mc stop --reason fire >/dev/null
stopped=$(now_ms)
until ! pgrep -fx "sleep $mark" >/dev/null || (($(now_ms) - began > 10000)); do sleep 0.02; done
took=$(($(now_ms) - began))
note "mcctl stop took $((stopped - began)) ms; the command was gone after $took ms"
check 'emergency stop ends a running session within a second' test "$took" -lt 1000
no_background() { ! pgrep -fx "sleep $back"; }
check 'and its background commands' within 10 no_background
within 20 ended stop
calls=$(model_calls)
# A turn that comes while sessions are still being ended is cut off instead; the next one is told.
refusal='emergency stop'
check 'while stopped no turn begins, and it is told why' within 60 refused halted agent:main:other '[{"text":"never"}]'
check 'and no model was called' test "$(model_calls)" = "$calls"
check 'a person resumes' mc squad emergency-resume --reason 'fire is out'
turn resumed agent:main:other '[{"text":"back to work"}]'
within 30 ended resumed
holds 'after resume turns begin again' "$(cat "$T/resumed.turn")" 'back to work'

# --- The same by the halt file alone, with the daemon dead ----------------------------------------------------
mark="500.$RANDOM" back="600.$RANDOM"
turn dead agent:main:other '[
  {"tool":"exec","args":{"command":"sleep '"$back"'","background":true}},
  {"tool":"exec","args":{"command":"sleep '"$mark"'","yieldMs":120000}},
  {"text":"never"}]'
check 'again a command runs in the background' within 20 pgrep -fx "sleep $back"
check 'and a long one' within 20 pgrep -fx "sleep $mark"
kill -9 "$(cat "$T/mcd.pid")"; within 5 gone mcd
check 'a dead daemon alone ends nothing' pgrep -fx "sleep $mark"
touch "$MC/state/halt"
began=$(now_ms)
until ! pgrep -fx "sleep $mark" >/dev/null || (($(now_ms) - began > 10000)); do sleep 0.02; done
took=$(($(now_ms) - began))
note "the command was gone $took ms after the touch"
check 'the halt file ends a running session without a daemon' test "$took" -lt 2000
check 'and its background commands' within 10 no_background
check 'and the turn' within 20 ended dead
start_mcd || give_up 'the daemon does not come back'
holds 'the next daemon is stopped' "$(mc status --json | json d.halted)" true
check 'a person resumes again' mc squad emergency-resume --reason 'the file was touched by hand'

# --- Joining again replaces the tokens -------------------------------------------------------------------
check 'mcctl openclaw install runs again' install install --wait 60 --json

# --- The daemon is away ---------------------------------------------------------------------------------
stop mcd
calls=$(model_calls)
turn away agent:main:other '[{"text":"never"}]'
within 30 ended away
holds 'without the daemon no turn begins' "$(cat "$T/away.turn")" 'away'
check 'and no model was called either' test "$(model_calls)" = "$calls"
start_mcd || give_up 'the daemon does not come back'
check 'plugin and bridge come back by themselves, with their new tokens' within 40 install check

# --- An ungoverned gateway ---------------------------------------------------------------------------------
enable() {
  "$NODE" -e 'const fs = require("fs"); const [f, on] = process.argv.slice(1); const c = JSON.parse(fs.readFileSync(f)); c.plugins.entries["mission-control"].enabled = on === "true"; fs.writeFileSync(f, JSON.stringify(c, null, 2));' \
    "$T/home/.openclaw/openclaw.json" "$1"
}
alarmed() { [[ $(mc alert list --json | json 'd.items.filter((a) => a.severity === "critical" && a.status === "open").map((a) => a.text).join()') == *'does not ask'* ]]; }
calm() { ! alarmed; }
enable false
check 'a disabled plugin raises a critical alert' within 60 alarmed
enable true
check 'and the alert ends when the plugin is back' within 60 calm

# --- Two locks ---------------------------------------------------------------------------------------------
. "$HERE/strict.sh"

# --- The record ---------------------------------------------------------------------------------------------
check 'the journal verifies' mc audit verify

# --- Money, with a squad of its own -------------------------------------------------------------------------
. "$HERE/money.sh"
finish
