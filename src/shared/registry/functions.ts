// Owns the types of what users write: emit, contexts, mappers, reducers, partitioners, and the handles that
// registering them returns. The phantom members ("~map" ...) carry types to the compiler and do not exist at run time.

import type { Json } from "../job/document.ts";
import type { Source } from "../job/errors.ts";

/**
 * What the compiler lets pass as any type: a record whose type the user names in the mapper, a key that a built-in
 * hands on. Variance leaves no other word: `unknown` would refuse those functions, `never` their use.
 */
// oxlint-disable-next-line typescript/no-explicit-any -- the one place where the public types need it
export type Untyped = any;

/** What can be a key: string, finite or infinite number (not NaN), bytes, or a tuple of these. */
export type Key = string | number | Uint8Array | readonly Key[];

/** Adds one record to the output. Key and value are encoded at once: changing them later changes nothing. */
export type Emit<K, V> = (key: K, value: V) => void;

/** A named count of the job's own; added up over all tasks, each task counted once. */
export interface Counter {
  add(n: number): void;
}

/** The user's log: kept per attempt, shown on stderr when embedded. */
export interface Log {
  debug(message: string): void;
  info(message: string): void;
  warn(message: string): void;
  error(message: string): void;
}

/** What an execution tells user code about itself. */
export interface Context {
  readonly jobId: string;
  readonly taskId: string;
  readonly attempt: number;
  /** The specification's own params. */
  readonly params: { readonly [name: string]: Json };
  counter(name: string): Counter;
  /** An emit into the named output: files under `<output>/<name>/`. */
  output(name: string): Emit<Key, unknown>;
  /** The local path of one of the specification's files. */
  file(name: string): string;
  secret(name: string): string;
  readonly log: Log;
  /** Aborts when the attempt is cancelled or has timed out. */
  readonly signal: AbortSignal;
}
/** `source` is the place of the record of the present call. */
export interface MapContext extends Context {
  readonly source: Source;
}
export interface ReduceContext extends Context {}

export type Awaitable = void | Promise<void>;
export type MapFunction<R, K, V> = (record: R, emit: Emit<K, V>, context: MapContext) => Awaitable;
/** One instance per execution. */
export interface MapClass<R, K, V> {
  open?(context: Context): Awaitable;
  map(record: R, emit: Emit<K, V>, context: MapContext): Awaitable;
  close?(emit: Emit<K, V>, context: Context): Awaitable;
}
export type ReduceFunction<K, V, KO, VO> = (
  key: K,
  values: Iterable<V>,
  emit: Emit<KO, VO>,
  context: ReduceContext,
) => Awaitable;
/** One instance per execution. */
export interface ReduceClass<K, V, KO, VO> {
  open?(context: Context): Awaitable;
  reduce(key: K, values: Iterable<V>, emit: Emit<KO, VO>, context: ReduceContext): Awaitable;
  close?(emit: Emit<KO, VO>, context: Context): Awaitable;
}
export type PartitionFunction<K> = (
  key: K,
  reduceTasks: number,
  params: { readonly [name: string]: Json },
) => number;

// ---- formats of a user's own ---------------------------------------------------------------------

/** A byte range of one file, or whatever an input format's `splits` gave. */
export interface SplitOf {
  readonly url: string;
  readonly start: number;
  readonly end: number;
}
/** The bytes of one input file. */
export interface ByteSource {
  readonly size: number;
  read(start: number, end: number): Promise<Uint8Array>;
  stream(start: number): AsyncIterable<Uint8Array>;
}
/** A record and the place of its first byte, from the start of the file. */
export interface RecordAt<R> {
  readonly record: R;
  readonly offset: number;
}
export interface InputFormatDefinition<R> {
  /** False: one split for each file. Default true. */
  readonly splittable?: boolean;
  /** For what is not a file: a database, a service. */
  splits?(url: string): Promise<readonly SplitOf[]>;
  /** The records that start in the split; a record belongs to the split in which its first byte lies. */
  read(
    split: SplitOf,
    bytes: ByteSource,
    signal: AbortSignal,
  ): AsyncIterable<RecordAt<R>> | Iterable<RecordAt<R>>;
}
export interface OutputFormatDefinition<K, V> {
  /** Of the part files, with its dot. */
  readonly extension?: string;
  /** Written first. */
  open?(): Uint8Array;
  write(key: K, value: V, out: (bytes: Uint8Array | string) => void): void;
  /** Written last. */
  close?(): Uint8Array;
}

// ---- handles ---------------------------------------------------------------------------------------

export interface Mapper<in R, out K, out V> {
  readonly name: string;
  readonly "~map": (record: R) => [K, V];
}
export interface Reducer<in K, in V, out KO, out VO> {
  readonly name: string;
  readonly "~reduce": (key: K, value: V) => [KO, VO];
}
export interface Partitioner<in K> {
  readonly name: string;
  readonly "~partition": (key: K) => number;
}
export interface InputFormat<out R> {
  readonly name: string;
  readonly "~record": () => R;
}
export interface OutputFormat<in K, in V> {
  readonly name: string;
  readonly "~output": (key: K, value: V) => void;
}
