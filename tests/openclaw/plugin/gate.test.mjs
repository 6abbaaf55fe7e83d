// The gates: only a clear yes lets a call or a turn through.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { ANSWER_MS } from "../../../integrations/openclaw/plugin/link.js";
import { haltFileSaysStop } from "../../../integrations/openclaw/plugin/halt.js";
import { FakeDaemon, plugin, call, until, Refuse, SILENCE } from "./fake-daemon.mjs";

async function withDaemon(handlers, body, config) {
  const daemon = await new FakeDaemon(handlers).start();
  const mc = plugin(daemon, config);
  try {
    await body(mc, daemon);
  } finally {
    mc.link.close();
    await daemon.stop();
    fs.rmSync(daemon.dir, { recursive: true, force: true });
  }
}
const allow = { call: "C-1", decision: "allow", risk: "green", rule: "risk.green", reason: "reads" };
const ask = { call: "C-1", decision: "ask", risk: "red", rule: "risk.red", reason: "it deletes", approval: "A-3" };

test("an allowed call passes with what the daemon needs to judge it", () =>
  withDaemon({ "tool.check": () => allow }, async (mc, daemon) => {
    mc.state.workspaces.set("agent:main:main", "/w");
    assert.equal(await mc.gate.tool(...call("exec", { command: "ls", workdir: "sub" })), undefined);
    const [asked] = daemon.calls("tool.check");
    const { agent, run, session, tool, cwd } = asked;
    assert.deepEqual({ agent, run, session, tool, cwd }, { agent: "wren", run: "R-1", session: "agent:main:main", tool: "exec", cwd: "/w/sub" });
    assert.deepEqual(asked.arguments, { command: "ls", workdir: "sub" });
    assert.match(asked.idempotency_key, /^oc:/);
    assert.equal(daemon.calls("run.start")[0].external_id, "run-1", "a call whose turn never passed the run gate passes it now");
  }));

test("a call that a person changed runs as changed, and only as that", () =>
  withDaemon({ "tool.check": () => ask, "tool.await": () => ({ approval: "A-3", status: "approved", decision: "allow", call: "C-1", reason: "ok", arguments: { command: "rm x/y" } }) }, async (mc, daemon) => {
    assert.deepEqual(await mc.gate.tool(...call("exec", { command: "rm x" })), { params: { command: "rm x/y" } });
    assert.equal(daemon.calls("tool.check")[0].can_rewrite, true);
    daemon.handlers["tool.check"] = () => ({ ...allow, arguments: { command: "rm x/y" } });
    assert.deepEqual(await mc.gate.tool(...call("exec", { command: "rm x" })), { params: { command: "rm x/y" } }, "repeated after the hold");
    for (const wrong of [null, "rm x/y", ["rm x/y"]]) {
      daemon.handlers["tool.check"] = () => ({ ...allow, arguments: wrong });
      assert.equal((await mc.gate.tool(...call("exec", { command: "rm x" }))).block, true, JSON.stringify(wrong));
    }
  }));

test("a denied call is blocked with the rule and the reason", () =>
  withDaemon({ "tool.check": () => ({ ...allow, decision: "deny", rule: "deny.path", reason: "Never /etc." }) }, async (mc) => {
    const blocked = await mc.gate.tool(...call("write", { path: "/etc/passwd" }));
    assert.equal(blocked.block, true);
    assert.match(blocked.blockReason, /deny\.path.*Never \/etc\./);
  }));

for (const [name, answer] of Object.entries({
  "an unknown decision": { ...allow, decision: "maybe" },
  "an answer without a call": { decision: "allow" },
  "an empty answer": null,
  "an approval without a number": { ...ask, approval: undefined },
})) {
  test(`${name} blocks`, () =>
    withDaemon({ "tool.check": () => answer }, async (mc) => {
      assert.equal((await mc.gate.tool(...call("exec", {}))).block, true);
    }));
}

test("a call that waits runs once a person has approved", () =>
  withDaemon({ "tool.check": () => ask, "tool.await": () => ({ approval: "A-3", status: "approved", decision: "allow", call: "C-1", reason: "ok" }) }, async (mc, daemon) => {
    const [event, ctx] = call("exec", { command: "rm x" });
    assert.equal(await mc.gate.tool(event, ctx), undefined);
    assert.equal(daemon.calls("tool.await")[0].approval, "A-3");
    mc.reporter.toolEnded({ ...event, durationMs: 12.4, result: { content: [{ type: "text", text: "gone" }], details: { status: "completed", exitCode: 0 } } });
    await until(() => daemon.calls("tool.finish").length === 1, "the result");
    const { call: id, status, duration_ms, result_preview } = daemon.calls("tool.finish")[0];
    assert.deepEqual({ id, status, duration_ms, result_preview }, { id: "C-1", status: "succeeded", duration_ms: 12, result_preview: "gone" });
  }));

