// Owns what a job file calls: registering a function under a name, and the handle that stands for it in a
// specification. At run time a handle is its kind, its name and the options of a built-in; its types are phantoms.

import type { FormatReference } from "../job/document.ts";
import { MapReduceError } from "../job/errors.ts";
import type {
  InputFormat,
  InputFormatDefinition,
  Key,
  MapClass,
  MapFunction,
  Mapper,
  OutputFormat,
  OutputFormatDefinition,
  PartitionFunction,
  Partitioner,
  ReduceClass,
  Reducer,
  ReduceFunction,
  Untyped,
} from "./functions.ts";
import { callerPlace } from "./place.ts";
import { register, type Kind, type Registered } from "./registry.ts";

/** What a handle is at run time. */
export interface Handle extends FormatReference {
  readonly kind: Kind;
}

/** Reads a value as a handle, or undefined where it is none. */
export function handleOf(value: unknown): Handle | undefined {
  return typeof value === "object" && value !== null && handles.has(value) ? (value as Handle) : undefined;
}

const handles = new WeakSet<object>();

function createHandle(kind: Kind, name: string, options: FormatReference["options"] = {}): Handle {
  const handle = Object.freeze({ kind, name, options });
  handles.add(handle);
  return handle;
}

/** How many async calls of one execution may be in flight at most: each holds a record and its emits in memory. */
const maxConcurrency = 1000;

/**
 * Registers a mapper: a function, or a class of which each execution makes one instance.
 * @param name 1 to 128 of `A-Z a-z 0-9 _ . -`, unique over all kinds together
 * @param options `concurrency`: how many async calls of one execution may be in flight, 1 to 1000, default 1
 * @throws MapReduceError SPECIFICATION_INVALID, FUNCTION_REGISTERED_TWICE
 */
export function mapper<R, K extends Key, V>(
  name: string,
  fn: MapFunction<R, K, V> | (new () => MapClass<R, K, V>),
  options: { concurrency?: number } = {},
): Mapper<R, K, V> {
  const { concurrency = 1 } = options;
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > maxConcurrency) {
    throw new MapReduceError(
      "SPECIFICATION_INVALID",
      `mapper "${name}": found concurrency ${String(concurrency)}, expected an integer from 1 to ${maxConcurrency}`,
    );
  }
  checkFunction("mapper", name, fn, "map");
  add({ kind: "mapper", name, fn: fn as MapFunction<unknown, unknown, unknown>, concurrency }, mapper);
  return createHandle("mapper", name) as unknown as Mapper<R, K, V>;
}

/**
 * Registers a reducer: a function, or a class of which each execution makes one instance. A combiner is a reducer too.
 * @param name as of a mapper
 * @throws MapReduceError SPECIFICATION_INVALID, FUNCTION_REGISTERED_TWICE
 */
export function reducer<K extends Key, V, KO, VO>(
  name: string,
  fn: ReduceFunction<K, V, KO, VO> | (new () => ReduceClass<K, V, KO, VO>),
): Reducer<K, V, KO, VO> {
  checkFunction("reducer", name, fn, "reduce");
  add({ kind: "reducer", name, fn: fn as ReduceFunction<unknown, unknown, unknown, unknown> }, reducer);
  return createHandle("reducer", name) as unknown as Reducer<K, V, KO, VO>;
}

/**
 * Registers a partitioner: it gives each key one of the partitions 0 to `reduceTasks` - 1, the same at every call.
 * @param name as of a mapper
 * @throws MapReduceError SPECIFICATION_INVALID, FUNCTION_REGISTERED_TWICE
 */
export function partitioner<K extends Key>(name: string, fn: PartitionFunction<K>): Partitioner<K> {
  checkFunction("partitioner", name, fn);
  add({ kind: "partitioner", name, fn: fn as PartitionFunction<unknown> }, partitioner);
  return createHandle("partitioner", name) as unknown as Partitioner<K>;
}

/**
 * Registers an input format of the user's own.
 * @param name as of a mapper
 * @throws MapReduceError SPECIFICATION_INVALID, FUNCTION_REGISTERED_TWICE
 */
export function inputFormat<R>(name: string, definition: InputFormatDefinition<R>): InputFormat<R> {
  checkMethod("input format", name, definition, "read");
  add({ kind: "input format", name, fn: definition }, inputFormat);
  return createHandle("input format", name) as unknown as InputFormat<R>;
}

