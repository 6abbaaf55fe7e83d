// The second path of the emergency stop: the halt file, which needs no daemon.
import fs from "node:fs";

/** How often the file is looked at. */
const LOOK_MS = 500;

/**
 * Returns whether the halt file says stop, as the daemon reads it: all is well only if its first byte is
 * `0` and its time of change is the one that the daemon gives it (1970). Touched, gone, unreadable: a stop.
 */
export function haltFileSaysStop(file) {
  if (!file) return false;
  let handle;
  try {
    // A pipe in its place would make whoever looks wait for ever.
    if (!fs.statSync(file).isFile()) return true;
    handle = fs.openSync(file, "r");
    const first = Buffer.alloc(1);
    return fs.readSync(handle, first, 0, 1, 0) !== 1 || first[0] !== 0x30 || fs.fstatSync(handle).mtimeMs !== 0;
  } catch {
    return true;
  } finally {
    if (handle !== undefined) fs.closeSync(handle);
  }
}

/** Ends every turn while the file says stop, whether the daemon is there or not. */
export class HaltWatch {
  /** `parts`: `state`, `config`, `stopper`, `log(text)`. */
  constructor({ state, config, stopper, log }) {
    Object.assign(this, { state, config, stopper, log });
  }

  start() {
    this.stop();
    this.timer = setInterval(() => this.look(), LOOK_MS);
    this.timer.unref();
  }

  stop() {
    clearInterval(this.timer);
  }

  look() {
    if (!haltFileSaysStop(this.config.haltFile ?? this.state.haltFile)) return;
    const ended = this.stopper.endAll("the halt file says stop");
    if (ended > 0) this.log(`the halt file says stop: ${ended} turn(s) ended`);
  }
}
