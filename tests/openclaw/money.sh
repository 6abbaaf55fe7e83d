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
  mc agent update "$agent" --run-cap 0.20 --can-spawn true >/dev/null
done
note "money: ready after $((SECONDS - part_began)) s"

squad_turn() { gateway turn "agent:$1:work" "$2 MOCK:$3" >"$T/$2.turn" 2>&1; }
U='"usage":{"prompt_tokens":500,"completion_tokens":50},"ms":150'
begins() { printf '{"tool":"mc_task","args":{"action":"claim","task":"%s"},%s},{"tool":"mc_task","args":{"action":"start","steps":["a","b","c"]},%s}' "$1" "$U" "$U"; }
squad_turn wren wren-first "[$(begins T-1),"'{"tool":"sessions_spawn","args":{"task":"child MOCK:[{\"tool\":\"exec\",\"args\":{\"command\":\"ls\"},\"ms\":100},{\"text\":\"child is done\",\"ms\":100}]","label":"child"},'$U'},{"text":"spawned"},{"text":"heard"},{"text":"heard"},{"text":"heard"}]' &
a=$!
squad_turn crow crow-first "[$(begins T-2),{\"text\":\"started\"}]" & b=$!
squad_turn finch finch-first "[$(begins T-3),{\"text\":\"started\"}]" & c=$!
wait $a $b $c
sleep 3
tail -n +1 "$T"/*.turn
steps() { local n; for n in 1 2 3; do printf '{"tool":"exec","args":{"command":"ls -la"},%s},{"tool":"mc_task","args":{"action":"show"},%s},{"tool":"tool_search","args":{"query":"weather"},%s},' "$U" "$U" "$U"; done; }
spends() {
  local n=0
  while ((n++ < 15)); do
    squad_turn "$1" "$1-$n" "[$(steps){\"text\":\"done\"}]"
    grep -q "the squad's day has spent" "$T/$1-$n.turn" && ! grep -q 'wait for other runs' "$T/$1-$n.turn" && break
  done
}
began=$(now_ms)
spends wren & a=$!
spends crow & b=$!
spends finch & c=$!
wait $a $b $c
note "took $(($(now_ms) - began)) ms"
tail -n +1 "$T"/*.turn
mc budget --json; mc cost --by task,agent --json
mc run list --json; mc task list --json
mc audit export --json > "$T/journal.jsonl"
