// Owns the options of running a job from a program; the command line's options say the same.

import type { Progress } from "../shared/job/result.ts";

/** Where and how a job runs. With `broker` on a fleet, else embedded: on this machine, in processes of its own. */
export interface ExecOptions {
  /** How many tasks run at once, embedded; by default as many as there are cores. */
  readonly slots?: number;
  /** "amqp://host" of a fleet. */
  readonly broker?: string;
  /** The fleet's storage: "s3://bucket/prefix" or a shared directory. */
  readonly storage?: string;
  /** Where intermediate files lie, embedded; `/tmp/mapreduce` by default. */
  readonly scratchDirectory?: string;
  /** "none" runs everything in this one process, one task at a time, for a debugger. Default "process". */
  readonly isolation?: "process" | "none";
  /** Cancels the job. */
  readonly signal?: AbortSignal;
  /** Called with the latest progress, at most a few times a second. */
  readonly onProgress?: (progress: Progress) => void;
}
