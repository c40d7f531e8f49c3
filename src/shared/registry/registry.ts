// Owns the one table of registered functions, by name, over all kinds together. A worker looks a task's function up
// here and does not care which kind of task it is. Filled by importing a job file or its bundle.

import { MapReduceError } from "../job/errors.ts";
import { reservedPrefix } from "../job/counters.ts";
import type { MapClass, MapFunction, PartitionFunction, ReduceClass, ReduceFunction } from "./functions.ts";

/** A function or class as it was registered; types are the compiler's business, not the table's. */
export type Registered =
  | {
      readonly kind: "mapper";
      readonly name: string;
      readonly fn: MapFunction<unknown, unknown, unknown> | (new () => MapClass<unknown, unknown, unknown>);
      readonly concurrency: number;
    }
  | {
      readonly kind: "reducer";
      readonly name: string;
      readonly fn:
        | ReduceFunction<unknown, unknown, unknown, unknown>
        | (new () => ReduceClass<unknown, unknown, unknown, unknown>);
      /** A built-in that the engine can combine with on encoded values, without a call. */
      readonly builtIn?: "sum" | "min" | "max" | "identity";
    }
  | { readonly kind: "partitioner"; readonly name: string; readonly fn: PartitionFunction<unknown> };

interface Entry {
  readonly registered: Registered;
  readonly place: string;
}

const entries = new Map<string, Entry>();

/**
 * Adds a function under its name. The same name from the same place of a module that is evaluated anew replaces it.
 * @param place file, line and column of the registration: "file:///jobs/job.ts:3:28"
 * @throws MapReduceError SPECIFICATION_INVALID for a bad name, FUNCTION_REGISTERED_TWICE naming both places
 */
export function register(registered: Registered, place: string): void {
  const { name } = registered;
  const ours = place === "mapreduce-fleet";
  if (typeof name !== "string" || !/^[A-Za-z0-9_.-]{1,128}$/.test(name)) {
    throw new MapReduceError(
      "SPECIFICATION_INVALID",
      `${registered.kind} name ${JSON.stringify(name)}: expected 1 to 128 of A-Z a-z 0-9 _ . -`,
    );
  }
  if (name.startsWith(reservedPrefix) !== ours) {
    throw new MapReduceError(
      "SPECIFICATION_INVALID",
      `${registered.kind} name "${name}": names that start with "${reservedPrefix}" are reserved`,
    );
  }
  const before = entries.get(name);
  if (before !== undefined && before.place !== place) {
    throw new MapReduceError(
      "FUNCTION_REGISTERED_TWICE",
      `${registered.kind} "${name}" registered at ${place}: the name was taken by a ${before.registered.kind} at ${before.place}`,
    );
  }
  entries.set(name, { registered, place });
}

/**
 * Finds a function by name among all kinds.
 * @throws MapReduceError FUNCTION_UNKNOWN with the names that are known
 */
export function lookUp(name: string): Registered {
  const entry = entries.get(name);
  if (entry === undefined) {
    const known = [...entries.keys()].filter((each) => !each.startsWith(reservedPrefix));
    throw new MapReduceError(
      "FUNCTION_UNKNOWN",
      `function "${name}" is not registered; registered are: ${known.join(", ") || "none"}`,
    );
  }
  return entry.registered;
}
