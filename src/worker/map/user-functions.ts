// Owns the user functions of a map execution: looks them up by name, makes one instance of a class for each execution,
// opens and closes it. A function and a class look the same from here on.

import { MapReduceError } from "../../shared/job/errors.ts";
import type { Awaitable, Context, Emit, MapContext } from "../../shared/registry/functions.ts";
import { isClass, lookUp } from "../../shared/registry/registry.ts";
import type { ChoosePartition, CombineGroup } from "./collector.ts";

type AnyEmit = Emit<unknown, unknown>;

/** A mapper that is ready to be called. */
export interface OpenMapper {
  readonly map: (record: unknown, emit: AnyEmit, context: MapContext) => Awaitable;
  close(emit: AnyEmit, context: Context): Awaitable;
}

/** Looks a mapper up and opens it. @throws MapReduceError FUNCTION_UNKNOWN, also where the name is another kind's */
export async function openMapper(name: string, context: Context): Promise<OpenMapper> {
  const registered = lookUp(name);
  if (registered.kind !== "mapper") throw wrongKind(name, registered.kind, "mapper");
  const { fn } = registered;
  if (!isClass(fn)) return { map: fn, close: () => undefined };
  const instance = new fn();
  await instance.open?.(context);
  return {
    map: (record, emit, mapContext) => instance.map(record, emit, mapContext),
    close: (emit, closeContext) => instance.close?.(emit, closeContext),
  };
}

/** A partition chooser that calls the user's partitioner. @throws MapReduceError PARTITION_INVALID from the call */
export function userPartition(
  name: string,
  reduceTasks: number,
  params: Parameters<Extract<ReturnType<typeof lookUp>, { kind: "partitioner" }>["fn"]>[2],
): ChoosePartition {
  const registered = lookUp(name);
  if (registered.kind !== "partitioner") throw wrongKind(name, registered.kind, "partitioner");
  const { fn } = registered;
  return (key) => {
    const partition: unknown = fn(key, reduceTasks, params);
    if (
      typeof partition === "number" &&
      Number.isInteger(partition) &&
      partition >= 0 &&
      partition < reduceTasks
    ) {
      return partition;
    }
    throw new MapReduceError(
      "PARTITION_INVALID",
      `partitioner "${name}": returned ${String(partition)}, expected an integer from 0 to ${reduceTasks - 1}`,
    );
  };
}

/** A combiner that calls a registered reducer. A combiner runs inside `emit`, so it can't be asynchronous. */
export function userCombiner(name: string, context: Context): CombineGroup {
  const registered = lookUp(name);
  if (registered.kind !== "reducer") throw wrongKind(name, registered.kind, "reducer");
  const { fn } = registered;
  if (!isClass(fn)) {
    return (key, values, emit) => refusePromise(name, fn(key, values, emit, context));
  }
  const instance = new fn();
  refusePromise(name, instance.open?.(context));
  return (key, values, emit) => refusePromise(name, instance.reduce(key, values, emit, context));
}

function refusePromise(name: string, returned: Awaitable): void {
  if (returned === undefined) return;
  throw new MapReduceError(
    "USER_CODE_THREW",
    `combiner "${name}": returned a promise, expected a synchronous function`,
  );
}

function wrongKind(name: string, found: string, expected: string): MapReduceError {
  return new MapReduceError("FUNCTION_UNKNOWN", `function "${name}" is a ${found}, expected a ${expected}`);
}