test("a call that is denied while it waits tells the decider's reason", () =>
  withDaemon({ "tool.check": () => ask, "tool.await": () => ({ approval: "A-3", decision: "deny", reason: "not on a Friday" }) }, async (mc) => {
    assert.match((await mc.gate.tool(...call("exec", {}))).blockReason, /not on a Friday/);
  }));

test("an approval that was granted to an equal call is used by asking again, once", () => {
  let asked = 0;
  const check = () => (asked++ === 0 ? ask : { ...allow, call: "C-2" });
  return withDaemon({ "tool.check": check, "tool.await": () => ({ approval: "A-3", status: "approved", decision: "deny", reason: "no call waits" }) }, async (mc, daemon) => {
    assert.equal(await mc.gate.tool(...call("exec", {})), undefined);
    assert.equal(daemon.calls("tool.check").length, 2);
  });
});

test("when the hold ends the call is dropped and the agent is told to do other work", () =>
  withDaemon({ "tool.check": () => ask, "tool.await": () => ({ approval: "A-3", decision: "ask", reason: "pending" }) }, async (mc, daemon) => {
    const blocked = await mc.gate.tool(...call("exec", {}));
    assert.match(blocked.blockReason, /^Not now: waiting for A-3\./);
    await until(() => daemon.calls("tool.drop").length === 1, "the drop");
    assert.equal(daemon.calls("tool.drop")[0].call, "C-1");
  }, { holdMs: 60 }));

test("an aborted turn drops the call at once", () =>
  withDaemon({ "tool.check": () => ask, "tool.await": () => SILENCE }, async (mc, daemon) => {
    const abort = new AbortController();
    const waiting = mc.gate.tool(...call("exec", {}, { abortSignal: abort.signal }));
    await until(() => daemon.calls("tool.await").length === 1, "the wait");
    abort.abort();
    assert.match((await waiting).blockReason, /ended while this call waited/);
    await until(() => daemon.calls("tool.drop").length === 1, "the drop");
  }));

test("a daemon that dies while a call waits is waited for, with the same key", async (t) => {
  const daemon = await new FakeDaemon({ "tool.check": () => ask, "tool.await": () => SILENCE }).start();
  const mc = plugin(daemon);
  t.after(() => (mc.link.close(), daemon.stop()));
  const waiting = mc.gate.tool(...call("exec", {}));
  await until(() => daemon.calls("tool.await").length === 1, "the wait");
  await daemon.stop();
  daemon.handlers["tool.await"] = () => ({ approval: "A-3", decision: "allow", call: "C-1", reason: "ok" });
  await daemon.start();
  assert.equal(await waiting, undefined);
  const [first, second] = daemon.calls("tool.await");
  assert.equal(first.idempotency_key, second.idempotency_key);
});

test("a refused run starts no turn and says why", () =>
  withDaemon({ "run.start": () => new Refuse("halted", "the emergency stop is in force") }, async (mc) => {
    const answer = await mc.gate.run({}, { runId: "r", agentId: "main", sessionKey: "agent:main:main" });
    assert.equal(answer.outcome, "block");
    assert.match(answer.message, /emergency stop/);
    assert.equal(mc.state.halted, true);
  }));

test("without a daemon nothing runs, not even reading, when it was never heard", async () => {
  const daemon = await new FakeDaemon().start();
  const mc = plugin(daemon);
  await daemon.stop();
  assert.match((await mc.gate.tool(...call("session_status", {}))).blockReason, /away/);
  assert.equal((await mc.gate.run({}, { runId: "r", agentId: "main", sessionKey: "s" })).outcome, "block");
});

/** How long after its deadline a call is refused at the latest. */
const SLACK_MS = 300;

/** Returns how long the soonest of three refusals took: what else the machine does is not measured. */
async function refusedAfter(mc) {
  const refused = async () => {
    const began = performance.now();
    assert.match((await mc.gate.tool(...call("exec", { command: "ls" }))).blockReason, /Mission Control is away/);
    return performance.now() - began;
  };
  return Math.min(...(await Promise.all([refused(), refused(), refused()])));
}

test("without an answer a call is refused at its deadline, and without a daemon at once", async (t) => {
  const daemon = await new FakeDaemon({ "tool.check": () => allow }).start();
  const mc = plugin(daemon);
  t.after(() => (mc.link.close(), daemon.stop()));
  assert.equal(ANSWER_MS, 2000);
  const within = (tookMs, deadlineMs, what) => assert.ok(tookMs >= deadlineMs - 1 && tookMs <= deadlineMs + SLACK_MS, `${what}: ${tookMs} ms`);
  assert.equal(await mc.gate.tool(...call("exec", { command: "ls" })), undefined);
  daemon.handlers["tool.check"] = () => SILENCE;
  within(await refusedAfter(mc), ANSWER_MS, "a daemon that hangs in the middle");
  mc.link.close();
  daemon.handlers["session.hello"] = () => SILENCE;
  within(await refusedAfter(mc), ANSWER_MS, "a daemon that hangs before its hello");
  await daemon.stop();
  within(await refusedAfter(mc), 0, "no daemon");
});

