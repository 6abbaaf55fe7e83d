// A model that does as it is told: an OpenAI-compatible server whose answers stand in the conversation.
//
// The newest user message that holds `NAME MOCK:[step, ...]` is the script; step n answers the n-th model
// call after it, so the server keeps no state. A step is {"tool", "args"} or {"text"}; with "usage"
// ({prompt_tokens, completion_tokens}) it says what it used, with "ms" it takes that long, with "meet" it
// waits until so many steps with "meet" have been asked for, once (half a minute at most). Every request's
// messages go to the file MOCK_LOG, one JSON array a line: what the model was shown. The file MOCK_BILL
// gets a line for each call that is over: {call, script, began, ended, cut, usage}: `script` is its NAME,
// times are in milliseconds, `cut` says that nobody waited for the end. GET /calls counts.
import fs from "node:fs";
import http from "node:http";

const port = Number(process.env.MOCK_PORT);
const SCRIPT = /(?<![^\s])([\w-]+) MOCK:\[/;
const USUAL = { prompt_tokens: 1000, completion_tokens: 100 };
const held = [];
let met = 0;
let calls = 0;

const textOf = (content) => (typeof content === "string" ? content : (content ?? []).map((part) => part.text ?? "").join(""));

/** Returns the JSON array that begins at `from`. */
function arrayAt(text, from) {
  let depth = 0;
  let quoted = false;
  for (let at = from; at < text.length; at++) {
    const letter = text[at];
    if (quoted) {
      if (letter === "\\") at++;
      else if (letter === '"') quoted = false;
    } else if (letter === '"') quoted = true;
    else if ("[{".includes(letter)) depth++;
    else if ("]}".includes(letter) && --depth === 0) return text.slice(from, at + 1);
  }
  return "[]";
}

function step(messages) {
  for (let at = messages.length - 1; at >= 0; at--) {
    const text = messages[at].role === "user" ? textOf(messages[at].content) : "";
    const found = SCRIPT.exec(text);
    if (!found) continue;
    const steps = JSON.parse(arrayAt(text, found.index + found[0].length - 1));
    const done = messages.slice(at + 1).filter((message) => message.role === "assistant").length;
    const script = found[1];
    return { script, ...(steps[done] ?? { text: `the script has only ${steps.length} steps` }) };
  }
  return { text: "no script" };
}

/** Holds a call until `count` of them are there; from then on nobody is held. */
async function meet(count) {
  if (++met >= count) for (const go of held.splice(0)) go();
  if (met >= count) return;
  await new Promise((resolve) => {
    held.push(resolve);
    setTimeout(resolve, 30_000);
  });
}

/** Writes down what a call cost, once it is over. */
function bill(response, entry) {
  if (!process.env.MOCK_BILL) return;
  response.on("close", () => {
    const line = { ...entry, ended: Date.now(), cut: !response.writableFinished };
    fs.appendFileSync(process.env.MOCK_BILL, `${JSON.stringify(line)}\n`);
  });
}

async function answer(response, body) {
  const { script, text = "", tool, args = {}, usage = USUAL, ms = 0, meet: count } = step(body.messages ?? []);
  const id = `mock-${++calls}`;
  bill(response, { call: calls, script, began: Date.now(), usage });
  const tools = tool ? [{ index: 0, id: `call_${id}`, type: "function", function: { name: tool, arguments: JSON.stringify(args) } }] : [];
  const base = { id, object: "chat.completion.chunk", created: 1, model: body.model };
  const send = (more) => response.write(`data: ${JSON.stringify({ ...base, ...more })}\n\n`);
  const delta = (part, reason = null) => send({ choices: [{ index: 0, delta: part, finish_reason: reason }] });
  response.setHeader("content-type", "text/event-stream");
  delta({ role: "assistant", content: text });
  if (count) await meet(count);
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms));
  if (response.destroyed) return;
  for (const call of tools) delta({ tool_calls: [call] });
  delta({}, tools.length > 0 ? "tool_calls" : "stop");
  send({ choices: [], usage: { ...usage, total_tokens: usage.prompt_tokens + usage.completion_tokens } });
  response.end("data: [DONE]\n\n");
}

http
  .createServer(async (request, response) => {
    if (request.url === "/calls") return response.end(String(calls));
    if (request.url.endsWith("/models")) return response.end(JSON.stringify({ object: "list", data: [{ id: "mock-1", object: "model" }] }));
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks).toString() || "{}");
    fs.appendFileSync(process.env.MOCK_LOG, `${JSON.stringify(body.messages ?? [])}\n`);
    await answer(response, body);
  })
  .listen(port, "127.0.0.1");
