// Owns the reducers that every job has without registering them: sum, min, max, and the identity that a job without a
// reducer gets. The engine may take a shorter way to the same result by a built-in's name.

import { MapReduceError } from "../job/errors.ts";
import { encodeKey } from "../keys/codec.ts";
import { compareBytes } from "../keys/order.ts";
import type { Key, ReduceFunction } from "./functions.ts";

/** A reducer of ours, under `mapreduce.` and its name. */
export interface BuiltIn {
  readonly name: string;
  readonly builtIn: "sum" | "min" | "max" | "identity";
  readonly fn: ReduceFunction<unknown, unknown, unknown, unknown>;
}

export const identityName = "mapreduce.identity";

export const builtIns: readonly BuiltIn[] = [
  { name: "mapreduce.sum", builtIn: "sum", fn: sum },
  { name: "mapreduce.min", builtIn: "min", fn: extreme("min", -1) },
  { name: "mapreduce.max", builtIn: "max", fn: extreme("max", 1) },
  { name: identityName, builtIn: "identity", fn: identity },
];

function sum(...[key, values, emit]: Parameters<BuiltIn["fn"]>): void {
  let total = 0;
  for (const value of values) {
    if (typeof value !== "number") {
      throw new MapReduceError(
        "VALUE_INVALID",
        `sum: found a value of type ${typeof value}, expected a number`,
      );
    }
    total += value;
  }
  emit(key, total);
}

function identity(...[key, values, emit]: Parameters<BuiltIn["fn"]>): void {
  for (const value of values) emit(key, value);
}

/** The least (-1) or greatest (1) of a group's values in key order; of equal ones the first. */
function extreme(name: string, sign: -1 | 1): BuiltIn["fn"] {
  return (key, values, emit) => {
    let best: { readonly value: unknown; readonly bytes: Uint8Array } | undefined;
    for (const value of values) {
      const bytes = encodeKey(value as Key);
      if (best === undefined || sign * compareWhole(bytes, best.bytes) > 0) best = { value, bytes };
    }
    if (best === undefined) throw new MapReduceError("INTERNAL", `${name}: a group without values`);
    emit(key, best.value);
  };
}

function compareWhole(a: Uint8Array, b: Uint8Array): number {
  return compareBytes(a, 0, a.length, b, 0, b.length);
}
