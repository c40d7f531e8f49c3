// Owns the counts of one execution: the user's own and the engine's, in one table.

import { reservedPrefix, type Counters } from "../../shared/job/counters.ts";
import type { Counter } from "../../shared/registry/functions.ts";

/** Bound of all user counter names together, as JSON: counters travel in a report of at most 256 KiB. */
const maxNameBytes = 96 * 1024;

/** The counters of one execution. */
export class CounterSet {
  readonly #counts = new Map<string, number>();
  readonly #users = new Map<string, Counter>();
  #nameBytes = 0;

  /**
   * The user's counter of this name; it appears in the result from its first `add`, or with 0 from this call.
   * @throws TypeError for a name that is no text or is reserved
   * @throws RangeError when there are too many names
   */
  counter(name: string): Counter {
    const known = this.#users.get(name);
    if (known !== undefined) return known;
    if (typeof name !== "string" || name === "") {
      throw new TypeError(`counter name: found ${JSON.stringify(name)}, expected a text`);
    }
    if (name.startsWith(reservedPrefix)) {
      throw new TypeError(`counter "${name}": names that start with "${reservedPrefix}" are reserved`);
    }
    this.#nameBytes += Buffer.byteLength(JSON.stringify(name));
    if (this.#nameBytes > maxNameBytes) {
      throw new RangeError(
        `counter "${name}": names of ${this.#nameBytes} bytes in all, expected at most ${maxNameBytes}`,
      );
    }
    const counter: Counter = {
      add: (n) => {
        if (typeof n !== "number" || !Number.isFinite(n)) {
          throw new TypeError(`counter "${name}": add of ${String(n)}, expected a finite number`);
        }
        this.add(name, n);
      },
    };
    this.#users.set(name, counter);
    this.add(name, 0);
    return counter;
  }

  /** Adds to a count, for the engine's own use. */
  add(name: string, n: number): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + n);
  }

  /** All counts as they are now. */
  snapshot(): Counters {
    return Object.fromEntries(this.#counts);
  }
}
