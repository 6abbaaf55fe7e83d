# Money with the real gateway: three agents side by side, one dollar for the squad, a dear model.
# Sourced by ../openclaw.sh; a squad and a gateway of its own.

for name in gateway bridge mcd model; do stop "$name"; done
part_began=$SECONDS
T=$ROOT/money MC=$ROOT/money/mc
AGENTS=(wren crow finch)
mkdir -p "$T/home/.openclaw" "${AGENTS[@]/#/$T/}"
(umask 077; printf 'four words are good\n' >"$T/passphrase")
check 'money: a squad is set up' mc init --single-user --squad money --operator ana
cat >"$MC/config/policy.toml" <<'TOML'
[tools]
allow = ["exec", "write", "edit", "sessions_spawn"]
[limits]
pending_per_agent = 50
TOML
start_mcd || give_up 'the daemon does not start'
start_model || give_up 'the model does not start'
sed -e "s|@T@|$T|g; s|@GW_PORT@|$GW_PORT|g; s|@GW_TOKEN@|$GW_TOKEN|g; s|@MOCK_PORT@|$MOCK_PORT|g" "$HERE/openclaw.json" |
  "$NODE" -e '
    const [dir, ...names] = process.argv.slice(1);
    const config = JSON.parse(require("fs").readFileSync(0));
    config.models.providers.mock.models[0].cost = { input: 30, output: 150, cacheRead: 3, cacheWrite: 37.5 };
    config.agents.entries = Object.fromEntries(names.map((name) => [name, { workspace: `${dir}/${name}` }]));
    console.log(JSON.stringify(config));' "$T" "${AGENTS[@]}" >"$T/home/.openclaw/openclaw.json"
squad_install() {
  mc openclaw "$@" --config "$T/home/.openclaw/openclaw.json" --plugin-dir "$REPO/integrations/openclaw/plugin"
}
squad_install install --wait 0 --json >"$T/install.json" 2>"$T/install.err" || give_up "mcctl openclaw install: $(cat "$T/install.err")"
mapfile -t bridge < <(json 'd.bridge.join("\n")' <"$T/install.json")
bridge[0]=$BIN/mc-openclaw
start_gateway || { tail -n 20 "$T/gateway.out"; give_up 'the gateway does not start'; }
start_bridge "${bridge[@]}"
check 'money: three agents of one gateway are under Mission Control' within 30 squad_install check
mc budget set squad_day --cap 1.00 --reason 'a dollar for all' >/dev/null
for agent in "${AGENTS[@]}"; do
  mc task create "Notes of $agent" --type docs --description 'Collect what changed.' >/dev/null
  mc agent update "$agent" --run-cap 0.30 --can-spawn true >/dev/null
done
note "money: ready after $((SECONDS - part_began)) s"

