// The connection to the daemon: JSON-RPC 2.0, one object a line, over a Unix socket.
//
// One link a process; it connects when it is first needed and, once kept, comes back by itself.
// Nothing here keeps a process alive that does not wait for an answer.
import fs from "node:fs";
import net from "node:net";

/** How long a connection may take. */
export const CONNECT_MS = 200;
/** How long an answer may take. */
export const ANSWER_MS = 2000;
const BACKOFF_MS = { first: 200, last: 5000 };
const MAX_LINE = 8 * 1024 * 1024;

/** The daemon can't be reached, or does not know us. */
export class Away extends Error {}

/** The host gave the call up while we waited. */
export class Aborted extends Error {}

/** The daemon said no, with its kind, the fields that are wrong and the moves that are open. */
export class Refusal extends Error {
  constructor(error) {
    super(typeof error?.message === "string" ? error.message : "refused without a reason");
    const data = error?.data ?? {};
    this.kind = typeof data.kind === "string" ? data.kind : "unknown";
    this.fields = Array.isArray(data.fields) ? data.fields : [];
    this.allowed = Array.isArray(data.allowed) ? data.allowed : [];
    this.retryAfterMs = Number.isFinite(data.retry_after_ms) ? data.retry_after_ms : undefined;
  }
}

/** Reads a token; a file that others can read is refused. */
export function readToken(file) {
  let stat;
  try {
    stat = fs.statSync(file);
  } catch (error) {
    throw new Away(`the token file ${file} can't be read: ${error.code ?? error.message}`);
  }
  if (!stat.isFile() || (stat.mode & 0o077) !== 0) throw new Away(`the token file ${file} must be a plain file of mode 0600`);
  const token = fs.readFileSync(file, "utf8").trim();
  if (!token) throw new Away(`the token file ${file} is empty`);
  return token;
}

/** One connection: what was asked over it fails when it ends. */
class Connection {
  constructor(socket, serve) {
    this.socket = socket;
    this.serve = serve;
    this.waiting = new Map();
    this.nextId = 1;
    this.rest = "";
    this.open = true;
    socket.setEncoding("utf8");
    socket.on("data", (text) => this.#read(text));
    socket.on("error", (error) => this.end(error.message));
    socket.on("close", () => this.end("the connection was closed"));
  }

  static async to(path, serve) {
    const socket = net.createConnection(path);
    socket.unref();
    await new Promise((resolve, reject) => {
      const timer = setTimeout(() => fail(new Error(`no connection within ${CONNECT_MS} ms`)), CONNECT_MS);
      const fail = (error) => {
        clearTimeout(timer);
        socket.destroy();
        reject(new Away(`no daemon at ${path}: ${error.message}`));
      };
      socket.once("error", fail);
      socket.once("connect", () => {
        clearTimeout(timer);
        socket.off("error", fail);
        resolve();
      });
    });
    return new Connection(socket, serve);
  }

  #read(text) {
    this.rest += text;
    for (let end; (end = this.rest.indexOf("\n")) >= 0; ) {
      const line = this.rest.slice(0, end);
      this.rest = this.rest.slice(end + 1);
      this.#take(line);
    }
    if (this.rest.length > MAX_LINE) this.end("a line without an end");
  }

