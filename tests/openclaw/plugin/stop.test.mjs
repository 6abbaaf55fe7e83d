// Orders to end turns: only those of the agent, and of one session with all below it.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { State } from "../../../integrations/openclaw/plugin/state.js";
import { Stopper } from "../../../integrations/openclaw/plugin/stop.js";
import { FakeDaemon, plugin, until } from "./fake-daemon.mjs";

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

test("the halt file ends every turn while the daemon is dead, each once, and those that come later", async (t) => {
  const daemon = await new FakeDaemon({ "run.start": (params) => ({ run: params.session.endsWith("a") ? "R-1" : "R-2" }) }).start();
  const mc = plugin(daemon);
  const begin = (name) => mc.gate.run({}, { runId: `run ${name}`, agentId: "main", sessionKey: `agent:main:${name}`, sessionId: `id of ${name}` });
  t.after(() => (mc.halt.stop(), mc.link.close(), daemon.stop()));
  assert.equal((await begin("a")).outcome, "pass");
  mc.halt.start();
  mc.halt.look();
  assert.deepEqual(mc.cut, [], "nothing is stopped");
  await daemon.stop();
  const halt = path.join(daemon.dir, "halt");
  fs.utimesSync(halt, 5, 5);
  await until(() => mc.cut.length > 0, "the turn to be cut");
  for (let looks = 0; looks < 3; looks += 1) mc.halt.look();
  assert.deepEqual(mc.cut, ["id of a"], "once");
  assert.match((await mc.gate.tool({ toolName: "session_status", params: {}, runId: "run a" }, { agentId: "main", sessionKey: "agent:main:a" })).blockReason, /ended this turn/);

  fs.utimesSync(halt, 0, 0);
  await daemon.start();
  assert.equal((await begin("b")).outcome, "pass", "after the stop");
  mc.halt.look();
  assert.deepEqual(mc.cut, ["id of a"]);
  let isReady = false;
  const abort = mc.stopper.abort;
  mc.stopper.abort = (...args) => isReady && abort(...args);
  fs.rmSync(halt);
  mc.halt.look();
  isReady = true;
  mc.halt.look();
  assert.deepEqual(mc.cut, ["id of a", "id of b"], "a turn that could not be cut yet is cut at the next look");
});