# --- Three agents side by side until there is nothing left ---------------------------------------------
# step JSON-OF-A-STEP: prints it with what the model uses for it and how long it takes.
step() { printf '%s,"usage":{"prompt_tokens":%d,"completion_tokens":%d},"ms":200},' "${1%\}}" "${used[0]}" "${used[1]}"; }
show='{"tool":"mc_task","args":{"action":"show"}}' look='{"tool":"exec","args":{"command":"ls -la"}}'
# Plumbing of the gateway that no gate judges: the model is called again after it all the same.
search='{"tool":"tool_search","args":{"query":"weather"}}'
# A turn that leaves no word on its task is sent back once, so it says so twice.
cheap=(100 10)
ends() { local used=("${cheap[@]}"); step '{"text":"done"}'; step '{"text":"done"}' | sed 's/,$//'; }
# turn_of NAME SESSION STEPS: runs a turn of that agent to its end.
turn_of() { gateway turn "agent:${1%%-*}:$2" "$1 MOCK:[$3$(ends)]" >"$T/$1.turn" 2>&1; }
# figures: sets the variables that figures.mjs prints.
figures() {
  mc audit export --json >"$T/journal.jsonl"
  "$NODE" "$HERE/figures.mjs" "$T/journal.jsonl" "$T/bill.jsonl" 1000000 30 150 >"$T/figures.json" || return 1
  eval "$(json 'Object.entries(d).filter(([, v]) => typeof v === "number").map(([k, v]) => k + "=" + v).join("\n")' <"$T/figures.json")"
}
dollars() { printf '%d.%06d' $(($1 / 1000000)) $(($1 % 1000000)); }
# begins NAME TASK [STEPS]: takes a task and starts it.
begins() {
  local used=("${cheap[@]}")
  turn_of "$1-begins" begin "$(step '{"tool":"mc_task","args":{"action":"claim","task":"'"$2"'"}}')$(
    step '{"tool":"mc_task","args":{"action":"start","steps":["a","b","c"]}}')${3:-}"
}
# spawns: hands a part of the work to a sub-agent of the gateway.
spawns() {
  local used=("${cheap[@]}") child
  child="wren-child MOCK:[$(step "$look")$(step "$show")$(ends)]"
  step "$("$NODE" -e 'console.log(JSON.stringify({ tool: "tool_call", args: { id: "openclaw:core:sessions_spawn", args: { task: process.argv[1], label: "child" } } }))' "$child")"
}
# The child calls the model three times, or once more when it is sent back.
child_is_done() { (($(grep -c '"script":"wren-child"' "$T/bill.jsonl") >= 3)); }
out_of_money() { grep -q "the squad's day has spent" "$1" && ! grep -q 'wait for other runs' "$1"; }
billed_calls() { wc -l <"$T/bill.jsonl"; }
more_than() { (($(billed_calls) > $1)); }
# works NAME INPUT OUTPUT: turn after turn of dear calls, until the squad's budget refuses.
works() {
  local used=("$2" "$3") n
  for n in {1..20}; do
    turn_of "$1-$n" work "$(step "${search%\}},\"meet\":3}")$(for _ in 1 2 3 4; do step "$look"; step "$show"; step "$search"; done)"
    out_of_money "$T/$1-$n.turn" && return 0
    # Told to wait for other runs: until they have gone on.
    grep -q "the squad's day has spent" "$T/$1-$n.turn" && within 10 more_than "$(billed_calls)"
  done
  return 1
}
# each WHAT: waits for the three that were begun last, in the order of AGENTS.
each() { local at; for at in 0 1 2; do check "money: ${AGENTS[at]} $1" wait "${jobs[at]}"; done; }

begins wren T-1 "$(spawns)" & jobs=($!)
begins crow T-2 & jobs+=($!)
begins finch T-3 & jobs+=($!)
each 'has begun its task'
check 'money: a sub-agent has done its part' within 60 child_is_done
began=$(now_ms)
works wren 700 70 & jobs=($!)
works crow 900 90 & jobs+=($!)
works finch 500 150 & jobs+=($!)
each "works until the squad's dollar is spent"
note "money: that took $(($(now_ms) - began)) ms"
check 'money: both books are read' figures
note "money: squad cap $(dollars "$cap"), spent $(dollars "$spent"), reserved $(dollars "$reserved"), overshoot $(dollars "$overshoot"), calls in flight $in_flight ($(dollars "$in_flight_uusd"))"
note "money: $calls calls, $cut cut off, billed $(dollars "$billed"); most ever spent and promised when something was granted: $(dollars "$committed")"
check 'money: three runs were under way at once' test "$beside" -ge 3
check 'money: the dollar is spent' test "$spent" -ge "$cap"
check 'money: at granting, what is spent and promised is within the cap' test "$committed" -le "$cap"
check 'money: it is passed by no more than the calls in flight cost' test "$overshoot" -le "$in_flight_uusd"
check 'money: and by no more on the bill of the model' test $((billed - cap)) -le "$in_flight_uusd"
check 'money: of each agent at most one call was in flight' test "$in_flight_most" -le 1
check 'money: every call of the model was one that somebody wanted' test "$unscripted" = 0

# --- Nothing more, and everybody is told ------------------------------------------------------------------
before=$(model_calls)
for agent in "${AGENTS[@]}"; do
  turn_of "$agent-after" after "$(used=("${cheap[@]}") && step "$look")"
  holds "money: $agent begins no turn any more" "$(cat "$T/$agent-after.turn")" "the squad's day has spent"
