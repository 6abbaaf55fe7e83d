// Mission Control for OpenClaw: registers the gates, the reports and the tool `mc_task`.
//
// The host calls `register` several times in one process and runs some hooks on one instance, some
// on another. So the connection and all memory stand on `globalThis`, and registering does nothing
// that can be seen outside.
import { Gate } from "./gate.js";
import { HaltWatch } from "./halt.js";
import { Link } from "./link.js";
import { Outbox } from "./outbox.js";
import { Reporter } from "./report.js";
import { State } from "./state.js";
import { Stopper } from "./stop.js";
import { TaskTool } from "./task-tool.js";

const VERSION = "0.1.0";
const SHARED = Symbol.for("mission-control.openclaw.v1");
/** Longer than any wait at the gates, so that the host never decides for us. */
const HOOK_MS = 600_000;

/** Builds all parts for one configuration. */
function build(config, runtimeVersion, log) {
  const state = globalThis[SHARED]?.state ?? new State();
  const stopper = new Stopper({ state, log });
  const attach = () => ({
    runtime: "openclaw",
    version: runtimeVersion,
    agents: [...new Set(Object.values(config.agents))],
    capabilities: stopper.abort ? ["gate", "abort", "host"] : ["gate", "host"],
  });
  const { socketPath, tokenFile } = config;
  const client = { name: "mc-openclaw-plugin", version: VERSION };
  const orders = { "runtime.abort": (order) => stopper.end(order) };
  const link = new Link({ socketPath, tokenFile, client, attach, orders, log });
  link.onUp(({ hello, attached }) => {
    state.halted = Boolean(attached?.halted ?? hello?.halted);
    if (typeof attached?.halt_file === "string" && attached.halt_file) state.haltFile = attached.halt_file;
    if (Number.isFinite(attached?.hold_ms)) state.holdMs = attached.hold_ms;
  });
  const outbox = new Outbox({ link, state, dir: config.queueDir, log });
  const parts = { link, state, config, outbox, stopper, log };
  return { key: keyOf(config), ...parts, gate: new Gate(parts), halt: new HaltWatch(parts), reporter: new Reporter(parts), tasks: new TaskTool(parts) };
}

/** Tells configurations apart, and versions of this code in one process. */
const keyOf = (config) => `${VERSION} ${JSON.stringify(config)}`;

/** Returns the parts of this process, new ones when the configuration has changed. */
function shared(config, runtimeVersion, log) {
  const now = globalThis[SHARED];
  if (now?.key === keyOf(config)) return now;
  now?.reporter.stop();
  now?.halt.stop();
  now?.link.close();
  globalThis[SHARED] = build(config, runtimeVersion, log);
  return globalThis[SHARED];
}

/** Fills in what the configuration leaves out. */
export function configOf(given) {
  const config = { ...(given ?? {}) };
  if (typeof config.socketPath !== "string" || typeof config.tokenFile !== "string") throw new Error("mission-control: the configuration needs socketPath and tokenFile");
  const agents = config.agents && Object.keys(config.agents).length > 0 ? config.agents : { main: "main" };
  return { ...config, agents };
}

export default {
  id: "mission-control",
  name: "Mission Control",
  description: "Asks Mission Control before every turn and every tool call, and reports usage, cost and results.",

  register(api) {
    const log = (text) => (api.logger?.warn ?? console.warn)(`mission-control: ${text}`);
    const mc = shared(configOf(api.pluginConfig), String(api.runtime?.version ?? "unknown"), log);
    const { gate, reporter } = mc;

    api.registerTrustedToolPolicy({
      id: "mission-control-policy",
      description: "Asks Mission Control before every tool call",
      evaluate: (event, ctx) => gate.tool(event, ctx),
    });
    api.on("before_agent_run", (event, ctx) => gate.run(event, ctx), { priority: 1000, timeoutMs: HOOK_MS });
    api.on("before_prompt_build", (event, ctx) => reporter.workLine(event, ctx));
    api.on("before_message_write", (event, ctx) => quietly(log, () => reporter.message(event, ctx)));
    api.on("after_tool_call", (event, ctx) => quietly(log, () => reporter.toolEnded(event, ctx)));
    api.on("before_agent_finalize", (event, ctx) => reporter.finalize(event, ctx));
    api.on("agent_end", (event, ctx) => quietly(log, () => reporter.runEnded(event, ctx)));
    api.on("subagent_spawned", (event, ctx) => quietly(log, () => reporter.spawned(event, ctx)));
    api.on("resolve_exec_env", (event, ctx) => reporter.shell(event, ctx));
    api.registerTool((toolCtx) => mc.tasks.forSession(toolCtx), { name: "mc_task" });

    if (api.registrationMode !== "full") return;
    api.registerService({
      id: "mission-control-link",
      start: async () => {
        if (!(await mc.stopper.prepare())) log("this gateway gives plugins no way to end turns; the bridge does it alone");
        mc.link.keep();
        mc.outbox.adopt();
        reporter.start();
        mc.halt.start();
      },
      stop: async () => {
        reporter.stop();
        mc.halt.stop();
        mc.link.close();
      },
    });
  },
};

/** Runs a report; whatever goes wrong in it must not touch the turn. */
function quietly(log, act) {
  try {
    act();
  } catch (error) {
    log(`a report failed: ${error.message}`);
  }
  return undefined;
}
