// Owns the one table of registered functions, by name, over all kinds together. A worker looks a task's function up
// here and does not care which kind of task it is. Filled by importing a job file or its bundle.

import { MapReduceError } from "../job/errors.ts";
import { reservedPrefix } from "../job/counters.ts";
import { builtIns } from "./built-ins.ts";
import type {
  InputFormatDefinition,
  MapClass,
  MapFunction,
  OutputFormatDefinition,
  PartitionFunction,
  ReduceClass,
  ReduceFunction,
} from "./functions.ts";

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
  | { readonly kind: "partitioner"; readonly name: string; readonly fn: PartitionFunction<unknown> }
  | { readonly kind: "input format"; readonly name: string; readonly fn: InputFormatDefinition<unknown> }
  | {
      readonly kind: "output format";
      readonly name: string;
      readonly fn: OutputFormatDefinition<unknown, unknown>;
    };

export type Kind = Registered["kind"];

/** A registered name, the one spelling that messages and file names can carry. */
export const namePattern = /^[A-Za-z0-9_.-]{1,128}$/;

interface Entry {
  readonly registered: Registered;
  readonly place: string;
  readonly turn: object;
}

const entries = new Map<string, Entry>(
  builtIns.map((each) => [
    each.name,
    { registered: { kind: "reducer", ...each }, place: "mapreduce-fleet", turn: {} },
  ]),
);

/**
 * Adds a function under its name. The same name from a module that is evaluated anew replaces the earlier one.
 * @param place file, line and column of the registration: "file:///jobs/job.ts:3:28"
 * @throws MapReduceError SPECIFICATION_INVALID for a bad name, FUNCTION_REGISTERED_TWICE naming both places
 */
export function register(registered: Registered, place: string): void {
  const { kind, name } = registered;
  if (typeof name !== "string" || !namePattern.test(name)) {
    throw new MapReduceError(
      "SPECIFICATION_INVALID",
      `${kind} name: found ${JSON.stringify(name) ?? typeof name}, expected 1 to 128 of A-Z a-z 0-9 _ . -`,
    );
  }
  if (name.startsWith(reservedPrefix)) {
    throw new MapReduceError(
      "SPECIFICATION_INVALID",
      `${kind} name: found "${name}", names that start with "${reservedPrefix}" are reserved`,
    );
  }
  const entry: Entry = { registered, place, turn: presentTurn() };
  const before = entries.get(name);
  if (before !== undefined && before.registered.fn !== registered.fn && !isEvaluatedAnew(before, entry)) {
    throw new MapReduceError(
      "FUNCTION_REGISTERED_TWICE",
      `${kind} "${name}" registered at ${place}: the name was taken by a ${before.registered.kind} at ${before.place}`,
    );
  }
  entries.set(name, entry);
}

/**
 * Finds a function by name among all kinds.
 * @throws MapReduceError FUNCTION_UNKNOWN with the names that are known
 */
export function lookUp(name: string): Registered {
  const registered = find(name);
  if (registered !== undefined) return registered;
  throw new MapReduceError(
    "FUNCTION_UNKNOWN",
    `function "${name}" is not registered; registered are: ${registeredNames().join(", ") || "none"}`,
  );
}

/** What is registered under a name, if anything is. */
export function find(name: string): Registered | undefined {
  return entries.get(name)?.registered;
}

/** The names that users have registered, in order of registration. */
export function registeredNames(): string[] {
  return [...entries.keys()].filter((name) => !name.startsWith(reservedPrefix));
}

/** Whether a function was registered as a class, of which each execution makes an instance. */
export function isClass<C extends new () => unknown>(fn: C | ((...args: never[]) => unknown)): fn is C {
  return /^class\b/.test(Function.prototype.toString.call(fn));
}

/**
 * A module is evaluated anew under another URL of the same file ("job.ts?v=2"), or, where a test runner or a bundle
 * keeps the URL, in a later turn: then the line tells a second evaluation from a second registration.
 */
function isEvaluatedAnew(before: Entry, now: Entry): boolean {
  const [a, b] = [partsOf(before.place), partsOf(now.place)];
  if (a.file !== b.file) return false;
  return a.query !== b.query || (before.turn !== now.turn && a.line === b.line);
}

function partsOf(place: string): { file: string; query: string; line: string } {
  const [, file = place, query = "", line = ""] = /^(.*?)([?#].*?)?(?::(\d+):\d+)?$/.exec(place) ?? [];
  return { file, query, line };
}

let turn: object | undefined;

/** One object for all registrations that nothing asynchronous parts: modules are evaluated without a pause. */
function presentTurn(): object {
  if (turn === undefined) {
    turn = {};
    queueMicrotask(() => (turn = undefined));
  }
  return turn;
}
