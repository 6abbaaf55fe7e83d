// The gates: no tool call and no turn without a clear yes.
//
// Fails closed: an error, an unknown answer or a missing daemon is a no. The one exception is a short
// list of reading tools while the daemon is away, and only if nothing was stopped when last heard.
import fs from "node:fs";
import path from "node:path";
import { haltFileSaysStop } from "./halt.js";
import { Aborted, Away, Refusal } from "./link.js";
import { agentName, callKey, oneLine } from "./state.js";

/** Plumbing of Tool Search: the real tool gets its own call. */
const WRAPPERS = new Set(["tool_search", "tool_describe", "tool_call", "tool_search_code"]);
/** What may go on while the daemon is away: reads of the session's own things. */
const GREEN_WHEN_AWAY = new Set(["session_status", "update_plan", "memory_search", "memory_get", "mc_task", "read"]);
const SECRET_NAME = /(^|[/._-])(env|ssh|aws|gnupg|netrc|npmrc|pgpass|id_[a-z0-9]+|pem|key|token|secret|credential|password)s?([/._-]|$)/i;
/** A turn that the host begins by itself to take up one that did not end by itself. */
const RECOVERY = "main_session_restart_recovery";
/** What the bridge begins in the place of a turn that it ends. */
const INTERRUPT = /^mc-interrupt-/;
const MAX_ARGUMENTS = 128 * 1024;
const AWAIT_MS = 25_000;
const RETRY_MS = 250;
const MAX_HOLD_MS = 300_000;

const block = (blockReason) => ({ block: true, blockReason });
const sleep = (ms, signal) =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
  });

/** Tools that run commands: only they start elsewhere than in the workspace. */
const SHELL_TOOLS = new Set(["exec", "bash", "shell", "process"]);

/** Returns whether `file` is a plain-looking file inside `workspace`, links followed. */
function isHarmlessRead(file, workspace) {
  if (typeof file !== "string" || !workspace) return false;
  try {
    const root = fs.realpathSync(workspace);
    const real = fs.realpathSync(path.resolve(root, file));
    const inside = path.relative(root, real);
    return inside !== "" && !inside.startsWith("..") && !path.isAbsolute(inside) && !SECRET_NAME.test(inside);
  } catch {
    return false;
  }
}

export class Gate {
  /** `parts`: `link`, `state`, `config`, `outbox`, `stopper`, `log(text)`. */
  constructor({ link, state, config, outbox, stopper, log }) {
    Object.assign(this, { link, state, config, outbox, stopper, log });
  }

  /** The run gate: asks before a turn; `{outcome}` for the host. */
  async run(event, ctx) {
    try {
      await this.#startRun(event, ctx);
      return { outcome: "pass" };
    } catch (error) {
      const text = error instanceof Away ? `Mission Control is away (${error.message}). No turn starts until it is back.` : `Mission Control: ${error.message}`;
      return { outcome: "block", reason: error.message, message: oneLine(text, 1000) };
    }
  }

