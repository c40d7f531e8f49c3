// Owns the built-in reducers as the engine runs them: on encoded records, decoding only what they need.

import { MapReduceError } from "../../shared/job/errors.ts";
import { compareBytes } from "../../shared/keys/order.ts";
import { encodeKey } from "../../shared/keys/codec.ts";
import type { Key } from "../../shared/registry/functions.ts";
import type { Registered } from "../../shared/registry/registry.ts";
import { decodeValue } from "../../shared/values/codec.ts";
import type { RecordWriter } from "../../shared/formats/record-writer.ts";
import type { Groups } from "./groups.ts";
import type { LargestGroups } from "./largest-groups.ts";
import type { Merge } from "./merge.ts";

export type BuiltIn = NonNullable<Extract<Registered, { kind: "reducer" }>["builtIn"]>;

/** What the reduction came to. */
export interface Tally {
  groups: number;
  inputRecords: number;
  outputRecords: number;
}

/**
 * Reduces all groups.
 * @param tally counted up as it goes
 * @throws MapReduceError VALUE_INVALID where a value is not one that the reducer takes
 */
export function reduceBuiltIn(
  builtIn: BuiltIn,
  groups: Groups,
  merge: Merge,
  output: RecordWriter,
  largest: LargestGroups,
  tally: Tally,
): void {
  while (groups.next()) {
    const { key, keyLength } = groups;
    switch (builtIn) {
      case "identity":
        copyGroup(groups, merge, output);
        tally.outputRecords += groups.records;
        break;
      case "sum":
        output.writeWithKey(key, keyLength, sumOf(groups, merge));
        tally.outputRecords++;
        break;
      case "min":
      case "max":
        output.writeWithKey(key, keyLength, extremeOf(groups, builtIn));
        tally.outputRecords++;
        break;
      default:
        builtIn satisfies never;
    }
    tally.groups++;
    tally.inputRecords += groups.records;
    largest.add(key, keyLength, groups.records);
  }
}

function copyGroup(groups: Groups, merge: Merge, output: RecordWriter): void {
  const { key, keyLength } = groups;
  while (groups.take()) {
    const { bytes, valueStart, valueEnd } = merge.reader;
    output.writeEncoded(key, keyLength, bytes, valueStart, valueEnd);
  }
}

function sumOf(groups: Groups, merge: Merge): number {
  let total = 0;
  let first = true;
  while (groups.take()) {
    const { bytes, valueStart, valueEnd } = merge.reader;
    const value = decodeValue(bytes, valueStart, valueEnd);
    if (typeof value !== "number") {
      throw new MapReduceError(
        "VALUE_INVALID",
        `value: found a ${typeof value}, expected a number, since the reducer is sum`,
      );
    }
    // 0 + -0 is 0: a single -0 stays what it is.
    total = first ? value : total + value;
    first = false;
  }
  return total;
}

/** The least or greatest value in the order of keys; of equal ones the first. */
function extremeOf(groups: Groups, which: "min" | "max"): unknown {
  const sign = which === "min" ? 1 : -1;
  groups.take();
  let best = groups.value();
  let bestKey = encoded(best);
  while (groups.take()) {
    const value = groups.value();
    if (typeof value === "number" && typeof best === "number" && !Number.isNaN(value)) {
      if ((value - best) * sign < 0) best = value;
      continue;
    }
    const key = encoded(value);
    if (typeof best === "number") bestKey = encoded(best);
    if (compareBytes(key, 0, key.length, bestKey, 0, bestKey.length) * sign >= 0) continue;
    best = value;
    bestKey = key;
  }
  return best;
}

/** The value as a key. @throws MapReduceError VALUE_INVALID where it could not be one */
function encoded(value: unknown): Uint8Array {
  try {
    return encodeKey(value as Key);
  } catch (cause) {
    const what = cause instanceof Error ? cause.message : String(cause);
    throw new MapReduceError("VALUE_INVALID", `value to compare: ${what}`, { cause });
  }
}
