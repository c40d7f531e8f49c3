// Owns what an executor hands to the code that runs one map or reduce: the loaded job, and the way back.

import type { JobDocument } from "../../shared/job/document.ts";
import type { Counters } from "../../shared/job/counters.ts";
import { MapReduceError } from "../../shared/job/errors.ts";
import type { Source } from "../../shared/job/errors.ts";
import type { LostSegment } from "./protocol.ts";

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

/** Thrown by a reduce that can't read one of its sources: the attempt goes on once another execution has made it anew. */
export class SegmentLostError extends MapReduceError {
  readonly lost: LostSegment;

  /** @param cause SEGMENT_UNAVAILABLE or SEGMENT_CORRUPT, as reading the source threw it */
  constructor(lost: LostSegment, cause: MapReduceError) {
    super(cause.code, `segment of map task m${lost.map}: ${cause.message}`, { cause });
    this.lost = lost;
  }
}