test("without a daemon the reading tools go on, unless it was stopped or the halt file says so", async () => {
  const daemon = await new FakeDaemon({ "tool.check": () => allow }).start();
  const mc = plugin(daemon);
  assert.equal(await mc.gate.tool(...call("session_status", {})), undefined);
  await daemon.stop();
  mc.state.workspaces.set("agent:main:main", daemon.dir);
  fs.writeFileSync(path.join(daemon.dir, "notes.md"), "x");
  fs.symlinkSync("/etc/passwd", path.join(daemon.dir, "link.md"));
  fs.writeFileSync(path.join(daemon.dir, ".env"), "x");
  const runs = async (tool, params) => (await mc.gate.tool(...call(tool, params))) === undefined;
  assert.equal(await runs("session_status", {}), true);
  assert.equal(await runs("read", { path: "notes.md" }), true);
  assert.equal(await runs("read", { path: "link.md" }), false, "a link out of the workspace");
  assert.equal(await runs("read", { path: ".env" }), false, "a secret by its name");
  assert.equal(await runs("read", { path: "../x" }), false);
  assert.equal(await runs("exec", { command: "ls" }), false);
  fs.writeFileSync(path.join(daemon.dir, "halt"), "1");
  assert.equal(await runs("session_status", {}), false);
  fs.rmSync(daemon.dir, { recursive: true, force: true });
});

test("the halt file stops by its first byte, when it was touched, and when it can't be read", () => {
  const dir = fs.mkdtempSync("/tmp/mc-halt-");
  const file = path.join(dir, "halt");
  assert.equal(haltFileSaysStop(undefined), false, "the gateway's user may not see it");
  assert.equal(haltFileSaysStop(file), true, "gone");
  fs.writeFileSync(file, "0\n");
  fs.utimesSync(file, 0, 0);
  assert.equal(haltFileSaysStop(file), false);
  fs.utimesSync(file, 5, 5);
  assert.equal(haltFileSaysStop(file), true, "touched");
  fs.writeFileSync(file, "1\n");
  fs.utimesSync(file, 0, 0);
  assert.equal(haltFileSaysStop(file), true);
  assert.equal(haltFileSaysStop(dir), true, "a directory is unreadable");
  fs.rmSync(dir, { recursive: true });
});

test("wrappers of Tool Search are not asked about", () =>
  withDaemon({}, async (mc, daemon) => {
    assert.equal(await mc.gate.tool(...call("tool_call", { id: "exec" })), undefined);
    assert.equal(daemon.calls("tool.check").length, 0);
  }));

for (const [name, stop] of Object.entries({
  "the halt file": (mc) => fs.writeFileSync(mc.state.haltFile, "1 by hand"),
  "the halt file, cleared by hand": (mc) => fs.writeFileSync(mc.state.haltFile, "0"),
  "the daemon's order": (mc) => mc.stopper.end({ agent: "wren", reason: "fire" }),
  "what was last heard": (mc) => (mc.state.halted = true),
})) {
  test(`wrappers of Tool Search stand still with everything else: ${name}`, () =>
    withDaemon({}, async (mc, daemon) => {
      mc.state.haltFile = path.join(daemon.dir, "halt");
      const wrappers = ["tool_search", "tool_describe", "tool_call", "tool_search_code"];
      for (const tool of wrappers) assert.equal(await mc.gate.tool(...call(tool, {})), undefined, tool);
      stop(mc);
      for (const tool of wrappers) assert.match((await mc.gate.tool(...call(tool, {})))?.blockReason ?? "", /stopped this agent|ended this turn/, tool);
    }));
}

test("after a resume the next turn's wrappers pass again", () =>
  withDaemon({}, async (mc) => {
    mc.stopper.end({ agent: "wren", reason: "fire" });
    mc.state.halted = true;
    const [event, ctx] = call("tool_search", {});
    assert.equal(await mc.gate.tool({ ...event, runId: "run-2" }, ctx), undefined);
  }));

test("a wrapper whose turn never passed the run gate passes it now, or does not run", () =>
  withDaemon({ "run.start": () => new Refuse("halted", "the emergency stop is in force") }, async (mc, daemon) => {
    assert.match((await mc.gate.tool(...call("tool_search_code", {}))).blockReason, /emergency stop/);
    await daemon.stop();
    assert.match((await mc.gate.tool(...call("tool_search_code", {}))).blockReason, /away/);
    const [event, ctx] = call("tool_search", {});
    assert.equal((await mc.gate.tool(event, { ...ctx, agentId: undefined, sessionKey: undefined })).block, true, "nobody's call");
  }));

test("arguments beyond the limit are blocked here", () =>
  withDaemon({}, async (mc, daemon) => {
    assert.match((await mc.gate.tool(...call("write", { content: "x".repeat(200_000) }))).blockReason, /128 KiB/);
    assert.equal(daemon.calls("tool.check").length, 0);
  }));
