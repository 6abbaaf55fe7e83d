// A user of the gateway: `node gateway.mjs turn SESSION MESSAGE` runs a turn and prints how it ended;
// `node gateway.mjs call METHOD JSON` calls a method. GW_PORT and GW_TOKEN say where.
import { randomUUID } from "node:crypto";

const socket = new WebSocket(`ws://127.0.0.1:${process.env.GW_PORT}`);
const waiting = new Map();

/** Asks and waits; a turn answers `accepted` first. */
function ask(method, params) {
  const id = randomUUID();
  socket.send(JSON.stringify({ type: "req", id, method, params }));
  return new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
}

const ready = new Promise((resolve, reject) => {
  socket.addEventListener("error", () => reject(new Error("no gateway")));
  socket.addEventListener("message", ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.event === "connect.challenge") {
      const client = { id: "gateway-client", version: "0", platform: "linux", mode: "backend", displayName: "walk" };
      const scopes = ["operator.read", "operator.write", "operator.admin", "operator.approvals"];
      ask("connect", { minProtocol: 4, maxProtocol: 4, client, role: "operator", scopes, caps: [], auth: { token: process.env.GW_TOKEN } }).then(resolve, reject);
    }
    const wait = frame.type === "res" ? waiting.get(frame.id) : undefined;
    if (!wait || (frame.ok && frame.payload?.status === "accepted")) return;
    waiting.delete(frame.id);
    if (frame.ok) wait.resolve(frame.payload);
    else wait.reject(new Error(JSON.stringify(frame.error)));
  });
});

const [verb, first, second] = process.argv.slice(2);
await ready;
const answer =
  verb === "turn" ? await ask("agent", { sessionKey: first, message: second, idempotencyKey: randomUUID() }) : await ask(first, JSON.parse(second ?? "{}"));
const said = answer.result?.payloads?.map((payload) => payload.text);
console.log(JSON.stringify(verb === "turn" ? { status: answer.status, summary: answer.summary, said } : answer));
socket.close();
