// What the daemon is told: usage and cost of each model call, results of tools, ends of turns, who
// spawned whom, and that the agents are alive.
import { createHash } from "node:crypto";
import fs from "node:fs";
import path from "node:path";
import { agentName, callKey, oneLine } from "./state.js";

const PREVIEW = 500;
const BEAT_MS = 60_000;
const WORK_LINE_MS = 1000;
const FINALIZE_MS = 2000;

export class Reporter {
  /** `parts`: `link`, `state`, `outbox`, `stopper`, `config`, `log(text)`. */
  constructor({ link, state, outbox, stopper, config, log }) {
    Object.assign(this, { link, state, outbox, stopper, config, log });
  }

  /** `before_message_write`: an assistant message carries what its model call used. */
  message(event, ctx) {
    const message = event?.message;
    const usage = message?.usage;
    const run = this.state.currentRun(ctx?.sessionKey ?? event?.sessionKey);
    if (message?.role !== "assistant" || !usage || !run) return;
    const cost = usage.cost?.total;
    const known = Number.isFinite(cost) && cost >= 0 ? { cost_uusd: Math.ceil(cost * 1e6 - 1e-3) } : {};
    const report = {
      agent: run.agent,
      run: run.run,
      model: oneLine([message.provider, message.model].filter(Boolean).join("/") || "unknown", 200),
      input_tokens: count(usage.input),
      output_tokens: count(usage.output),
      cache_read_tokens: count(usage.cacheRead),
      cache_write_tokens: count(usage.cacheWrite),
      ...known,
    };
    this.outbox.push("run.usage", report, (answer) => {
      if (answer?.state === "stop") this.#spent(run, "nothing more may be spent");
    });
    run.used = (run.used ?? 0) + (known.cost_uusd ?? 0);
    // While nobody can be asked, what was granted at the start is all there is.
    const isUsedUp = run.granted > 0 && run.used >= run.granted;
    if (isUsedUp && !this.link.isUp) this.#spent(run, "Mission Control is away, and what it had granted is spent");
  }

