// The tool `mc_task`: an agent's hands in Mission Control. The daemon's refusals go to the model word
// for word, with the fields that are wrong and the moves that are open.
import { Refusal } from "./link.js";
import { agentName, oneLine } from "./state.js";

const text = (description) => ({ type: "string", description });

/** What the model may say. */
export const parameters = {
  type: "object",
  additionalProperties: false,
  required: ["action"],
  properties: {
    action: {
      type: "string",
      enum: ["list", "show", "claim", "plan", "start", "comment", "submit", "block", "ask"],
      description:
        "list: your tasks and what can be claimed. show: one task whole. claim: take an Inbox task. plan or start: begin with 3 to 6 steps. comment: write to the thread. " +
        "submit: hand in for review. block: say that you are stuck. ask: ask a person for a decision.",
    },
    task: text("T-n; by default the task that you work on"),
    steps: { type: "array", items: { type: "string" }, description: "start: 3 to 6 steps of the work" },
    text: text("comment: Markdown, @name mentions"),
    kind: { type: "string", enum: ["comment", "progress", "artifact", "review"], description: "comment: what it is" },
    deliverable: text("submit: what was made, or where it lies"),
    self_review: {
      type: "array",
      description: "submit: every item of the task's checklist (see show), checked or explained in its note",
      items: {
        type: "object",
        additionalProperties: false,
        required: ["item", "checked"],
        properties: { item: { type: "string" }, checked: { type: "boolean" }, note: { type: "string" } },
      },
    },
    evidence: { type: "array", items: { type: "string" }, description: "submit: what proves the claims: commands and results, links, files" },
    reason: text("block: what stands in the way"),
    tried: text("block: what was tried"),
    needs: text("block: what is needed to go on"),
    summary: text("ask: the question in one line"),
    justification: text("ask: why a person has to decide"),
  },
};

const MISSING = {
  start: ["steps"],
  comment: ["text"],
  submit: ["deliverable", "self_review"],
  block: ["reason"],
  ask: ["summary", "justification"],
};

export class TaskTool {
  /** `parts`: `link`, `state`, `config`. */
  constructor({ link, state, config }) {
    Object.assign(this, { link, state, config });
  }

  /** Returns the tool for one agent's session, as the host wants it. */
  forSession(toolCtx) {
    return {
      name: "mc_task",
      label: "Mission Control",
      catalogMode: "direct-only", // stays visible when Tool Search hides other plugins' tools
      description: "Your work in Mission Control: list, show, claim, plan and start tasks, comment, submit, report a blocker, ask a person.",
      parameters,
      execute: async (_callId, params, signal) => {
        const answer = await this.run(params ?? {}, toolCtx, signal);
        return { content: [{ type: "text", text: answer.text }], details: { status: answer.status } };
      },
    };
  }

  /** Does one action; returns `{status: done | refused | failed, text}` and never throws. */
  async run(params, toolCtx, signal) {
    const agent = agentName(this.config, toolCtx);
    if (!agent) return { status: "failed", text: "Mission Control does not know which agent this session belongs to." };
    const action = params.action === "plan" ? "start" : params.action;
    const missing = (MISSING[action] ?? []).filter((field) => params[field] === undefined);
    if (missing.length > 0) return { status: "refused", text: `${params.action} needs ${missing.join(" and ")}.` };
    try {
      const task = params.task ?? (await this.#currentTask(agent, toolCtx));
      if (!task && !["list", "ask"].includes(action)) return { status: "refused", text: "You have no task in hand: name one (T-n), or use list." };
      const cx = { agent, task, session: toolCtx?.sessionKey, signal };
      const act = ACTIONS[action];
      if (!act) return { status: "refused", text: `There is no action ${oneLine(params.action, 40)}.` };
      return { status: "done", text: await act(this, params, cx) };
    } catch (error) {
      if (error instanceof Refusal) return { status: "refused", text: refusalText(error) };
      return { status: "failed", text: `Mission Control can't be asked now (${oneLine(error.message, 200)}). Nothing was changed; try again later.` };
    }
  }

  async #currentTask(agent, toolCtx) {
    const known = this.state.currentRun(toolCtx?.sessionKey)?.task ?? this.state.tasks.get(agent);
    if (known) return known;
    const beat = await this.link.call("agent.heartbeat", { agent });
    return beat.assigned?.[0]?.id;
  }

