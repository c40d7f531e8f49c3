// Owns what a worker's main process and its executors say to each other over their IPC channel. Only small messages
// cross it: records never do. Requests go down, events come up; one execution at a time.

import type { Counters } from "../../shared/job/counters.ts";
import type { JobDocument, Split } from "../../shared/job/document.ts";
import type { Failure, Source } from "../../shared/job/errors.ts";
import type { AttemptRef, ExecutionId } from "../../shared/job/ids.ts";
import type { MapReport, ReduceReport } from "../../shared/messages/messages.ts";

/** First message of an executor's life: the one job it serves. Answered by `loaded` or `failed`. */
export interface LoadRequest {
  readonly kind: "load";
  /** The bundle on the local disk; it runs only if its SHA-256 is the document's. */
  readonly bundlePath: string;
  readonly document: JobDocument;
  readonly secrets: { readonly [name: string]: string };
}

interface ExecutionRequest extends AttemptRef {
  readonly executionId: ExecutionId;
  /** The execution's own folder on the scratch disk, made by the main process, removed by it afterwards. */
  readonly scratchDirectory: string;
}

export interface MapRequest extends ExecutionRequest {
  readonly kind: "map";
  readonly splits: readonly Split[];
  /** Where the segment file goes, renamed into place when whole. */
  readonly segmentFile: string;
  readonly skip: readonly Source[];
  readonly noteRecords: boolean;
}

/** A local file that holds segments of this partition. */
export type SegmentSource =
  /** A whole segment file of a map on this machine: its index says where the partition lies. */
  | {
      readonly kind: "mapOutput";
      readonly map: number;
      readonly executionId: ExecutionId;
      readonly path: string;
    }
  /** Part of a run file: a segment fetched from another worker. */
  | {
      readonly kind: "fetched";
      readonly map: number;
      readonly executionId: ExecutionId;
      readonly path: string;
      readonly offset: number;
      readonly length: number;
      readonly crc: number;
    };

export interface ReduceRequest extends ExecutionRequest {
  readonly kind: "reduce";
  readonly partition: number;
  /** One for each map, in map order. */
  readonly sources: readonly SegmentSource[];
}

export type ExecutorRequest = LoadRequest | MapRequest | ReduceRequest | { readonly kind: "abort" };

export type ExecutorEvent =
  | { readonly kind: "loaded" }
  | {
      readonly kind: "progress";
      readonly executionId: ExecutionId;
      readonly fraction: number;
      readonly counters: Counters;
    }
  /** With `noteRecords`: the record whose call comes next. */
  | { readonly kind: "record"; readonly executionId: ExecutionId; readonly source: Source }
  | { readonly kind: "log"; readonly level: "debug" | "info" | "warn" | "error"; readonly message: string }
  | {
      readonly kind: "succeeded";
      readonly executionId: ExecutionId;
      readonly report: MapReport | ReduceReport;
    }
  /** `lost` where the cause is a segment that could not be read. */
  | {
      readonly kind: "failed";
      readonly executionId: ExecutionId | null;
      readonly failure: Failure;
      readonly lost?: { readonly map: number; readonly executionId: ExecutionId };
    };
