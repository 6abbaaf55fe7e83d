// Ends turns from inside the gateway, in milliseconds, whoever began them. The bridge does the rest:
// background commands, queues, and looking whether all of it has ended.
import fs from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import { oneLine } from "./state.js";

const SDK = "openclaw/plugin-sdk/agent-harness-runtime";

/** Returns the host's function that aborts a turn by its session id; `undefined` where there is none. */
export async function hostAbort() {
  const load = async (specifier) => (await import(specifier)).abortAgentHarnessRun;
  try {
    const own = await load(SDK);
    if (typeof own === "function") return own;
  } catch {
    // The host does not resolve its own name for plugins: ask from where it was started.
  }
  try {
    const host = createRequire(fs.realpathSync(process.argv[1]));
    const abort = await load(pathToFileURL(host.resolve(SDK)).href);
    return typeof abort === "function" ? abort : undefined;
  } catch {
    return undefined;
  }
}

export class Stopper {
  /** `parts`: `state`, `log(text)`. */
  constructor({ state, log }) {
    Object.assign(this, { state, log, abort: undefined });
  }

  /** Looks for the host's function; says whether there is one. */
  async prepare() {
    this.abort ??= await hostAbort();
    return this.abort !== undefined;
  }

  /** `runtime.abort`: ends the turns of an agent, or of one session and all below it. */
  end({ agent, session, reason }) {
    const wanted = session === undefined || session === null ? undefined : String(session).toLowerCase();
    // Until a turn or a call of it is let in again.
    if (wanted === undefined) this.state.stopped.add(agent);
    let ended = 0;
    let left = 0;
    for (const [key, runId] of this.state.current) {
      const run = this.state.runs.get(runId);
      if (!run || run.agent !== agent || !this.#isWithin(key, wanted)) continue;
      if (this.cut(run, reason)) ended += 1;
      else left += 1;
    }
    return { ended: left === 0, detail: `${ended} turn(s) cut in the gateway, ${left} left` };
  }

  /**
   * Ends every turn that goes on and was not cut yet; says how many. What can't be cut now may be a moment
   * later: its model call begins after the run gate.
   */
  endAll(reason) {
    const open = [...this.state.current.values()].map((runId) => this.state.runs.get(runId)).filter((run) => run && !run.isCut);
    return open.filter((run) => this.cut(run, reason)).length;
  }

  #isWithin(key, wanted) {
    if (wanted === undefined) return true;
    const seen = new Set();
    for (let at = key; at !== undefined && !seen.has(at); at = this.state.spawners.get(at)) {
      if (at.toLowerCase() === wanted) return true;
      seen.add(at);
    }
    return false;
  }

  /** Ends one turn; says whether it could. Whatever of it still comes is refused. */
  cut(run, reason) {
    const isFirst = run.over === undefined;
    run.over ??= oneLine(reason, 300);
    this.state.cut.set(run.session, run.over);
    try {
      if (run.sessionId && this.abort?.(run.sessionId, { reason: new Error(`Mission Control: ${oneLine(reason, 200)}`) })) run.isCut = true;
    } catch (error) {
      if (isFirst) this.log(`a turn could not be cut: ${error.message}`);
    }
    return run.isCut === true;
  }
}
