// What a squad has spent, from two books that know nothing of each other: the daemon's journal
// (`mcctl audit export`) and the model's bill. `node figures.mjs JOURNAL BILL CAP RATE_IN RATE_OUT`, money in
// micro-dollars, rates per token; prints one JSON object.
import fs from "node:fs";

const [journal, bill] = process.argv.slice(2, 4).map((file) => fs.readFileSync(file, "utf8").split("\n").filter(Boolean).map((line) => JSON.parse(line)));
const [cap, rateIn, rateOut] = process.argv.slice(4).map(Number);

const open = new Map();
const running = new Set();
const recorded = new Map();
let [spent, reserved, committed, beside, passed] = [0, 0, 0, 0, undefined];
const settle = (id, part, settles) => {
  const left = settles ? 0 : open.get(id) - part;
  reserved -= open.get(id) - left;
  open.set(id, left);
};
for (const { at, event } of journal) {
  if (event.kind === "run_started") beside = Math.max(beside, running.add(event.run.id).size);
  else if (event.kind === "run_finished") running.delete(event.run);
  else if (event.kind === "budget_reserved") {
    open.set(event.reservation.id, event.reservation.open.uusd);
    reserved += event.reservation.open.uusd;
    // At granting, what is spent and promised is never more than the cap.
    committed = Math.max(committed, spent + reserved);
  } else if (event.kind === "budget_released") {
    settle(event.reservation, 0, true);
  } else if (event.kind === "run_used") {
    spent += event.charge.counted_uusd ?? event.cost_uusd;
    const { reservation, amount, settles } = event.charge.taken ?? {};
    if (reservation) settle(reservation, amount.uusd, settles);
    const isCall = event.tokens.input + event.tokens.output > 0;
    if (isCall && !passed) recorded.set(event.agent, (recorded.get(event.agent) ?? 0) + 1);
    if (spent >= cap) passed ??= { at, agent: event.agent };
  }
}

// A script is called AGENT-n; what the child of an agent does is that agent's.
const cost = ({ usage }) => Math.ceil(usage.prompt_tokens * rateIn + usage.completion_tokens * rateOut - 1e-3);
const calls = new Map();
for (const line of bill) {
  const agent = (line.script ?? "unscripted").split("-")[0];
  calls.set(agent, [...(calls.get(agent) ?? []), line].sort((a, b) => a.ended - b.ended));
}
// In flight when the cap was passed: the call whose cost passed it, and each that was not recorded yet.
const flying = [];
for (const [agent, all] of calls) {
  const before = recorded.get(agent) ?? 0;
  flying.push(...all.slice(before - (agent === passed?.agent ? 1 : 0)).map((line) => ({ agent, ...line, cost: cost(line) })));
}
const billed = bill.reduce((sum, line) => sum + cost(line), 0);
const perAgent = (agent) => flying.filter((line) => line.agent === agent).length;
console.log(
  JSON.stringify({
    cap,
    spent,
    reserved,
    committed,
    beside,
    overshoot: Math.max(0, spent - cap),
    passed,
    in_flight: flying.length,
    in_flight_most: Math.max(0, ...[...calls.keys()].map(perAgent)),
    in_flight_uusd: flying.reduce((sum, line) => sum + line.cost, 0),
    calls: bill.length,
    unscripted: calls.get("unscripted")?.length ?? 0,
    cut: bill.filter((line) => line.cut).length,
    billed,
  }),
);
