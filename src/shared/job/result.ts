// Owns what a job's user gets to see of it: progress while it runs, the result when it is over.

import type { Counters } from "./counters.ts";
import type { Source } from "./errors.ts";

/** One result file: its URL, and what is in it. */
export interface Output {
  readonly url: string;
  readonly records: number;
  readonly bytes: number;
}

/** Why a job failed; `task` is a task id such as "m12", `source` the place of the record. */
export interface JobError {
  readonly code: string;
  readonly message: string;
  readonly stack?: string;
  readonly task?: string;
  readonly source?: Source;
}

/** How many tasks of a phase there were, and when the first started and the last ended, in ms since the job was accepted. */
export interface TaskTimes {
  readonly count: number;
  readonly startedMs: number;
  readonly endedMs: number;
}

export interface SkippedRecord {
  readonly url: string;
  readonly offset: number;
  readonly error: string;
}

/** A heavy key, as text, and how many records it had. */
export interface LargestGroup {
  readonly key: string;
  readonly records: number;
}

export type JobState = "succeeded" | "failed" | "cancelled";

/** What a job came to. Counters count each task once, however many attempts it took. */
export interface JobResult {
  readonly jobId: string;
  readonly name: string;
  readonly state: JobState;
  readonly outputs: readonly Output[];
  readonly counters: Counters;
  readonly elapsedMs: number;
  readonly tasks: { readonly map: TaskTimes; readonly reduce: TaskTimes };
  readonly attempts: {
    readonly succeeded: number;
    readonly failed: number;
    readonly cancelled: number;
    readonly backup: number;
  };
  readonly skippedRecords: readonly SkippedRecord[];
  readonly largestGroups: readonly LargestGroup[];
  /** How many workers the job ran on. */
  readonly workers: number;
  readonly error?: JobError;
}

export interface PhaseProgress {
  readonly tasks: number;
  readonly done: number;
  readonly running: number;
  /** 0 to 1, unfinished attempts counted by how far they are. */
  readonly fraction: number;
}

/** Where a job stands; later ones never go back, except after a loss. */
export interface Progress {
  readonly jobId: string;
  readonly map: PhaseProgress;
  readonly shuffle: { readonly bytes: number; readonly fraction: number };
  readonly reduce: PhaseProgress;
  readonly inputBytes: number;
  readonly workers: number;
  readonly counters: Counters;
}