  /** Reads something as `agent`. */
  ask(method, cx, params) {
    return this.link.call(method, { agent: cx.agent, ...params }, { signal: cx.signal });
  }

  /** Changes something as `agent`, with a key. */
  command(method, cx, params) {
    return this.ask(method, cx, { ...params, idempotency_key: this.state.key() });
  }

  /** Makes a move of the task with the fence of the claim. */
  async move(method, cx, params) {
    const fence = this.state.fences.get(`${cx.agent}|${cx.task}`);
    const moved = await this.command(method, cx, { task: cx.task, ...(fence === undefined ? {} : { fence }), ...params });
    this.state.tasks.set(cx.agent, cx.task);
    return moved;
  }
}

const ACTIONS = {
  async list(tool, _params, cx) {
    const beat = await tool.command("agent.heartbeat", cx, cx.session ? { session: cx.session } : {});
    const lines = (cards) => (cards ?? []).map(cardLine).join("\n") || "none";
    return `Yours:\n${lines(beat.assigned)}\n\nYou can claim:\n${lines(beat.claimable)}`;
  },

  async show(tool, _params, cx) {
    return detailText(await tool.ask("task.get", cx, { task: cx.task }));
  },

  async claim(tool, _params, cx) {
    const moved = await tool.command("task.claim", cx, { task: cx.task });
    if (Number.isInteger(moved.fence)) tool.state.fences.set(`${cx.agent}|${cx.task}`, moved.fence);
    tool.state.tasks.set(cx.agent, cx.task);
    return `${cx.task} is yours. Next: start it with 3 to 6 steps.`;
  },

  async start(tool, params, cx) {
    await tool.move("task.start", cx, { work_plan: params.steps });
    const run = tool.state.currentRun(cx.session);
    if (run) run.task ??= cx.task;
    return `${cx.task} is in progress. Do the work, comment on what matters, then submit it.`;
  },

  async comment(tool, params, cx) {
    const message = await tool.command("message.post", cx, { task: cx.task, kind: params.kind ?? "comment", text: params.text });
    return `${message.id} is on ${cx.task}.`;
  },

  async submit(tool, params, cx) {
    const { deliverable, self_review, evidence } = params;
    await tool.move("task.submit", cx, { deliverable, self_review, ...(evidence ? { evidence } : {}) });
    tool.state.tasks.delete(cx.agent);
    return `${cx.task} is in review. A person decides; you are told.`;
  },

  async block(tool, params, cx) {
    const { reason, tried, needs } = params;
    await tool.move("task.report_blocker", cx, { reason, ...(tried ? { tried } : {}), ...(needs ? { needs } : {}) });
    return `${cx.task} is blocked; a person was told. Do other work until you hear more.`;
  },

  async ask(tool, params, cx) {
    const approval = await tool.command("approval.request", cx, {
      kind: "escalation",
      summary: params.summary,
      justification: params.justification,
      ...(cx.task ? { task: cx.task } : {}),
      ...(cx.session ? { session: cx.session } : {}),
    });
    return `${approval.id} waits for a person. Do other work or end your turn; you will be told the decision.`;
  },
};

function cardLine(card) {
  return `${card.id} [${card.state}] P${card.priority} ${oneLine(card.title, 200)}`;
}

/** Returns what an agent has to know of a task, as text. */
function detailText(task) {
  const list = (title, items) => (items?.length ? `\n${title}:\n${items.map((item) => `- ${item}`).join("\n")}` : "");
  return [
    cardLine(task),
    `type ${task.type}, assignees ${(task.assignees ?? []).join(", ") || "nobody"}, moves open to you: ${(task.moves ?? []).join(", ") || "none"}`,
    task.description ? `\n${String(task.description).slice(0, 8000)}` : "",
    list("Work plan", task.work_plan),
    list("Review checklist (self_review needs every item in these words)", task.checklist),
    list("Waits for", task.waits_for),
  ]
    .filter(Boolean)
    .join("\n");
}

/** Returns a refusal in the daemon's words, with everything that helps to do it right. */
function refusalText(error) {
  const fields = error.fields.map((field) => `\n- ${field.field}: ${field.message}`).join("");
  const allowed = error.allowed.length > 0 ? `\nOpen to you now: ${error.allowed.join(", ")}.` : "";
  return `Refused (${error.kind}): ${error.message}${fields}${allowed}`;
}
