// What the plugin remembers of the gateway: runs, sessions, calls, fences. Lives on `globalThis`,
// because the host registers a plugin several times in one process. Bounded everywhere.
import { randomBytes } from "node:crypto";

const KEPT = 2000;

/** A map that forgets its oldest entry when it is full. */
export class Recent extends Map {
  set(key, value) {
    this.delete(key);
    super.set(key, value);
    if (this.size > KEPT) this.delete(this.keys().next().value);
    return this;
  }
}

/** The gateway as the plugin sees it. */
export class State {
  constructor() {
    this.boot = randomBytes(6).toString("hex");
    this.keys = 0;
    /** runId → {run, task, agent, session, sessionId, granted, used, over, isCut, finished}; money in micro-dollars */
    this.runs = new Recent();
    /** sessionKey → runId of the turn that goes on */
    this.current = new Recent();
    /** sessionKey → why its last turn was ended by us */
    this.cut = new Recent();
    /** sessionKey → absolute workspace directory */
    this.workspaces = new Recent();
    /** child sessionKey → R-n of the run that spawned it */
    this.parents = new Recent();
    /** child sessionKey → sessionKey that spawned it */
    this.spawners = new Recent();
    /** runId|toolCallId → {call, agent} of what was let through and goes on; no `call` where nobody recorded it */
    this.calls = new Recent();
    /** runId|toolCallId of calls that have ended */
    this.ended = new Recent();
    /** When the gates came into force, by the clock of the machine; what began before passed none. */
    this.since = 0;
    /** agent|T-n → fence of the claim */
    this.fences = new Recent();
    /** agent → last session seen */
    this.sessions = new Map();
    /** agent → T-n that it worked on last */
    this.tasks = new Map();
    /** Whether the squad was last seen stopped: true, false, or undefined before the first word. */
    this.halted = undefined;
    /** Agents that were last seen stopped, paused or quarantined. */
    this.stopped = new Set();
    this.haltFile = undefined;
    this.holdMs = undefined;
  }

  /** Returns a new idempotency key. */
  key() {
    this.keys += 1;
    return `oc:${this.boot}:${this.keys}`;
  }

  /** Notes that `agent` was seen in `session`. */
  saw(agent, session) {
    if (session) this.sessions.set(agent, session);
  }

  /** Returns the run that goes on in `session`. */
  currentRun(session) {
    return this.runs.get(this.current.get(session));
  }
}

/** Returns what names a tool call in all its hooks. */
export const callKey = (event) => `${event?.runId ?? ""}|${event?.toolCallId}`;

/** Returns the OpenClaw id of the agent that a hook speaks of, from the session key if need be. */
export function openclawAgent(ctx, event) {
  if (typeof ctx?.agentId === "string" && ctx.agentId) return ctx.agentId;
  const key = ctx?.sessionKey ?? event?.sessionKey;
  const match = typeof key === "string" ? /^agent:([^:]+):/.exec(key) : null;
  return match?.[1];
}

/** Returns the Mission Control name of that agent; `undefined` when nobody can be named. */
export function agentName(config, ctx, event) {
  const id = openclawAgent(ctx, event);
  return id === undefined ? undefined : (config.agents[id] ?? id);
}

/** One line of at most `max` characters, without control characters. */
export function oneLine(text, max) {
  const line = String(text ?? "").replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, " ").trim();
  return line.length > max ? `${line.slice(0, max - 1)}…` : line;
}