  #take(line) {
    let frame;
    try {
      frame = JSON.parse(line);
    } catch {
      return this.end("an answer that is not JSON");
    }
    if (frame === null || typeof frame !== "object") return this.end("an answer that is no object");
    if (typeof frame.method === "string") {
      if (frame.id !== undefined) this.#send({ jsonrpc: "2.0", id: frame.id, ...this.serve(frame.method, frame.params ?? {}) });
      return;
    }
    const wait = this.waiting.get(frame.id);
    if (!wait) return;
    if (frame.error !== undefined && frame.error !== null) wait.reject(new Refusal(frame.error));
    else wait.resolve(frame.result);
  }

  #send(frame) {
    if (this.open) this.socket.write(`${JSON.stringify(frame)}\n`);
  }

  /** Asks and waits for the answer, at most `timeoutMs`; `signal` ends the wait. */
  async call(method, params, { timeoutMs = ANSWER_MS, signal } = {}) {
    if (!this.open) throw new Away("the connection was closed");
    if (signal?.aborted) throw new Aborted("given up");
    const id = this.nextId++;
    let timer;
    let onAbort;
    this.socket.ref(); // a process that waits for an answer must not end
    try {
      return await new Promise((resolve, reject) => {
        this.waiting.set(id, { resolve, reject });
        timer = setTimeout(() => reject(new Away(`no answer to ${method} within ${timeoutMs} ms`)), timeoutMs);
        onAbort = () => reject(new Aborted("given up"));
        signal?.addEventListener("abort", onAbort, { once: true });
        this.#send({ jsonrpc: "2.0", id, method, params });
      });
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
      this.waiting.delete(id);
      if (this.waiting.size === 0) this.socket.unref();
    }
  }

  end(why) {
    if (!this.open) return;
    this.open = false;
    this.socket.destroy();
    for (const wait of this.waiting.values()) wait.reject(new Away(`the daemon's connection was lost: ${why}`));
    this.onEnd?.(why);
  }
}

/** The link: a connection that has said hello and attached, made anew when it is lost. */
export class Link {
  /**
   * `options`: `socketPath`, `tokenFile`, `client {name, version}`, `attach()` (the parameters of
   * `runtime.attach`), `orders` (method → function of its parameters), `log(text)`.
   */
  constructor(options) {
    this.options = options;
    this.connection = null;
    this.opening = null;
    this.kept = false;
    this.failures = 0;
    this.listeners = [];
  }

  /** Calls `listener` with what hello and attach answered, each time the link comes up. */
  onUp(listener) {
    this.listeners.push(listener);
  }

  get isUp() {
    return this.connection?.open === true;
  }

  /** Stays connected from now on. */
  keep() {
    if (this.kept) return;
    this.kept = true;
    this.#retry(0);
  }

  /** Ends the connection; a later call makes a new one. */
  close() {
    this.kept = false;
    clearTimeout(this.timer);
    this.connection?.end("closed by the plugin");
  }

  /** Asks the daemon. Throws `Away`, `Refusal` or `Aborted`. */
  async call(method, params, options) {
    const connection = await this.connect();
    return connection.call(method, params, options);
  }

  /** Returns the open connection, made now if there is none. */
  connect() {
    if (this.isUp) return Promise.resolve(this.connection);
    this.opening ??= this.#open().finally(() => {
      this.opening = null;
    });
    return this.opening;
  }

  async #open() {
    const { socketPath, tokenFile, client, attach } = this.options;
    const token = readToken(tokenFile);
    const connection = await Connection.to(socketPath, (method, params) => this.#serve(method, params));
    try {
      const hello = await connection.call("session.hello", { protocol: 1, client, token });
      const attached = await connection.call("runtime.attach", attach());
      connection.onEnd = () => this.#lost(connection);
      this.connection = connection;
      this.failures = 0;
      for (const listener of this.listeners) listener({ hello, attached });
      return connection;
    } catch (error) {
      connection.end("not welcome");
      throw error instanceof Refusal ? new Away(`the daemon does not take this adapter: ${error.message}`) : error;
    }
  }

  #lost(connection) {
    if (this.connection === connection) this.connection = null;
    if (this.kept) this.#retry(BACKOFF_MS.first);
  }

  #retry(afterMs) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.connect().catch((error) => {
        this.failures += 1;
        if (this.failures === 1) this.options.log?.(error.message);
        if (this.kept) this.#retry(Math.min(BACKOFF_MS.first * 2 ** Math.min(this.failures, 5), BACKOFF_MS.last));
      });
    }, afterMs);
    this.timer.unref();
  }

  /** Carries out what the daemon asks of us. */
  #serve(method, params) {
    const order = this.options.orders?.[method];
    if (method === "runtime.ping") return { result: {} };
    if (!order) return failed(-32601, "unknown_method", `the plugin has no method ${method}`);
    try {
      return { result: order(params) };
    } catch (error) {
      return failed(-32053, "unavailable", error.message);
    }
  }
}

const failed = (code, kind, message) => ({ error: { code, message, data: { kind } } });