  async #startRun(event, ctx, signal) {
    const { state } = this;
    const runId = ctx?.runId ?? event?.runId;
    const session = ctx?.sessionKey ?? "";
    const agent = agentName(this.config, ctx, event);
    if (!agent || !session) throw new Error("a turn without agent or session is not let in");
    state.saw(agent, session);
    if (ctx.workspaceDir) state.workspaces.set(session, ctx.workspaceDir);
    const known = runId ? state.runs.get(runId) : undefined;
    if (known?.over) throw new Error(`this turn was ended: ${known.over}`);
    if (INTERRUPT.test(runId ?? "")) throw new Error("the turn before this one was ended, and nothing goes on in its place");
    const cut = state.cut.get(session);
    if (cut && triggerOf(ctx) === RECOVERY) throw new Error(`what was ended is not taken up again by itself: ${cut}`);
    await this.#reported();
    if (known && !known.finished) {
      // The host may ask twice for one turn; the daemon still has the last word on each tool call.
      state.current.set(session, runId);
      return known;
    }
    const model = ctx.modelId ? `${ctx.modelProviderId ? `${ctx.modelProviderId}/` : ""}${ctx.modelId}` : undefined;
    const parent = state.parents.get(session);
    const started = await this.#ask("run.start", {
      agent,
      session,
      ...(model ? { model } : {}),
      trigger: oneLine(triggerOf(ctx), 64),
      ...(parent ? { parent_run: parent } : {}),
      ...(runId ? { external_id: oneLine(runId, 200) } : {}),
    }, signal);
    if (!/^R-\d+$/.test(started?.run ?? "")) throw new Error("the answer to run.start is not understood, so nothing starts");
    const granted = Number.isFinite(started.reserved_uusd) ? started.reserved_uusd : 0;
    const run = { run: started.run, task: started.task, agent, session, sessionId: ctx.sessionId, granted, used: 0 };
    // Nothing begins while squad or agent stand still.
    state.halted = false;
    state.stopped.delete(agent);
    state.cut.delete(session);
    if (run.task) state.tasks.set(agent, run.task);
    if (runId) {
      state.runs.set(runId, run);
      state.current.set(session, runId);
    }
    return run;
  }

  /** The tool gate: a block with its reason, or what lets the call run; that is noted, so that what ends without it is seen. */
  async tool(event, ctx) {
    const verdict = await this.#verdict(event, ctx);
    const key = callKey(event);
    if (!verdict?.block && event?.toolCallId && !this.state.calls.has(key)) this.state.calls.set(key, {});
    return verdict;
  }

  /** `undefined` lets the call run as it is, `{params}` as changed; anything else is a block. */
  async #verdict(event, ctx) {
    const tool = event?.toolName;
    const agent = agentName(this.config, ctx, event);
    if (typeof tool !== "string" || !agent) return block("Mission Control does not know whose call this is, so it did not run.");
    try {
      const call = { tool, agent, event, ctx };
      return await (WRAPPERS.has(tool) ? this.#wrapper(call) : this.#judge(call));
    } catch (error) {
      if (error instanceof Aborted) return block("The turn was ended while this call waited; it did not run.");
      if (error instanceof Away) return this.#withoutDaemon({ tool, agent, event, ctx, error });
      if (error instanceof Refusal) return this.#refused(agent, error);
      this.log(`gate: ${error.message}`);
      return block(`Mission Control could not judge this call (${oneLine(error.message, 300)}), so it did not run.`);
    }
  }

  /** What goes before the next model call: all that was used until now has to be known first. */
  async #reported() {
    if (!(await this.outbox.settled())) throw new Away("what was used until now could not be reported");
  }

  /** Plumbing is not judged, but it belongs to a turn that was let in, and the model is called again after it. */
  async #wrapper({ tool, agent, event, ctx }) {
    const run = await this.#runOf(event, ctx);
    await this.outbox.settled();
    if (run?.over) return block(ended(run.over));
    return this.#isStopped(agent) ? block(`Mission Control has stopped this agent, so ${oneLine(tool, 60)} did not run. End your turn.`) : undefined;
  }

  /** Returns whether squad or agent were last seen stopped, or the halt file says so. */
  #isStopped(agent) {
    return this.state.halted === true || this.state.stopped.has(agent) || haltFileSaysStop(this.config.haltFile ?? this.state.haltFile);
  }

  async #judge(call) {
    const { tool, agent, event, ctx } = call;
    const params = event.params ?? {};
    if (JSON.stringify(params).length > MAX_ARGUMENTS) return block("The arguments are larger than 128 KiB; such a call is never let through. Write large content in several smaller steps.");
    const session = ctx?.sessionKey;
    this.state.saw(agent, session);
    const run = await this.#runOf(event, ctx);
    await this.#reported();
    if (run?.over) return block(ended(run.over));
    // Only commands run elsewhere: file tools always start from the workspace, whatever they are told.
    const cwd = SHELL_TOOLS.has(tool) ? this.#cwd(params, session) : this.state.workspaces.get(session);
    const answer = await this.#ask("tool.check", {
      agent,
      ...(run ? { run: run.run } : {}),
      ...(session ? { session } : {}),
      tool,
      arguments: params,
      can_rewrite: true,
      ...(cwd ? { cwd } : {}),
      // What the gateway's own question about this call will name, where it asks a second time.
      ...(typeof event.toolCallId === "string" && event.toolCallId ? { external_id: event.toolCallId } : {}),
    }, ctx?.abortSignal);
    if (!/^C-\d+$/.test(answer?.call ?? "")) return block("Mission Control gave an answer that is not understood, so the call did not run.");
    switch (answer.decision) {
      case "allow":
        return this.#allowed(call, answer);
      case "ask":
        return call.isRepeated ? this.#unanswered(call, answer) : this.#hold(call, answer);
      case "deny":
        if (answer.rule === "run.ended") this.#cut(call, answer.reason);
        if (/^(squad|agent)\./.test(answer.rule ?? "")) this.state.stopped.add(agent);
        return block(denied(answer.reason, answer.call, answer.rule));
      default:
        return block(`Mission Control gave an unknown decision on ${answer.call}, so the call did not run.`);
    }
  }

  /** Returns the run of a call; one that never passed the run gate (hook dropped) passes it now. */
  async #runOf(event, ctx) {
    const runId = event.runId ?? ctx?.runId;
    if (!runId) return undefined;
    return this.state.runs.get(runId) ?? this.#startRun(event, { ...ctx, runId }, ctx?.abortSignal);
  }

  #cwd(params, session) {
    const workspace = this.state.workspaces.get(session);
    const given = params.workdir ?? params.cwd;
    if (typeof given !== "string" || !given) return workspace;
    if (path.isAbsolute(given)) return path.normalize(given);
    return workspace ? path.resolve(workspace, given) : undefined;
  }

  /** Lets a call run: as it is, or with the arguments that a person put in their place, and only those. */
  #allowed({ agent, event }, { call, arguments: changed }) {
    if (changed !== undefined && (changed === null || typeof changed !== "object" || Array.isArray(changed))) {
      return block(`Mission Control allowed ${call} with arguments that are not understood, so it did not run.`);
    }
    this.state.halted = false;
    this.state.stopped.delete(agent);
    if (event.toolCallId) this.state.calls.set(callKey(event), { call, agent });
    return changed === undefined ? undefined : { params: changed };
  }

  /** Waits for a person, at most the hold time; a daemon that restarts meanwhile is waited for. */
  async #hold(call, asked) {
    const { agent, ctx } = call;
    const signal = ctx?.abortSignal;
    if (!/^A-\d+$/.test(asked.approval ?? "")) return block("Mission Control asks a person but named no approval, so the call did not run.");
    const deadline = this.#holdUntil(asked);
    let key = this.state.key();
    while (!signal?.aborted && Date.now() < deadline) {
      const waitMs = Math.max(1, Math.min(AWAIT_MS, deadline - Date.now()));
      try {
        const params = { agent, approval: asked.approval, call: asked.call, wait_ms: waitMs, idempotency_key: key };
        const answer = await this.link.call("tool.await", params, { timeoutMs: waitMs + 2000, signal });
        const decided = await this.#decided(call, asked, answer);
        if (decided) return decided.result;
        key = this.state.key();
      } catch (error) {
        if (error instanceof Aborted) break;
        if (error instanceof Refusal && error.retryAfterMs === undefined && error.kind !== "unavailable") return this.#refused(agent, error);
        // Lost or busy: the approval is stored, so the same question is asked again with the same key.
        await sleep(Math.max(RETRY_MS, error.retryAfterMs ?? 0), signal);
      }
    }
    this.#drop(agent, asked.call);
    if (signal?.aborted) return block("The turn was ended while this call waited; it did not run.");
    return this.#unanswered(call, asked);
  }

  /** Nobody has decided. Where it is money that is missing, the turn ends: its next model call costs too. */
  #unanswered(call, asked) {
    if (/^budget\./.test(asked.rule ?? "")) this.#cut(call, asked.reason);
    return block(waitText(asked));
  }

  #cut({ event, ctx }, reason) {
    const run = this.state.runs.get(event.runId ?? ctx?.runId);
    if (run && !run.finished && !run.over) this.stopper.cut(run, reason);
  }

  #holdUntil(asked) {
    const holdMs = Math.min(this.config.holdMs ?? this.state.holdMs ?? 240_000, MAX_HOLD_MS);
    const until = Date.parse(asked.hold_until ?? "");
    const ours = Date.now() + holdMs;
    return Number.isFinite(until) ? Math.min(ours, until) : ours;
  }

  /** Returns `{result}` for the host once the approval is decided; `undefined` while it is pending. */
  async #decided(call, asked, answer) {
    switch (answer?.decision) {
      case "allow":
        // The yes is one call's: an equal one that waits beside it asks again.
        if (answer.call !== asked.call) return { result: this.#unanswered(call, asked) };
        return { result: this.#allowed(call, answer) };
      case "deny":
        // Approved, but for an equal call that is no longer held: asking again uses the approval.
        if (answer.status === "approved" && !call.isRepeated) return { result: await this.#judge({ ...call, isRepeated: true }) };
        return { result: block(denied(answer.reason, asked.call, asked.approval)) };
      case "ask":
        return undefined;
      default:
        return { result: block(`Mission Control gave an unknown decision on ${asked.approval}, so the call did not run.`) };
    }
  }

  /** Says that nobody holds the call any more; the decision is then brought to the agent. */
  #drop(agent, call) {
    this.link.call("tool.drop", { agent, call, idempotency_key: this.state.key() }).catch((error) => this.log(`tool.drop ${call}: ${error.message}`));
  }

  #refused(agent, error) {
    if (error.kind === "halted") this.state.halted = true;
    if (error.kind === "halted" || error.kind === "forbidden") this.state.stopped.add(agent);
    return block(`Mission Control: ${oneLine(error.message, 600)}. The call did not run.`);
  }

  /** What may go on without the daemon. */
  #withoutDaemon({ tool, agent, event, ctx, error }) {
    const over = this.state.runs.get(event.runId ?? ctx?.runId)?.over;
    if (over !== undefined) return block(ended(over));
    const stopped = this.state.halted === undefined || this.#isStopped(agent);
    const green = GREEN_WHEN_AWAY.has(tool) && (tool !== "read" || isHarmlessRead(event.params?.path ?? event.params?.file_path, this.state.workspaces.get(ctx?.sessionKey)));
    if (green && !stopped) return undefined;
    return block(`Mission Control is away (${oneLine(error.message, 200)}), so ${oneLine(tool, 60)} did not run. Don't retry in a loop: say what you were about to do and end your turn.`);
  }

  /** Asks with one repetition, under the same key, when the connection is lost on the way. */
  async #ask(method, params, signal) {
    const body = { ...params, idempotency_key: this.state.key() };
    try {
      return await this.link.call(method, body, { signal });
    } catch (error) {
      if (error instanceof Refusal && error.kind === "halted") this.state.halted = true;
      if (!(error instanceof Away) || !/lost/.test(error.message)) throw error;
      await sleep(RETRY_MS, signal);
      return this.link.call(method, body, { signal });
    }
  }
}

function waitText(asked) {
  return (
    `Not now: waiting for ${oneLine(asked.approval, 20)}. A person has to decide: ${oneLine(asked.reason, 400)}. The call did not run and this is no error. ` +
    "Do other work or end your turn; you will be told when it is decided. If it is approved, repeat exactly the same call."
  );
}

function ended(why) {
  return `Mission Control has ended this turn (${oneLine(why, 300)}), so the call did not run. End your turn.`;
}

function denied(reason, call, by) {
  return `Denied by Mission Control (${call}, ${oneLine(by, 80)}): ${oneLine(reason, 1000)} The call did not run. Don't try another way to the same effect; ask with mc_task if you need it.`;
}

/** Returns what began a turn: the tool or kind that stands behind it, else the host's word. */
function triggerOf(ctx) {
  const origin = ctx.inputProvenance;
  if (origin?.sourceTool) return origin.sourceTool;
  if (origin?.kind && origin.kind !== "external_user") return origin.kind;
  return ctx.trigger ?? "user";
}
