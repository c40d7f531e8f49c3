// Owns the job document: everything about a job that is the same for all its tasks. It is written once, as
// JSON in storage, and named by its SHA-256 in every task message. It holds no secret and no token.

import type { JobId } from "./ids.ts";

/** Any value that JSON can carry. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json };

/** A built-in format with its options, or a registered one by name. */
export interface FormatReference {
  readonly name: string;
  readonly options: { readonly [name: string]: Json };
}

/** Where an immutable file lies and what its SHA-256 (hex) must be. */
export interface HashedFile {
  readonly url: string;
  readonly sha256: string;
}

/** One input of a job: what it reads, how its records are made, and who maps them. */
export interface InputDocument {
  /** Its name where the specification names its inputs. */
  readonly name?: string;
  /** A glob, a file or a directory, absolute: `file:///abs/**` or `s3://bucket/prefix`. */
  readonly url: string;
  readonly format: FormatReference;
  readonly mapper: string;
}

/** The specification with every default resolved: sizes in bytes, times in milliseconds, functions by name. */
export interface JobDocument {
  readonly protocol: 1;
  readonly jobId: JobId;
  readonly name: string;
  readonly bundle: HashedFile;
  readonly inputs: readonly InputDocument[];
  readonly combiner: string | null;
  /** A registered partitioner, or null for the documented hash of the key. */
  readonly partitioner: string | null;
  readonly reducer: string;
  readonly reduceTasks: number;
  /** The output directory, absolute, without a trailing slash. */
  readonly output: string;
  readonly outputFormat: FormatReference;
  readonly overwrite: boolean;
  readonly params: { readonly [name: string]: Json };
  readonly secrets: readonly string[];
  /** Bytes, or null for the default rule (a 64th of the input, at least 1 MiB, at most 64 MiB). */
  readonly splitSize: number | null;
  readonly filesPerTask: number | null;
  readonly maxAttempts: number;
  readonly backupTasks: boolean;
  readonly taskTimeoutMs: number | null;
  /** Resident bytes of one executor. */
  readonly memory: number;
  readonly maxRecordBytes: number;
  readonly maxKeyBytes: number;
  readonly scheduling: "pull" | "deal" | "pairwise";
}

/** A byte range of one input file. A record belongs to the split in which its first byte lies. */
export interface Split {
  /** Index into the document's `inputs`. */
  readonly input: number;
  readonly url: string;
  readonly start: number;
  readonly end: number;
  /** Size of the whole file when it was listed: a file that has another one now has changed. */
  readonly fileSize: number;
}