  /** Ends a turn at once that would begin its next model call unasked. */
  #spent(run, reason) {
    if (run.finished || run.over) return;
    this.log(`${run.run} of ${run.agent} is ended: ${reason}`);
    this.stopper.cut(run, reason);
  }

  /** `after_tool_call`: how an allowed call ended, and what ended although it was not let through. */
  toolEnded(event, ctx) {
    const key = callKey(event);
    const known = this.state.calls.get(key);
    if (!known) return this.#pastTheGate(event, ctx);
    this.state.calls.delete(key);
    this.state.ended.set(key, true);
    if (!known.call) return; // nobody recorded it: plumbing, or a read while the daemon was away
    const text = resultText(event.result);
    const failed = Boolean(event.error) || hasFailed(event.result?.details);
    const duration = event.durationMs ?? event.result?.details?.durationMs;
    this.outbox.push("tool.finish", {
      agent: known.agent,
      call: known.call,
      status: failed ? "failed" : "succeeded",
      ...(Number.isFinite(duration) ? { duration_ms: Math.max(0, Math.round(duration)) } : {}),
      ...(text ? { result_preview: [...text.slice(0, 2 * PREVIEW)].slice(0, PREVIEW).join("") } : {}),
      result_sha256: createHash("sha256").update(text).digest("hex"),
      ...(failed ? { error: oneLine(event.error || failure(event.result?.details), PREVIEW) } : {}),
    });
  }

  /** A call has ended that no gate let through: if it ran, the daemon is told, and quarantines the agent. */
  #pastTheGate(event, ctx) {
    const startedAt = Date.now() - (event?.durationMs ?? 0);
    if (!event?.toolCallId || this.state.ended.has(callKey(event)) || startedAt < this.state.since || !hasRun(event)) return;
    this.state.ended.set(callKey(event), true);
    const agent = agentName(this.config, ctx, event);
    const detail = `${oneLine(event.toolName, 60)} ended in ${oneLine(ctx?.sessionKey, 100) || "no session"} without having been let through`;
    this.log(`past the gate: ${detail}`);
    // Of an agent that is none of ours only the gateway as a whole can be said not to ask.
    const whose = Object.values(this.config.agents).includes(agent) ? { agent, unchecked: 1 } : {};
    this.outbox.push("runtime.report", { runtime: "openclaw", state: "ungoverned", detail: oneLine(detail, PREVIEW), ...whose });
  }

  /** `before_agent_finalize`: a turn that leaves no word on its task gets one more pass. */
  async finalize(event, ctx) {
    const run = this.state.runs.get(event?.runId ?? ctx?.runId);
    if (!run || run.finished) return undefined;
    try {
      // One more pass is one more model call: only if what was used until now is known to leave room.
      if (!(await this.outbox.settled(FINALIZE_MS)) || run.over) return undefined;
      const asked = await this.link.call("run.finalize", { agent: run.agent, run: run.run }, { timeoutMs: FINALIZE_MS });
      if (asked?.decision !== "revise") return undefined;
      const reason = String(asked.instruction);
      return { action: "revise", reason, retry: { instruction: reason, idempotencyKey: `mc:${run.run}`, maxAttempts: 1 } };
    } catch {
      return undefined; // nothing is lost: the turn ends as it would have
    }
  }

  /** `agent_end`: a turn is over. Its background commands may not be. */
  runEnded(event, ctx) {
    const runId = event?.runId ?? ctx?.runId;
    const run = this.state.runs.get(runId);
    if (!run || run.finished) return;
    run.finished = true;
    const session = ctx?.sessionKey ?? run.session;
    if (this.state.current.get(session) === runId) this.state.current.delete(session);
    // The host names no error when it has cut the turn off.
    const status = event.success ? "succeeded" : event.error ? "failed" : "aborted";
    const error = event.success ? undefined : oneLine(event.error || "the turn was cut off", PREVIEW);
    this.outbox.push("run.finish", { agent: run.agent, run: run.run, status, ...(error ? { error } : {}) });
  }

  /** `subagent_spawned`: the child's run names its parent's. */
  spawned(event, ctx) {
    const child = event?.childSessionKey ?? ctx?.childSessionKey;
    const spawner = ctx?.requesterSessionKey;
    const parent = this.state.currentRun(spawner);
    if (child && spawner) this.state.spawners.set(child, spawner);
    if (child && parent) this.state.parents.set(child, parent.run);
  }

  /** `resolve_exec_env`: who the agent's shell is, for `mcctl`. */
  shell(event, ctx) {
    const agent = agentName(this.config, ctx, event);
    if (!agent) return undefined;
    const env = { MC_AGENT: agent, MC_SOCKET: this.config.socketPath };
    const session = event?.sessionKey ?? ctx?.sessionKey;
    if (session) env.MC_SESSION = session;
    const file = this.config.agentTokenDir && path.join(this.config.agentTokenDir, `${agent}.token`);
    if (file && fs.existsSync(file)) env.MC_TOKEN_FILE = file;
    return env;
  }

  /** `before_prompt_build`: what the agent works on, in one line of the system prompt. */
  async workLine(event, ctx) {
    const agent = agentName(this.config, ctx, event);
    if (!agent) return undefined;
    const beat = await this.#beat(agent, ctx?.sessionKey, WORK_LINE_MS);
    const open = beat?.assigned ?? [];
    const lines = open.slice(0, 3).map((task) => `${task.id} [${task.state}] "${oneLine(task.title, 120)}"`);
    const work = lines.length > 0 ? `Your tasks: ${lines.join("; ")}.` : "You have no task; mc_task list shows what can be claimed.";
    const waiting = (beat?.decisions ?? []).slice(0, 5).map((approval) => `${approval.id} is ${approval.status}`);
    const decided = waiting.length > 0 ? ` Decided: ${waiting.join(", ")}; repeat an approved call exactly.` : "";
    return { appendSystemContext: `Mission Control governs this agent (${agent}). ${work}${decided} Use mc_task to claim, plan, report and submit work.` };
  }

  /** Begins to say every minute that the agents are alive; from now on every call has a gate to pass. */
  start() {
    this.stop();
    this.state.since = Date.now();
    this.timer = setInterval(() => {
      for (const [agent, session] of this.state.sessions) void this.#beat(agent, session);
    }, BEAT_MS);
    this.timer.unref();
  }

  stop() {
    clearInterval(this.timer);
  }

  async #beat(agent, session, timeoutMs) {
    const isBusy = [...this.state.current.keys()].some((key) => this.state.currentRun(key)?.agent === agent);
    try {
      return await this.link.call("agent.heartbeat", { agent, status: isBusy ? "busy" : "idle", ...(session ? { session } : {}) }, { timeoutMs });
    } catch (error) {
      if (error.kind === "halted") this.state.halted = true;
      return undefined; // the gate says what is to be said when the daemon is away
    }
  }
}

function count(value) {
  return Number.isFinite(value) && value > 0 ? Math.round(value) : 0;
}

/** Returns the text parts of a tool's result. */
function resultText(result) {
  if (typeof result === "string") return result;
  const parts = Array.isArray(result?.content) ? result.content : [];
  return parts.map((part) => (typeof part?.text === "string" ? part.text : "")).join("\n");
}

/**
 * Returns whether a call that has ended had begun to run. What the host refuses, skips, does not know or can't
 * read ends too, as an error; an error that leaves no exit code can't be told from those.
 */
function hasRun({ error, result }) {
  const details = result?.details;
  return error ? Number.isInteger(details?.exitCode) : !["blocked", "skipped"].includes(details?.status);
}

function hasFailed(details) {
  return ["failed", "error", "blocked", "timeout"].includes(details?.status) || (Number.isInteger(details?.exitCode) && details.exitCode !== 0);
}

function failure(details) {
  return Number.isInteger(details?.exitCode) && details.exitCode !== 0 ? `exit code ${details.exitCode}` : `ended as ${details?.status ?? "failed"}`;
}
