// Orders to end turns: only those of the agent, and of one session with all below it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { State } from "../../../integrations/openclaw/plugin/state.js";
import { Stopper } from "../../../integrations/openclaw/plugin/stop.js";

function gateway() {
  const state = new State();
  const cut = [];
  const stopper = new Stopper({ state, log: () => {} });
  stopper.abort = (sessionId) => (cut.push(sessionId), true);
  const turn = (agent, session) => {
    state.runs.set(`run of ${session}`, { run: "R-1", agent, session, sessionId: `id of ${session}` });
    state.current.set(session, `run of ${session}`);
  };
  turn("wren", "agent:main:a");
  turn("wren", "agent:main:subagent:1");
  turn("wren", "agent:main:subagent:2");
  turn("wren", "agent:main:b");
  turn("heron", "agent:dev:a");
  state.spawners.set("agent:main:subagent:1", "agent:main:a");
  state.spawners.set("agent:main:subagent:2", "agent:main:subagent:1");
  return { stopper, cut };
}

test("an agent's turns are cut, nobody else's", () => {
  const { stopper, cut } = gateway();
  assert.equal(stopper.end({ agent: "wren", reason: "stop" }).ended, true);
  assert.equal(cut.length, 4);
  assert.ok(!cut.includes("id of agent:dev:a"));
});

test("a session is cut with all below it", () => {
  const { stopper, cut } = gateway();
  stopper.end({ agent: "wren", session: "agent:main:A", reason: "stop" });
  assert.deepEqual(cut, ["id of agent:main:a", "id of agent:main:subagent:1", "id of agent:main:subagent:2"]);
});

test("what can't be cut is said", () => {
  const { stopper } = gateway();
  stopper.abort = () => false;
  assert.equal(stopper.end({ agent: "wren", session: "agent:main:b", reason: "stop" }).ended, false);
  assert.equal(stopper.end({ agent: "nobody", reason: "stop" }).ended, true, "nothing runs, so nothing is left");
});
