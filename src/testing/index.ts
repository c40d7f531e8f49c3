// Owns what users test their functions with: one mapper or reducer, called as an execution calls it, without a job.

import { MapReduceError, type Source } from "../shared/job/errors.ts";
import type { Mapper, MapClass, ReduceClass, Reducer } from "../shared/registry/functions.ts";
import { isClass, lookUp, type Kind, type Registered } from "../shared/registry/registry.ts";
import { TestContext, type TestOptions } from "./test-context.ts";

export type { TestOptions } from "./test-context.ts";

/** What a function emitted, in order, into its output and into named ones, and what it counted. */
export interface Emitted<K, V> {
  readonly pairs: readonly (readonly [K, V])[];
  readonly outputs: { readonly [name: string]: readonly (readonly [unknown, unknown])[] };
  readonly counters: { readonly [name: string]: number };
}

/**
 * Calls a mapper as an execution would: open, each record in order, close.
 * @param options what the context gives; `source` is every record's, by default the records' numbers count as offsets
 * @throws what the mapper throws, and MapReduceError KEY_INVALID or VALUE_INVALID for what it emits
 */
export async function runMapper<R, K, V>(
  mapper: Mapper<R, K, V>,
  records: readonly R[],
  options: TestOptions & { readonly source?: Source } = {},
): Promise<Emitted<K, V>> {
  const { fn } = registeredAs("mapper", mapper.name);
  const instance: MapClass<unknown, unknown, unknown> = isClass(fn) ? new fn() : { map: fn };
  const context = new TestContext("m0", sourceOf(0), options);
  await instance.open?.(context);
  for (const [number, record] of records.entries()) {
    context.source = options.source ?? sourceOf(number);
    await instance.map(record, context.emit, context);
  }
  await instance.close?.(context.emit, context);
  return emittedBy(context);
}

/**
 * Calls a reducer as an execution would: open, each group in the order in which it is given, close. The values of a
 * group can be read once.
 * @throws what the reducer throws, and MapReduceError KEY_INVALID or VALUE_INVALID for what it emits
 */
export async function runReducer<K, V, KO, VO>(
  reducer: Reducer<K, V, KO, VO>,
  groups: readonly (readonly [K, readonly V[]])[],
  options: TestOptions = {},
): Promise<Emitted<KO, VO>> {
  const { fn } = registeredAs("reducer", reducer.name);
  const instance: ReduceClass<unknown, unknown, unknown, unknown> = isClass(fn) ? new fn() : { reduce: fn };
  const context = new TestContext("r0", sourceOf(0), options);
  await instance.open?.(context);
  for (const [key, values] of groups) await instance.reduce(key, values.values(), context.emit, context);
  await instance.close?.(context.emit, context);
  return emittedBy(context);
}

function registeredAs<K extends Kind>(kind: K, name: string): Extract<Registered, { readonly kind: K }> {
  const registered = lookUp(name);
  if (registered.kind === kind) return registered as Extract<Registered, { readonly kind: K }>;
  throw new MapReduceError(
    "FUNCTION_UNKNOWN",
    `function "${name}" is registered as ${registered.kind}, expected a ${kind}`,
  );
}

function sourceOf(number: number): Source {
  return { url: "test:records", offset: number };
}

function emittedBy<K, V>(context: TestContext): Emitted<K, V> {
  context.end();
  const { pairs, outputs, counters } = context;
  return { pairs: pairs as (readonly [K, V])[], outputs, counters };
}