done
check 'money: and no model was called' test "$(model_calls)" = "$before"
mc run list --limit 200 --json >"$T/runs.json"
mc approval list --status pending --json >"$T/approvals.json"
ended=$(json 'd.items.filter((r) => /ended by the budget/.test(r.error ?? "")).length' <"$T/runs.json")
check 'money: runs were ended by the budget' test "$ended" -gt 0
waiting=$(json '[...new Set(d.items.filter((r) => /ended by the budget/.test(r.error ?? "")).map((r) => r.task))].join(" ")' <"$T/runs.json")
for task in $waiting; do
  holds "money: $task waits for a person" "$(mc task show "$task" --json | json d.state)" needs_approval
done
holds 'money: a person is asked to raise the cap of the squad' "$(json 'd.items.map((a) => a.kind + " " + a.rule).join()' <"$T/approvals.json")" 'budget_override budget.squad_day'
holds 'money: a critical alert says so' "$(mc alert list --json | json 'd.items.filter((a) => a.severity === "critical" && a.status === "open").map((a) => a.text).join()')" "the squad's day has spent"

# --- Whose it is ---------------------------------------------------------------------------------------------
mc cost --by task --json >"$T/cost.json"
attributed=$(json d.attributed <"$T/cost.json")
note "money: attributed to an agent and a task: $((attributed / 100)).$(printf %02d $((attributed % 100))) %"
check 'money: at least 95 % is attributed' test "$attributed" -ge 9500
child=$(json 'd.items.filter((r) => r.session.includes(":subagent:") && r.parent_run && r.agent === "wren" && r.task === "T-1").map((r) => r.id)[0]' <"$T/runs.json")
check 'money: a sub-agent ran below the run that spawned it, on its task' test -n "$child"
# spent_on_t1 [RUN]: what the journal charges to T-1.
spent_on_t1() { grep '"kind":"run_used"' "$T/journal.jsonl" | json_lines "d.filter((r) => r.event.task === 'T-1' && (r.event.run === '${1:-}' || '${1:-}' === '')).reduce((sum, r) => sum + r.event.cost_uusd, 0)"; }
note "money: the sub-agent spent $(dollars "$(spent_on_t1 "$child")") of the $(dollars "$(spent_on_t1)") on T-1"
check 'money: and spent on it' test "$(spent_on_t1 "$child")" -gt 0
check 'money: what it spent stands on the task' test "$(mc task show T-1 --json | json d.spent_uusd)" = "$(spent_on_t1)"
check 'money: the journal verifies' mc audit verify

# --- A runtime that can ask ------------------------------------------------------------------------------------
for name in gateway bridge mcd model; do stop "$name"; done
T=$ROOT/asks MC=$ROOT/asks/mc
mkdir -p "$T"
(umask 077; printf 'four words are good\n' >"$T/passphrase")
check 'money: another squad is set up' mc init --single-user --squad asks --operator ana --agent wren --agent crow --agent finch
start_mcd || give_up 'the daemon does not start'
start_model || give_up 'the model does not start'
mc budget set squad_day --cap 1.00 --reason 'a dollar for all' >/dev/null
for agent in "${AGENTS[@]}"; do mc agent update "$agent" --run-cap 0.90 >/dev/null; done
asks() { "$NODE" "$HERE/asker.mjs" "$MC/run/agent/mcd.sock" "http://127.0.0.1:$MOCK_PORT/v1" "$1" "$MC/config/tokens/$1.token" "$2" "$3" >"$T/$1.asked" 2>&1; }
asks wren 700 70 & jobs=($!)
asks crow 900 90 & jobs+=($!)
asks finch 500 150 & jobs+=($!)
each 'asks before each call until nothing is left'
check 'money: both books are read' figures
note "money: who asks: squad cap $(dollars "$cap"), spent $(dollars "$spent"), reserved $(dollars "$reserved"), overshoot $(dollars "$overshoot"), $calls calls, billed $(dollars "$billed"), most spent and promised $(dollars "$committed")"
check 'money: who asks never passes the cap' test "$committed" -le "$cap" -a "$spent" -le "$cap" -a "$billed" -le "$cap"
check 'money: and spends it to the last token' test "$spent" -gt $((cap - 30)) -a "$spent" = "$billed"
note "money: the part took $((SECONDS - part_began)) s"
