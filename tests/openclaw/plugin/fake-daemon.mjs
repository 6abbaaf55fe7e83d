// A daemon of a few lines on a Unix socket, and a plugin connected to it, for the plugin's tests.
import fs from "node:fs";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { Gate } from "../../../integrations/openclaw/plugin/gate.js";
import { HaltWatch } from "../../../integrations/openclaw/plugin/halt.js";
import { Link } from "../../../integrations/openclaw/plugin/link.js";
import { Outbox } from "../../../integrations/openclaw/plugin/outbox.js";
import { Reporter } from "../../../integrations/openclaw/plugin/report.js";
import { State } from "../../../integrations/openclaw/plugin/state.js";
import { Stopper } from "../../../integrations/openclaw/plugin/stop.js";
import { TaskTool } from "../../../integrations/openclaw/plugin/task-tool.js";

/** Never answers: what a handler returns to leave a question open. */
export const SILENCE = Symbol("silence");

/** Answers with an error of the wire. */
export class Refuse {
  constructor(kind, message, data = {}) {
    this.error = { code: -32003, message, data: { kind, ...data } };
  }
}

export class FakeDaemon {
  /** `handlers`: method → (params) => result | Refuse | SILENCE | Promise of one. */
  constructor(handlers = {}) {
    this.dir = fs.mkdtempSync(path.join(os.tmpdir(), "mc-plugin-"));
    this.path = path.join(this.dir, "mcd.sock");
    fs.writeFileSync(path.join(this.dir, "halt"), "0");
    fs.utimesSync(path.join(this.dir, "halt"), 0, 0);
    this.handlers = {
      "session.hello": () => ({ protocol: 1, halted: false }),
      "runtime.attach": () => ({ halted: false, halt_file: path.join(this.dir, "halt"), hold_ms: 240_000 }),
      "run.start": () => ({ run: "R-1", task: "T-1", remaining_uusd: 1_000_000 }),
      ...handlers,
    };
    this.seen = [];
    this.sockets = new Set();
  }

  async start() {
    this.server = net.createServer((socket) => this.#serve(socket));
    await new Promise((resolve) => this.server.listen(this.path, resolve));
    return this;
  }

  #serve(socket) {
    this.sockets.add(socket);
    socket.on("error", () => {});
    let rest = "";
    socket.on("data", (data) => {
      rest += data;
      for (let end; (end = rest.indexOf("\n")) >= 0; ) {
        const frame = JSON.parse(rest.slice(0, end));
        rest = rest.slice(end + 1);
        void this.#answer(socket, frame);
      }
    });
  }

  async #answer(socket, { id, method, params }) {
    this.seen.push({ method, params });
    const result = await (this.handlers[method] ?? (() => ({})))(params, socket);
    if (result === SILENCE || socket.destroyed) return;
    const body = result instanceof Refuse ? { error: result.error } : { result };
    socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, ...body })}\n`);
  }

  /** Returns the parameters of every call of `method`. */
  calls(method) {
    return this.seen.filter((call) => call.method === method).map((call) => call.params);
  }

  async stop() {
    if (!this.server.listening) return;
    for (const socket of this.sockets) socket.destroy();
    this.sockets.clear();
    await new Promise((resolve) => this.server.close(resolve));
    fs.rmSync(this.path, { force: true });
  }
}

/** Builds the plugin's parts against `daemon`. */
export function plugin(daemon, more = {}) {
  const tokenFile = path.join(daemon.dir, "token");
  fs.writeFileSync(tokenFile, "mct_test\n", { mode: 0o600 });
  const config = { socketPath: daemon.path, tokenFile, agents: { main: "wren" }, queueDir: path.join(daemon.dir, "queue"), ...more };
  const logged = [];
  const log = (text) => logged.push(text);
  const state = new State();
  const attach = () => ({ runtime: "openclaw", version: "test", agents: ["wren"], capabilities: ["gate"] });
  const link = new Link({ socketPath: config.socketPath, tokenFile, client: { name: "test", version: "0" }, attach, log });
  link.onUp(({ attached }) => Object.assign(state, { halted: attached.halted, haltFile: attached.halt_file, holdMs: attached.hold_ms }));
  const outbox = new Outbox({ link, state, dir: config.queueDir, log });
  const cut = [];
  const stopper = new Stopper({ state, log });
  stopper.abort = (sessionId) => cut.push(sessionId) > 0;
  const parts = { link, state, config, outbox, stopper, log };
  return { ...parts, logged, cut, gate: new Gate(parts), halt: new HaltWatch(parts), reporter: new Reporter(parts), tasks: new TaskTool(parts) };
}

/** A tool call as the host describes it. */
export function call(toolName, params, more = {}) {
  const ctx = { agentId: "main", sessionKey: "agent:main:main", ...more };
  return [{ toolName, params, runId: "run-1", toolCallId: `call-${Math.random()}` }, ctx];
}

/** Waits until `isTrue` holds; fails after five seconds. */
export async function until(isTrue, what) {
  const deadline = Date.now() + 5000;
  while (!isTrue()) {
    if (Date.now() > deadline) throw new Error(`waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}
