// Owns what an executor hands to the code that runs one map or reduce: the loaded job, and the way back.

import type { JobDocument } from "../../shared/job/document.ts";
import type { Counters } from "../../shared/job/counters.ts";
import type { Source } from "../../shared/job/errors.ts";

/** The one job that an executor serves. */
export interface LoadedJob {
  readonly document: JobDocument;
  readonly secrets: { readonly [name: string]: string };
}

/** How an execution speaks to the worker's main process while it runs. */
export interface ExecutionHooks {
  /** Tells how far it is, 0 to 1; cheap enough for every block read, passed on a few times a second. */
  progress(fraction: number, counters: () => Counters): void;
  /** Notes the record whose call comes next, before it is called (MapRequest.noteRecords). */
  note(source: Source): void;
  log(level: "debug" | "info" | "warn" | "error", message: string): void;
  /** Aborts when the attempt is cancelled. */
  readonly signal: AbortSignal;
}
