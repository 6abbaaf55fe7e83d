// Reports reach the daemon in order, once, and survive its absence; mc_task speaks its words.
import assert from "node:assert/strict";
import fs from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { readToken } from "../../../integrations/openclaw/plugin/link.js";
import { Outbox } from "../../../integrations/openclaw/plugin/outbox.js";
import { call, FakeDaemon, plugin, Refuse, until } from "./fake-daemon.mjs";

const SESSION = "agent:main:main";
const usage = (total) => ({ message: { role: "assistant", provider: "mock", model: "m1", usage: { input: 10, output: 5, cacheRead: 2, cacheWrite: 0, cost: { total } } } });

async function started(t) {
  const daemon = await new FakeDaemon().start();
  const mc = plugin(daemon);
  t.after(() => ended({ daemon, mc }));
  const ctx = { runId: "run-1", agentId: "main", sessionKey: SESSION };
  assert.deepEqual(await mc.gate.run({}, ctx), { outcome: "pass" });
  return { daemon, mc, ctx };
}

async function ended({ daemon, mc }) {
  mc.link.close();
  await daemon.stop();
  fs.rmSync(daemon.dir, { recursive: true, force: true });
}

test("usage goes to the session's run, in whole micro-dollars", async (t) => {
  const { daemon, mc, ctx } = await started(t);
  mc.reporter.message(usage(0.0000012), ctx);
  mc.reporter.message({ message: { role: "user", content: "hi" } }, ctx);
  mc.reporter.runEnded({ runId: "run-1", success: true }, ctx);
  mc.reporter.runEnded({ runId: "run-1", success: true }, ctx);
  await until(() => daemon.calls("run.finish").length === 1, "the end");
  const [reported] = daemon.calls("run.usage");
  assert.equal(reported.cost_uusd, 2);
  assert.equal(reported.run, "R-1");
  assert.equal(reported.model, "mock/m1");
  assert.equal(daemon.calls("run.finish")[0].status, "succeeded");
});

test("a turn that left no word is sent back, and ends when the daemon is content or away", async (t) => {
  const { daemon, mc, ctx } = await started(t);
  const answers = [{ decision: "revise", missing: ["submit"], instruction: "submit T-1" }, { decision: "accept" }];
  daemon.handlers["run.finalize"] = () => answers.shift();
  const revise = await mc.reporter.finalize({ runId: "run-1" }, ctx);
  assert.equal(revise.action, "revise");
  assert.equal(revise.reason, "submit T-1");
  assert.equal(revise.retry.maxAttempts, 1);
  assert.equal(await mc.reporter.finalize({ runId: "run-1" }, ctx), undefined);
  assert.deepEqual(daemon.calls("run.finalize")[0].run, "R-1");
  assert.equal(await mc.reporter.finalize({ runId: "unknown" }, ctx), undefined);
  await daemon.stop();
  assert.equal(await mc.reporter.finalize({ runId: "run-1" }, ctx), undefined);
});

test("reports wait on disk while the daemon is away and come in order afterwards", async (t) => {
  const { daemon, mc, ctx } = await started(t);
  await daemon.stop();
  mc.reporter.message(usage(0.01), ctx);
  await until(() => fs.existsSync(mc.outbox.file), "the file");
  mc.reporter.message(usage(0.02), ctx);
  mc.reporter.runEnded({ runId: "run-1", success: false }, ctx);
  assert.equal(fs.statSync(mc.outbox.file).mode & 0o777, 0o600);
  assert.equal(fs.readFileSync(mc.outbox.file, "utf8").trim().split("\n").length, 3);
  await daemon.start();
  mc.link.keep();
  await until(() => daemon.calls("run.finish").length === 1, "the replay");
  assert.deepEqual(daemon.calls("run.usage").map((params) => params.cost_uusd), [10_000, 20_000]);
  assert.equal(daemon.calls("run.finish")[0].status, "aborted");
  await until(() => !fs.existsSync(mc.outbox.file), "the file to go");
});

test("what a process that ended left behind is sent by the next one, torn line and all", async (t) => {
  const { daemon, mc } = await started(t);
  fs.mkdirSync(mc.config.queueDir, { recursive: true });
  const left = path.join(mc.config.queueDir, "queue-999999999-abc.jsonl");
  fs.writeFileSync(left, `{"method":"run.finish","params":{"agent":"wren","run":"R-9","status":"succeeded","idempotency_key":"oc:old:1"}}\n{"method":"run.us`);
  const next = new Outbox({ link: mc.link, state: mc.state, dir: mc.config.queueDir, log: mc.log });
  next.adopt();
  await until(() => daemon.calls("run.finish").length === 1, "the old report");
  assert.equal(daemon.calls("run.finish")[0].idempotency_key, "oc:old:1");
  assert.equal(fs.existsSync(left), false);
});

test("a refused report is given up and does not hold up the next", async (t) => {
  const { daemon, mc, ctx } = await started(t);
  daemon.handlers["run.usage"] = () => new Refuse("not_found", "no such run");
  mc.reporter.message(usage(1), ctx);
  mc.reporter.runEnded({ runId: "run-1", success: true }, ctx);
  await until(() => daemon.calls("run.finish").length === 1, "the end");
  assert.match(mc.logged.join(), /no such run/);
});