/**
 * Registers an output format of the user's own.
 * @param name as of a mapper
 * @throws MapReduceError SPECIFICATION_INVALID, FUNCTION_REGISTERED_TWICE
 */
export function outputFormat<K, V>(
  name: string,
  definition: OutputFormatDefinition<K, V>,
): OutputFormat<K, V> {
  checkMethod("output format", name, definition, "write");
  const fn = definition as OutputFormatDefinition<unknown, unknown>;
  add({ kind: "output format", name, fn }, outputFormat);
  return createHandle("output format", name) as unknown as OutputFormat<K, V>;
}

function add(registered: Registered, called: (...args: never[]) => unknown): void {
  register(registered, callerPlace(called));
}

function checkFunction(kind: Kind, name: string, fn: unknown, method?: string): void {
  if (typeof fn === "function") return;
  const expected = `a function${method === undefined ? "" : ` or a class with ${method}(...)`}`;
  throw wrongDefinition(kind, name, fn, expected);
}

function checkMethod(kind: Kind, name: string, definition: unknown, method: string): void {
  const isObject = typeof definition === "object" && definition !== null;
  if (isObject && typeof Reflect.get(definition, method) === "function") return;
  throw wrongDefinition(kind, name, definition, `an object with ${method}(...)`);
}

function wrongDefinition(kind: Kind, name: string, found: unknown, expected: string): MapReduceError {
  return new MapReduceError(
    "SPECIFICATION_INVALID",
    `${kind} "${name}": found ${found === null ? "null" : typeof found}, expected ${expected}`,
  );
}

// ---- what is built in ------------------------------------------------------------------------------

/** Adds up a key's numbers; as a combiner, while they are emitted. */
export const sum = createHandle("reducer", "mapreduce.sum") as unknown as Reducer<
  Untyped,
  number,
  Untyped,
  number
>;
/** The least of a key's values, in key order: they must be values that could be keys. */
export const min = createHandle("reducer", "mapreduce.min") as unknown as Reducer<
  Untyped,
  Untyped,
  Untyped,
  Untyped
>;
/** The greatest of a key's values, in key order: they must be values that could be keys. */
export const max = createHandle("reducer", "mapreduce.max") as unknown as Reducer<
  Untyped,
  Untyped,
  Untyped,
  Untyped
>;

/** Part files that follow each other in key order. `samples` keys of the mappers' output decide where they part. */
export function totalOrder(options: { samples?: number } = {}): Partitioner<Key> {
  return createHandle("partitioner", "mapreduce.total_order", { ...options }) as unknown as Partitioner<Key>;
}

/** Fields of delimited text: objects by column where there is a header, else lists. */
export function csv(options: { header: true; delimiter?: string }): InputFormat<Record<string, string>>;
export function csv(options?: { header?: false; delimiter?: string }): InputFormat<string[]>;
export function csv(options: { header?: boolean; delimiter?: string } = {}): InputFormat<never> {
  return createHandle("input format", "csv", { ...options }) as unknown as InputFormat<never>;
}

/** Lines as bytes, without their LF or CRLF: each a view that is valid during the call. */
export function lines(options: { as: "bytes" }): InputFormat<Uint8Array> {
  return createHandle("input format", "lines", { ...options }) as unknown as InputFormat<Uint8Array>;
}

/** Records of so many bytes each, as views that are valid during the call; a remainder is an error. */
export function fixedLength(bytes: number): InputFormat<Uint8Array> {
  return createHandle("input format", "fixedLength", { bytes }) as unknown as InputFormat<Uint8Array>;
}

/** The Standard Schema interface of zod, valibot and arktype (package @standard-schema/spec). */
export type StandardSchema = {
  readonly "~standard": { readonly types?: { readonly output: unknown } | undefined };
};
export type SchemaOutput<S extends StandardSchema> = NonNullable<S["~standard"]["types"]>["output"];

/** A JSON value a line, each checked by a schema, whose output is the record. */
export function jsonl<S extends StandardSchema>(_options: { schema: S }): InputFormat<SchemaOutput<S>> {
  return createHandle("input format", "jsonl", { schema: true }) as unknown as InputFormat<SchemaOutput<S>>;
}
