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
  mc agent update "$agent" --run-cap 0.25 --can-spawn true >/dev/null
done
note "money: ready after $((SECONDS - part_began)) s"

# --- Three agents side by side until there is nothing left ---------------------------------------------
# step JSON-OF-A-STEP: prints it with what the model uses for it and how long it takes.
step() { printf '%s,"usage":{"prompt_tokens":%d,"completion_tokens":%d},"ms":200},' "${1%\}}" "${used[0]}" "${used[1]}"; }
show='{"tool":"mc_task","args":{"action":"show"}}' look='{"tool":"exec","args":{"command":"ls -la"}}'
# Plumbing of the gateway that no gate judges: the model is called again after it all the same.
search='{"tool":"tool_search","args":{"query":"weather"}}'
# turn_of NAME SESSION STEPS: runs a turn of that agent to its end.
turn_of() { gateway turn "agent:${1%%-*}:$2" "$1 MOCK:[$3{\"text\":\"done\"}]" >"$T/$1.turn" 2>&1; }
# begins TASK: takes a task and starts it, cheaply.
begins() {
  local used=(100 10)
  step '{"tool":"mc_task","args":{"action":"claim","task":"'"$1"'"}}'
  step '{"tool":"mc_task","args":{"action":"start","steps":["a","b","c"]}}'
}
# spawns: hands a part of the work to a sub-agent of the gateway.
spawns() {
  local child="child MOCK:[$(step "$look")$(step "$show"){\"text\":\"the child is done\"}]"
  step "$("$NODE" -e 'console.log(JSON.stringify({ tool: "tool_call", args: { id: "openclaw:core:sessions_spawn", args: { task: process.argv[1], label: "child" } } }))' "$child")"
}
out_of_money() { grep -q "the squad's day has spent" "$1" && ! grep -q 'wait for other runs' "$1"; }
# works NAME TASK INPUT OUTPUT: turn after turn of dear calls, until the squad's budget refuses.
works() {
  local used=("$3" "$4") n first
  first=$(begins "$2")
  [[ $1 == wren ]] && first+=$(spawns)
  turn_of "$1-0" first "$first"
  for n in {1..20}; do
    turn_of "$1-$n" work "$(for _ in 1 2; do step "$look"; step "$show"; step "$search"; done)"
    out_of_money "$T/$1-$n.turn" && return 0
  done
  return 1
}
began=$(now_ms)
works wren T-1 700 70 & jobs=($!)
works crow T-2 900 90 & jobs+=($!)
works finch T-3 500 150 & jobs+=($!)
for at in 0 1 2; do check "money: ${AGENTS[at]} works until the squad's dollar is spent" wait "${jobs[at]}"; done
note "money: that took $(($(now_ms) - began)) ms"
tail -n +1 "$T"/*.turn
mc budget --json; mc cost --by task,agent --json
mc run list --json; mc task list --json
mc audit export --json > "$T/journal.jsonl"
