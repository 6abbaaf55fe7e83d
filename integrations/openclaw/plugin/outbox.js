// Reports on their way to the daemon, in order, each sent until it is taken or refused.
//
// While the daemon is away they wait in a file (mode 0600, one JSON object a line, bounded) and are
// sent again when it is back; each carries its idempotency key, so twice is the same as once.
import fs from "node:fs";
import path from "node:path";
import { Away, Refusal } from "./link.js";

const MAX_ITEMS = 5000;
const RETRY_MS = 1000;
const SETTLE_MS = 2000;
const MAX_BYTES = 4 * 1024 * 1024;
const NAME = /^queue-(\d+)-[0-9a-f]+\.jsonl$/;

export class Outbox {
  /** `parts`: `link`, `state`, `dir` (no file without one), `log(text)`. */
  constructor({ link, state, dir, log }) {
    Object.assign(this, { link, state, dir, log });
    this.items = [];
    this.bytes = 0;
    this.dropped = 0;
    this.stored = false;
    this.sending = false;
    this.waiting = new Set();
    this.file = dir ? path.join(dir, `queue-${process.pid}-${state.boot}.jsonl`) : undefined;
    link.onUp(() => void this.send());
  }

  /** Takes a report; never throws. `params` get a key of their own; `heard` gets the answer, if one comes. */
  push(method, params, heard) {
    const report = { method, params: { ...params, idempotency_key: this.state.key() } };
    const line = `${JSON.stringify(report)}\n`;
    if (this.items.length >= MAX_ITEMS || this.bytes + line.length > MAX_BYTES) {
      this.dropped += 1;
      if (this.dropped === 1) this.log("the queue of reports is full; newer ones are lost until the daemon is back");
      return;
    }
    this.items.push({ ...report, heard });
    this.bytes += line.length;
    if (this.stored) this.#append(line);
    void this.send();
  }

  /** Waits until all that was reported so far is taken or refused; says whether it is. */
  settled(timeoutMs = SETTLE_MS) {
    if (this.items.length === 0) return Promise.resolve(true);
    void this.send();
    return new Promise((resolve) => {
      const end = (isSettled) => {
        clearTimeout(timer);
        this.waiting.delete(wait);
        resolve(isSettled);
      };
      const wait = { last: this.items.at(-1), end };
      const timer = setTimeout(() => end(false), timeoutMs);
      this.waiting.add(wait);
    });
  }

  /** Sends what waits; stops at the first that can't be sent. */
  async send() {
    if (this.sending) return;
    this.sending = true;
    try {
      while (this.items.length > 0) {
        if (!(await this.#sendFirst())) return this.#store();
        const sent = this.items.shift();
        for (const wait of this.waiting) if (wait.last === sent) wait.end(true);
      }
      this.bytes = 0;
      if (this.dropped > 0) this.log(`${this.dropped} reports were lost while the daemon was away`);
      this.dropped = 0;
      this.#forget();
    } finally {
      this.sending = false;
    }
  }

  async #sendFirst() {
    const { method, params, heard } = this.items[0];
    let answer;
    try {
      answer = await this.link.call(method, params);
    } catch (error) {
      const isBusy = error instanceof Refusal && (error.kind === "rate_limited" || error.kind === "unavailable");
      if (error instanceof Away || isBusy) {
        // Not only a link that comes up again: an answer that was late does not break it.
        clearTimeout(this.retry);
        this.retry = setTimeout(() => void this.send(), error.retryAfterMs ?? RETRY_MS).unref();
        return false;
      }
      this.log(`${method} was refused: ${error.message}`);
      return true;
    }
    heard?.(answer);
    return true;
  }

  /** Keeps what could not be sent, and tells those who wait for it. */
  #store() {
    for (const wait of this.waiting) wait.end(false);
    if (!this.file || this.stored) return;
    try {
      fs.mkdirSync(this.dir, { recursive: true, mode: 0o700 });
      fs.writeFileSync(this.file, this.items.map(({ method, params }) => `${JSON.stringify({ method, params })}\n`).join(""), { mode: 0o600 });
      this.stored = true;
    } catch (error) {
      this.log(`reports can't be kept on disk: ${error.message}`);
    }
  }

  #append(line) {
    try {
      fs.appendFileSync(this.file, line, { mode: 0o600 });
    } catch (error) {
      this.log(`a report can't be kept on disk: ${error.message}`);
    }
  }

  #forget() {
    if (!this.stored) return;
    this.stored = false;
    fs.rmSync(this.file, { force: true });
  }

  /** Takes over what processes that have ended left behind. */
  adopt() {
    if (!this.dir) return;
    let names = [];
    try {
      names = fs.readdirSync(this.dir);
    } catch {
      return; // no directory, nothing was left
    }
    for (const name of names) {
      const owner = Number(NAME.exec(name)?.[1]);
      const file = path.join(this.dir, name);
      if (owner && file !== this.file && !isAlive(owner)) this.#takeOver(file);
    }
    if (this.items.length > 0) {
      this.stored = false;
      this.#store();
      void this.send();
    }
  }

  #takeOver(file) {
    try {
      const lines = fs.readFileSync(file, "utf8").split("\n").filter(Boolean);
      for (const line of lines.slice(0, MAX_ITEMS - this.items.length)) {
        const item = parse(line);
        if (item) this.items.push(item);
        this.bytes += line.length + 1;
      }
      fs.rmSync(file);
    } catch (error) {
      this.log(`what ${file} holds can't be sent: ${error.message}`);
    }
  }
}

/** Reads one stored report; a torn last line is nothing. */
function parse(line) {
  try {
    const item = JSON.parse(line);
    return typeof item?.method === "string" && typeof item.params?.idempotency_key === "string" ? item : undefined;
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  if (pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === "EPERM";
  }
}
