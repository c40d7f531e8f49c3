// Owns the cutting of merged records into groups, one for each key, and the values that user code reads of a group. It
// holds one record at a time: a group may be larger than memory.

import type { Key } from "../../shared/registry/functions.ts";
import { decodeKey } from "../../shared/keys/codec.ts";
import { decodeValue } from "../../shared/values/codec.ts";
import { asError } from "../executor/as-error.ts";
import type { Merge } from "./merge.ts";

/**
 * A cursor over groups.
 *
 *   before   `next` was not called yet
 *   head     the merge stands at the group's first record, which nobody has read
 *   within   the merge stands at a record of the group that was read
 *   behind   the merge stands at the first record of the next group
 *   over     there is no record left
 */
export class Groups {
  /** How many records of the present group have been met; all of them once `skip` has been called. */
  records = 0;
  /** The present group's key, encoded; valid until the next group. */
  key: Uint8Array = new Uint8Array();
  keyLength = 0;
  /** What reading threw: it ends the execution even where user code swallows it. */
  failure: Error | undefined;
  readonly #merge: Merge;
  #state: "before" | "head" | "within" | "behind" | "over" = "before";
  /** Numbers the groups, so that values know whether theirs is the present one. */
  #group = 0;

  constructor(merge: Merge) {
    this.#merge = merge;
  }

  /** Goes on to the next group, past what was not read of the present one; false when there is none. */
  next(): boolean {
    if (this.#state === "before") this.#state = this.#merge.advance() ? "behind" : "over";
    else this.skip();
    this.#group++;
    if (this.#state === "over") return false;
    this.#state = "head";
    this.records = 1;
    this.key = this.#merge.key;
    this.keyLength = this.#merge.keyLength;
    return true;
  }

  /** Passes what was not read of the present group. Its values can't be read any more. */
  skip(): void {
    while (this.take());
    this.#group++;
  }

  /** The present group's key. */
  decodeKey(): Key {
    return decodeKey(this.key, 0, this.keyLength);
  }

  /** The present group's values: an iterable to be read once, during the present call. */
  values(): Iterable<unknown> {
    return new GroupValues(this, this.#group);
  }

  /** Goes on to the next record of the present group; false at its end. For GroupValues. */
  take(): boolean {
    if (this.#state === "within") {
      try {
        if (!this.#merge.advance()) {
          this.#state = "over";
          return false;
        }
      } catch (error) {
        this.failure = asError(error);
        throw error;
      }
      if (this.#merge.sameKey) {
        this.records++;
        return true;
      }
      this.#state = "behind";
      return false;
    }
    if (this.#state !== "head") return false;
    this.#state = "within";
    return true;
  }

  /** The value of the record that `take` went to. */
  value(): unknown {
    const { bytes, valueStart, valueEnd } = this.#merge.reader;
    return decodeValue(bytes, valueStart, valueEnd);
  }

  get group(): number {
    return this.#group;
  }
}

/** Iterable and iterator in one: each value is decoded when it is asked for. */
class GroupValues implements IterableIterator<unknown> {
  readonly #groups: Groups;
  readonly #group: number;
  #begun = false;

  constructor(groups: Groups, group: number) {
    this.#groups = groups;
    this.#group = group;
  }

  [Symbol.iterator](): this {
    if (this.#begun) throw new TypeError("values of a group: read a second time, expected once");
    this.#begun = true;
    return this;
  }

  next(): IteratorResult<unknown, undefined> {
    const groups = this.#groups;
    if (groups.group !== this.#group) {
      throw new TypeError("values of a group: read after its call, expected during it");
    }
    return groups.take() ? { value: groups.value(), done: false } : { value: undefined, done: true };
  }
}
