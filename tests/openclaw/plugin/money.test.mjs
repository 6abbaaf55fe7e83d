// Money: nothing is asked before what was used is known, and a turn that may spend nothing more ends.
import assert from "node:assert/strict";
import fs from "node:fs";
import { test } from "node:test";
import { call, FakeDaemon, plugin, until } from "./fake-daemon.mjs";

const SESSION = "agent:main:main";
const CTX = { runId: "run-1", agentId: "main", sessionKey: SESSION, sessionId: "id-1" };
const allow = { call: "C-1", decision: "allow", risk: "green", rule: "risk.green", reason: "reads" };
const usage = (total) => ({ message: { role: "assistant", provider: "mock", model: "m1", usage: { input: 10, output: 5, cost: { total } } } });

async function turn(t, handlers, config) {
  const daemon = await new FakeDaemon({ "run.start": () => ({ run: "R-1", task: "T-1", reserved_uusd: 200_000 }), ...handlers }).start();
  const mc = plugin(daemon, config);
  t.after(async () => {
    mc.link.close();
    await daemon.stop();
    fs.rmSync(daemon.dir, { recursive: true, force: true });
  });
  assert.deepEqual(await mc.gate.run({}, CTX), { outcome: "pass" });
  const tool = (name, params = {}) => mc.gate.tool(...call(name, params, CTX));
  return { daemon, mc, tool };
}

test("no call is judged and no turn begins before what was used is known", async (t) => {
  let taken = 0;
  const { daemon, mc, tool } = await turn(t, {
    "run.usage": () => new Promise((resolve) => setTimeout(() => resolve({ state: "ok", taken: ++taken }), 30)),
    "tool.check": () => ({ ...allow, reason: `after ${taken}` }),
    "run.start": () => ({ run: `R-${taken + 1}`, reserved_uusd: 1 }),
  });
  mc.reporter.message(usage(0.01), CTX);
  mc.reporter.message(usage(0.02), CTX);
  assert.equal(await tool("read", { path: "a" }), undefined);
  assert.deepEqual(daemon.seen.map((one) => one.method).slice(-3), ["run.usage", "run.usage", "tool.check"]);
  mc.reporter.message(usage(0.03), CTX);
  await mc.gate.run({}, { ...CTX, runId: "run-2", sessionKey: "agent:main:other" });
  assert.equal(mc.state.runs.get("run-2").run, "R-4", "the start saw all three");
  mc.reporter.message(usage(0.04), CTX);
  assert.equal(await tool("tool_search", { query: "x" }), undefined);
  assert.equal(taken, 4, "the plumbing waits too: the model is called again after it");
});

test("a turn whose use was too much is cut, and nothing of it is let through", async (t) => {
  const { daemon, mc, tool } = await turn(t, { "run.usage": () => ({ state: "stop", orders: ["stop"] }), "tool.check": () => allow });
  mc.reporter.message(usage(0.3), CTX);
  const refused = await tool("tool_search", { query: "x" });
  assert.match(refused.blockReason, /has ended this turn/);
  assert.deepEqual(mc.cut, ["id-1"]);
  assert.equal((await tool("read", { path: "a" })).block, true);
  assert.equal(await mc.reporter.finalize({ runId: "run-1" }, CTX), undefined);
  const again = await mc.gate.run({}, CTX);
  assert.equal(again.outcome, "block", "the host may not begin the same turn again");
  assert.deepEqual([daemon.calls("tool.check"), daemon.calls("run.finalize")], [[], []]);
  mc.reporter.message(usage(0.3), CTX);
  await until(() => daemon.calls("run.usage").length === 2, "late use is reported");
  assert.deepEqual(mc.cut, ["id-1"], "once");
});

test("what was cut is not taken up again by the gateway, nor by what the bridge puts in its place", async (t) => {
  const { daemon, mc } = await turn(t, { "run.usage": () => ({ state: "stop" }) });
  mc.reporter.message(usage(0.3), CTX);
  await until(() => mc.cut.length === 1, "the cut");
  const begin = (runId, more) => mc.gate.run({}, { ...CTX, runId, ...more });
  const recovery = { inputProvenance: { kind: "internal_system", sourceTool: "main_session_restart_recovery" } };
  assert.match((await begin("run-2", recovery)).message, /not taken up again/);
  assert.match((await begin("mc-interrupt-1")).message, /nothing goes on in its place/);
  assert.equal(daemon.calls("run.start").length, 1, "neither is even asked for");
  assert.equal((await begin("run-3")).outcome, "pass", "a person may begin a turn");
  assert.equal((await begin("run-4", recovery)).outcome, "pass", "and that one may be taken up");
});

test("a turn is not sent back before what it used is known to leave room", async (t) => {
  const { daemon, mc } = await turn(t, { "run.usage": () => ({ state: "stop" }), "run.finalize": () => ({ decision: "revise", instruction: "submit" }) });
  mc.reporter.message(usage(0.3), CTX);
  assert.equal(await mc.reporter.finalize({ runId: "run-1" }, CTX), undefined);
  assert.equal(daemon.calls("run.finalize").length, 0);
});

test("a call of a run that is over, and one that no money is left for, end the turn; others do not", async (t) => {
  const ask = { call: "C-1", decision: "ask", approval: "A-3", reason: "the squad's day has spent $1.01 of $1.00" };
  const answers = [
    [{ ...ask, rule: "risk.red" }, []],
    [{ ...allow, decision: "deny", rule: "deny.path" }, []],
    [{ ...ask, rule: "budget.squad_day" }, ["id-1"]],
    [{ ...allow, decision: "deny", rule: "run.ended" }, ["id-1"]],
  ];
  for (const [answer, cut] of answers) {
    const { mc, tool } = await turn(t, { "tool.check": () => answer, "tool.await": () => ({ decision: "ask" }) }, { holdMs: 1 });
    assert.equal((await tool("exec", { command: "ls" })).block, true);
    assert.deepEqual(mc.cut, cut, answer.rule);
  }
});

test("without the daemon a turn goes on reading for what it was granted, and no further", async (t) => {
  const { daemon, mc, tool } = await turn(t, {});
  mc.state.halted = false;
  await daemon.stop();
  await until(() => !mc.link.isUp, "the end of the link");
  mc.reporter.message(usage(0.15), CTX);
  assert.equal(await tool("session_status"), undefined);
  assert.deepEqual(mc.cut, []);
  mc.reporter.message(usage(0.05), CTX);
  assert.deepEqual(mc.cut, ["id-1"], "to the micro-dollar");
  assert.match((await tool("session_status")).blockReason, /has ended this turn/);
  assert.match((await tool("tool_search")).blockReason, /has ended this turn/);
});

test("a report that the daemon can't take now is waited for only so long", async (t) => {
  const { mc } = await turn(t, { "run.usage": () => new Promise(() => {}) });
  mc.reporter.message(usage(0.01), CTX);
  assert.equal(await mc.outbox.settled(20), false);
});