test("a child's run names the run that spawned it", async (t) => {
  const { daemon, mc } = await started(t);
  const child = "agent:main:subagent:1";
  mc.reporter.spawned({ childSessionKey: child }, { requesterSessionKey: SESSION });
  await mc.gate.run({}, { runId: "run-2", agentId: "main", sessionKey: child });
  assert.equal(daemon.calls("run.start")[1].parent_run, "R-1");
});

test("the shell of an agent knows who it is, and its token only where there is one", async (t) => {
  const { daemon, mc } = await started(t);
  mc.config.agentTokenDir = daemon.dir;
  const shell = () => mc.reporter.shell({ sessionKey: SESSION }, { agentId: "main" });
  assert.deepEqual(shell(), { MC_AGENT: "wren", MC_SOCKET: daemon.path, MC_SESSION: SESSION });
  fs.writeFileSync(path.join(daemon.dir, "wren.token"), "t", { mode: 0o600 });
  assert.equal(shell().MC_TOKEN_FILE, path.join(daemon.dir, "wren.token"));
});

test("a claim's fence goes with the later moves, and refusals are told word for word", async (t) => {
  const { daemon, mc } = await started(t);
  daemon.handlers["task.claim"] = () => ({ task: {}, transition: {}, fence: 7 });
  daemon.handlers["task.start"] = () => new Refuse("transition_refused", "T-4 can't start", { fields: [{ field: "work_plan", message: "3 to 6 steps" }], allowed: ["blocked"] });
  const run = (params) => mc.tasks.run(params, { agentId: "main", sessionKey: SESSION });
  assert.equal((await run({ action: "claim", task: "T-4" })).status, "done");
  const refused = await run({ action: "plan", task: "T-4", steps: ["one"] });
  assert.equal(refused.status, "refused");
  assert.match(refused.text, /T-4 can't start[\s\S]*work_plan: 3 to 6 steps[\s\S]*blocked/);
  assert.equal(daemon.calls("task.start")[0].fence, 7);
  assert.match((await run({ action: "submit" })).text, /needs deliverable and self_review/);
});

test("a token file that others can read is not used", () => {
  const dir = fs.mkdtempSync("/tmp/mc-token-");
  const file = path.join(dir, "token");
  fs.writeFileSync(file, "mct_x", { mode: 0o644 });
  assert.throws(() => readToken(file), /0600/);
  fs.chmodSync(file, 0o600);
  assert.equal(readToken(file), "mct_x");
  fs.rmSync(dir, { recursive: true });
});

test("a call that ran without having been let through is told, once, and no other is", async (t) => {
  const { daemon, mc, ctx } = await started(t);
  const done = { result: { content: [], details: { status: "completed", exitCode: 0 } }, durationMs: 5 };
  const end = (event, more = {}) => mc.reporter.toolEnded({ ...event, ...done, ...more }, ctx);
  const allowed = (decision) => () => ({ call: "C-1", decision, risk: "green", rule: "r", reason: "x" });

  daemon.handlers["tool.check"] = allowed("allow");
  const [event] = call("exec", { command: "ls" });
  assert.equal(await mc.gate.tool(event, ctx), undefined);
  end(event);
  end(event);
  const [wrapper] = call("tool_search", { query: "x" });
  assert.equal(await mc.gate.tool(wrapper, ctx), undefined);
  end(wrapper);
  daemon.handlers["tool.check"] = allowed("deny");
  const [denied] = call("exec", { command: "rm x" });
  assert.equal((await mc.gate.tool(denied, ctx)).block, true);
  end(denied, { result: { details: { status: "blocked", deniedReason: "plugin-before-tool-call" } }, error: "no" });
  const [unknown] = call("no_such_tool", {});
  end(unknown, { result: { details: {} }, error: "Tool no_such_tool not found" });
  end(call("read", {})[0], { result: { details: { status: "skipped", deniedReason: "steering" } } });
  end({ toolName: "exec", params: {} });
  mc.state.since = Date.now() - 1000;
  end(call("exec", {})[0], { durationMs: 60_000 });
  mc.state.since = 0;
  await until(() => daemon.calls("tool.finish").length === 1 && mc.outbox.items.length === 0, "the end of the allowed call");
  assert.deepEqual(daemon.calls("runtime.report"), [], "let through, refused, unknown, skipped, without an id, begun before the gate");

  const [past] = call("exec", { command: "ls" });
  end(past);
  end(past);
  end(denied);
  end(call("exec", {})[0], { error: "Command exited with code 1", result: { details: { status: "failed", exitCode: 1 } } });
  mc.reporter.toolEnded({ ...call("write", {})[0], ...done }, { ...ctx, agentId: "stranger", sessionKey: "agent:stranger:main" });
  await until(() => daemon.calls("runtime.report").length === 4, "the reports");
  const [first, second, third, stranger] = daemon.calls("runtime.report");
  assert.deepEqual([first.agent, first.state, first.unchecked], ["wren", "ungoverned", 1]);
  assert.match(first.detail, /^exec ended in agent:main:main without having been let through$/);
  assert.deepEqual([second.agent, second.unchecked], ["wren", 1], "a refused call that ran all the same");
  assert.equal(third.unchecked, 1, "a command that failed has run");
  assert.equal(stranger.unchecked, undefined, "an agent that the daemon does not know");
});
