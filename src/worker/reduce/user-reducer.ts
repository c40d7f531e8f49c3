// Owns the user's reducer of an execution: looks it up by name, makes one instance of a class, opens and closes it. A
// function and a class look the same from here on.

import { MapReduceError } from "../../shared/job/errors.ts";
import type { Awaitable, Context, Emit, ReduceContext } from "../../shared/registry/functions.ts";
import { isClass, lookUp, type Registered } from "../../shared/registry/registry.ts";

type AnyEmit = Emit<unknown, unknown>;
type RegisteredReducer = Extract<Registered, { kind: "reducer" }>;

/** A reducer that is ready to be called. */
export interface OpenReducer {
  readonly reduce: (
    key: unknown,
    values: Iterable<unknown>,
    emit: AnyEmit,
    context: ReduceContext,
  ) => Awaitable;
  close(emit: AnyEmit, context: Context): Awaitable;
}

/** Finds a reducer. @throws MapReduceError FUNCTION_UNKNOWN, also where the name is another kind's */
export function findReducer(name: string): RegisteredReducer {
  const registered = lookUp(name);
  if (registered.kind === "reducer") return registered;
  throw new MapReduceError(
    "FUNCTION_UNKNOWN",
    `function "${name}" is a ${registered.kind}, expected a reducer`,
  );
}

/** Makes and opens a reducer. What it throws is the user's. */
export async function openReducer({ fn }: RegisteredReducer, context: Context): Promise<OpenReducer> {
  if (!isClass(fn)) return { reduce: fn as OpenReducer["reduce"], close: () => undefined };
  const instance = new fn();
  await instance.open?.(context);
  return {
    reduce: (key, values, emit, reduceContext) => instance.reduce(key, values, emit, reduceContext),
    close: (emit, closeContext) => instance.close?.(emit, closeContext),
  };
}
