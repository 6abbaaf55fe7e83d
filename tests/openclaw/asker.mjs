// A runtime that can ask before each model call: `node asker.mjs SOCKET MODEL-URL AGENT TOKEN-FILE IN OUT` reserves
// what a call of IN and OUT tokens costs, calls, settles, until nothing is left; at the end smaller calls, to the
// last token. Prints {run, calls, refused, last}: how often it was told no, and the last no word for word.
import { randomUUID } from "node:crypto";
import fs from "node:fs";
import net from "node:net";

const [path, url, agent, tokenFile, input, output] = process.argv.slice(2);
const RATE = { input: 30, output: 150 };
const socket = net.createConnection(path);
const waiting = new Map();
let rest = "";
socket.setEncoding("utf8");
socket.on("data", (data) => {
  rest += data;
  for (let end; (end = rest.indexOf("\n")) >= 0; rest = rest.slice(end + 1)) {
    const { id, result, error } = JSON.parse(rest.slice(0, end));
    waiting.get(id)?.({ result, error });
  }
});

/** Asks, and again later where too much was asked at once. */
async function ask(method, params) {
  const id = randomUUID();
  socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
  const { result, error } = await new Promise((resolve) => waiting.set(id, resolve));
  if (error === undefined) return result;
  const afterMs = error.data?.retry_after_ms;
  if (afterMs === undefined) throw new Error(`${method}: ${error.message}`);
  await new Promise((resolve) => setTimeout(resolve, afterMs));
  return ask(method, params);
}
const command = (method, params) => ask(method, { ...params, idempotency_key: randomUUID() });

async function call(usage) {
  const script = `${agent}-asks MOCK:${JSON.stringify([{ text: "said", usage, ms: 40 }])}`;
  const body = JSON.stringify({ model: "mock-1", messages: [{ role: "user", content: script }] });
  await (await fetch(`${url}/chat/completions`, { method: "POST", body })).text();
}

await ask("session.hello", { protocol: 1, client: { name: "asker", version: "0" }, token: fs.readFileSync(tokenFile, "utf8").trim() });
const { run } = await command("run.start", { session: agent, model: "mock-1", reserve_uusd: 0 });
let usage = { prompt_tokens: Number(input), completion_tokens: Number(output) };
let [calls, refused, last] = [0, 0, ""];
for (const deadline = Date.now() + 20_000; Date.now() < deadline; ) {
  const cost = usage.prompt_tokens * RATE.input + usage.completion_tokens * RATE.output;
  const granted = await command("run.reserve", { run, amount_uusd: cost });
  if (granted.decision === "allow") {
    await call(usage);
    const { prompt_tokens: input_tokens, completion_tokens: output_tokens } = usage;
    await command("run.usage", { run, reservation: granted.reservation, model: "mock-1", input_tokens, output_tokens, cost_uusd: cost });
    calls += 1;
    continue;
  }
  refused += 1;
  last = granted.reason;
  // `deny`: others hold the rest for now. `ask`: it is spent.
  const left = Math.floor(granted.remaining_uusd / RATE.input);
  if (left > 0) usage = { prompt_tokens: left, completion_tokens: 0 };
  else if (granted.decision === "ask") break;
}
await command("run.finish", { run, status: "succeeded" });
console.log(JSON.stringify({ run, calls, refused, last }));
socket.end();
