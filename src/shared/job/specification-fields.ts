// Owns the types of what a user writes into a specification, and thereby which functions fit each other: K and V come
// from the reducer, and every mapper, the combiner and the partitioner must fit them. No code.

import type {
  InputFormat,
  Mapper,
  OutputFormat,
  Partitioner,
  Reducer,
  Untyped,
} from "../registry/functions.ts";
import type { Json } from "./document.ts";

/** Bytes, or text such as "64MiB". */
export type Size = number | string;
/** Milliseconds, or text such as "10m". */
export type Duration = number | string;

export interface WholeFile {
  readonly url: string;
  readonly text: string;
}
export type FormatName = "lines" | "jsonl" | "csv" | "wholeFile" | "pairs";
export type Format = FormatName | InputFormat<Untyped>;
/** What a mapper gets of a format. */
export type RecordOf<F> = F extends "lines"
  ? string
  : F extends "jsonl"
    ? Untyped
    : F extends "csv"
      ? string[]
      : F extends "wholeFile"
        ? WholeFile
        : F extends "pairs"
          ? [key: Untyped, value: Untyped]
          : F extends InputFormat<infer R>
            ? R
            : never;

/** What another job's input may be made of: a specification that was made before. Its output is what it types. */
export interface SpecificationHandle<in KO = Untyped, in VO = Untyped> {
  readonly name: string;
  readonly "~output": (key: KO, value: VO) => void;
}

/** D is the specification's format, F the input's own: what an input leaves out is the specification's. */
export type Input<D extends Format, F extends Format, K, V> =
  | string
  | SpecificationHandle
  | { url: string | SpecificationHandle; format?: undefined; mapper?: Mapper<RecordOf<D>, K, V> | string }
  | { url: string | SpecificationHandle; format: F; mapper?: Mapper<RecordOf<F>, K, V> | string };
export type NamedInput<D extends Format, K, V> =
  { [N in FormatName]: Input<D, N, K, V> }[FormatName] | Input<D, InputFormat<Untyped>, K, V>;

/** The fields whose types depend on no function. */
export interface CommonFields {
  /** 1 to 128 characters, none of them "/" or a control character. */
  name: string;
  /** `import.meta.url` of the file that registers the functions; needed to run it, known to the command line. */
  module?: string;
  /** How many partitions, and so part files: 8 by default, at most 100,000. */
  reduceTasks?: number;
  /** A directory: a path relative to the module's, or a URL. `<name>-output` by default. */
  output?: string;
  outputFormat?: "text" | "jsonl" | "binary" | "pairs" | OutputFormat<Untyped, Untyped>;
  /** Replaces exactly the files that an earlier job's manifest at the output lists. Default false. */
  overwrite?: boolean;
  /** What user code gets as `context.params`: plain JSON. */
  params?: { readonly [name: string]: Json };
  files?: { readonly [name: string]: string };
  /** Names of environment variables of the caller, for `context.secret`. */
  secrets?: readonly string[];
  /** By default a 64th of the input, at least 1 MiB, at most 64 MiB. */
  splitSize?: Size;
  /** How many small files may share a map task; no limit by default. */
  filesPerTask?: number;
  keyOrder?: "ascending" | "descending";
  valueOrder?: "ascending" | "descending";
  /** How often a task is tried before the job fails: 4 by default. */
  maxAttempts?: number;
  skipBadRecords?: boolean;
  maxSkippedRecords?: number;
  /** Default true. */
  backupTasks?: boolean;
  /** None by default. */
  taskTimeout?: Duration;
  /** Resident memory of a slot's executor: 512 MiB by default, at least 128. */
  memory?: Size;
  /** 16 MiB by default. */
  maxRecordBytes?: Size;
  /** 1 MiB by default. */
  maxKeyBytes?: Size;
  segmentCompression?: "none" | "zstd";
  /** Default "pull". */
  scheduling?: "pull" | "deal" | "pairwise";
}

type MapSide<F extends Format, I extends readonly Format[], K, V> = CommonFields & {
  inputs:
    readonly [...{ [P in keyof I]: Input<F, I[P], K, V> }] | { readonly [name: string]: NamedInput<F, K, V> };
  /** Default "lines". */
  format?: F;
  /** May be left out where each input brings its own. */
  mapper?: Mapper<RecordOf<F>, K, V> | string;
  /** By default a hash of the key. */
  partitioner?: Partitioner<K> | string;
};

/** With a reducer, which every other function must fit. */
interface Reduced<K, V, KO, VO> {
  combiner?: Reducer<NoInfer<K>, NoInfer<V>, NoInfer<K>, NoInfer<V>> | string;
  reducer: Reducer<K, V, KO, VO> | string;
}
/** Without a reducer: map-only with `reduceTasks` 0, else sorted pairs as they are (the identity). */
interface Unreduced {
  reducer?: undefined;
  combiner?: undefined;
}

/** All that a specification takes. */
export type SpecificationFields<F extends Format, I extends readonly Format[], K, V, KO, VO> = MapSide<
  F,
  I,
  NoInfer<K>,
  NoInfer<V>
> &
  (Reduced<K, V, KO, VO> | Unreduced);
/** All that it takes where it has no reducer. */
export type UnreducedFields<F extends Format, I extends readonly Format[]> = MapSide<F, I, Untyped, Untyped> &
  Unreduced;
