# The strict profile with the real gateway: two locks before every command. Sourced by ../openclaw.sh.

# runs NAME COMMAND: begins a turn that runs one command, in a session of its own.
runs() {
  local steps
  steps=$("$NODE" -e 'console.log(JSON.stringify([{ tool: "exec", args: { command: process.argv[1] } }, { text: "ended" }]))' "$2")
  rm -f "$T/$1.turn"
  turn "$1" "agent:main:$1" "$steps"
}
# marks NAME: begins a turn whose command is allowed by the policy and leaves NAME.txt behind.
marks() {
  printf 'require("fs").writeFileSync("%s.txt", "1");\n' "$1" >"$WS/$1.cjs"
  runs "$1" "node $1.cjs"
}
answered() { grep -c "$1" "$T/bridge.log"; }
# The gateway answers with new settings a moment before it acts by them.
applied() { grep -q 'hot reload applied (.*tools\.exec\.ask' "$T/gateway.out"; }
answers_more() { (($(answered "$1") > $2)); }
# withdraw: denies what still waits.
withdraw() { local id; while id=$(pending) && [[ -n $id ]]; do mc deny "$id" --note 'not any more' >/dev/null || return 1; done; }
settings() { json 'const e = d.tools?.exec ?? {}; [e.mode, e.security, e.ask].join()' <"$T/home/.openclaw/openclaw.json"; }

before=$(settings)
stop bridge
install install --strict --wait 60 --json >"$T/strict.json" 2>"$T/strict.err" || fail "mcctl openclaw install --strict: $(cat "$T/strict.err")"
mapfile -t bridge < <(json 'd.bridge.join("\n")' <"$T/strict.json")
bridge[0]=$BIN/mc-openclaw
start_bridge "${bridge[@]}"
check 'strict: install check finds both locks' within 60 install check
check 'strict: the gateway has taken the settings in' within 60 applied
holds 'strict: the gateway is set to ask always' "$(settings)" 'allowlist,always'

# --- Both locks open ---------------------------------------------------------------------------------
yes=$(answered 'allowed once')
runs plain 'ls one.txt'
check 'strict: a turn with an allowed command ends' within 60 ended plain
holds 'strict: an allowed command runs through both locks' "$(results)" 'one.txt'
check 'strict: the bridge has answered the question of the gateway' answers_more 'allowed once' "$yes"

# --- What a person changed, and nothing else ----------------------------------------------------------
runs edited "node -e \"require('fs').writeFileSync('agent.txt','1')\""
if id=$(asked 60); then
  check 'strict: a person changes the command' mc approval edit "$id" --note 'another file' \
    --arg "command=node -e \"require('fs').writeFileSync('person.txt','1')\""
  approve "$id"
  check 'strict: the changed command runs' within 60 test -e "$WS/person.txt"
  within 30 ended edited
  check 'strict: and only that' test ! -e "$WS/agent.txt"
else fail "strict: the command to be changed never asked; $(cat "$T/edited.turn")"; fi

# --- A script that changed after it was read ------------------------------------------------------------
printf 'require("fs").writeFileSync("good.txt", "1");\n' >"$WS/job.cjs"
runs script 'node job.cjs && node -e "1"'
if id=$(asked 60); then
  printf 'require("fs").writeFileSync("bad.txt", "1");\n' >"$WS/job.cjs"
  approve "$id"
  check 'strict: the turn with the changed script ends' within 60 ended script
  check 'strict: a script changed after its approval does not run' test ! -e "$WS/bad.txt" -a ! -e "$WS/good.txt"
  note "the agent was told: $(results | tail -n 1 | cut -c1-200)"
else fail "strict: the script never asked; $(cat "$T/script.turn")"; fi
withdraw

# --- One lock after the other is gone ---------------------------------------------------------------------
marks both
check 'strict: a script of the workspace runs through both locks' within 60 test -e "$WS/both.txt"
within 30 ended both
stop bridge
marks bridgeless
check 'strict: without the bridge the turn ends' within 60 ended bridgeless
check 'strict: and its command does not run' test ! -e "$WS/bridgeless.txt"
holds 'strict: the gateway found nobody to ask' "$(results)" 'exec denied'
start_bridge "${bridge[@]}"
check 'strict: the bridge comes back' within 30 install check

began=$(now_ms)
enable false
check 'strict: a disabled plugin raises a critical alert' within 60 alarmed
took=$(($(now_ms) - began))
note "strict: the alert stood $took ms after the edit"
check 'strict: within five seconds' test "$took" -lt 5000
no=$(answered denied)
marks pluginless
check 'strict: without the plugin the turn ends' within 60 ended pluginless
check 'strict: and its command does not run' test ! -e "$WS/pluginless.txt"
check 'strict: the second lock said no' answers_more denied "$no"
holds 'strict: whose command came past the gate is quarantined' "$(mc agent show wren --json | json d.status)" quarantined
check 'strict: a person lets it work again' mc agent resume wren --reason 'the plugin was off'
note "the agent was told: $(results | tail -n 1 | cut -c1-200)"
no=$(answered denied)
stop mcd
marks alone
check 'strict: without plugin and daemon the turn ends' within 60 ended alone
check 'strict: and no command runs' test ! -e "$WS/alone.txt"
check 'strict: the bridge said no by itself' answers_more denied "$no"
start_mcd || give_up 'the daemon does not come back'
enable true
check 'strict: the alert ends when the plugin is back' within 60 calm
check 'strict: both locks are back' within 60 install check
withdraw

# --- RED wants a second factor -----------------------------------------------------------------------------
ssh-keygen -q -t ed25519 -N '' -f "$T/factor" || fail 'ssh-keygen'
check 'strict: a second factor is enrolled' mc operator key add ana "$T/factor.pub"
runs red "node -e \"require('fs').writeFileSync('red.txt','1')\""
if id=$(asked 60); then
  yes_to() { mc approve "$id" --yes --digest "$(mc approval show "$id" --json | json d.digest)" --note 'looked at it' "$@" </dev/null; }
  no_without() { ! yes_to >"$T/red.out" 2>&1; }
  check 'strict: a red call is not approved without the factor' no_without
  note "the person was told: $(head -n 1 "$T/red.out" | cut -c1-200)"
  check 'strict: nothing ran yet' test ! -e "$WS/red.txt"
  check 'strict: with a signature it is approved' yes_to --sign-key "$T/factor"
  check 'strict: and runs through both locks' within 60 test -e "$WS/red.txt"
  within 30 ended red
else fail "strict: the red call never asked; $(cat "$T/red.turn")"; fi

# --- Back to one lock ----------------------------------------------------------------------------------------
stop bridge
check 'strict: install without --strict takes it back' install install --sign-key "$T/factor" --wait 60 --json
holds 'strict: the old settings are back' "$(settings)" "$before"
