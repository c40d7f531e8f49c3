// Owns what a worker's main process and its executors say to each other over their IPC channel. Only small messages
// cross it: records never do, and neither does what user code logs or prints (that goes through stderr and stdout, which
// push back). Requests go down and are served in order, events come up; one execution at a time.

import type { JobDocument, Split } from "../../shared/job/document.ts";
import type { Failure, Source } from "../../shared/job/errors.ts";
import type { AttemptRef, ExecutionId } from "../../shared/job/ids.ts";
import type { MapReport, ReduceReport } from "../../shared/messages/messages.ts";

/** First message of an executor's life: the one job it serves. Only its failure is answered, with `failed`. */
export interface LoadRequest {
  readonly kind: "load";
  /** The bundle on the local disk; it runs only if its SHA-256 is the document's. */
  readonly bundlePath: string;
  readonly document: JobDocument;
  readonly secrets: { readonly [name: string]: string };
}

interface BaseRequest extends AttemptRef {
  readonly executionId: ExecutionId;
  /** The execution's own folder on the scratch disk, made by the main process, removed by it afterwards. */
  readonly scratchDirectory: string;
}

export interface MapRequest extends BaseRequest {
  readonly kind: "map";
  readonly splits: readonly Split[];
  /** Where the segment file goes, renamed into place when whole. */
  readonly segmentFile: string;
  readonly skip: readonly Source[];
  readonly noteRecords: boolean;
  /** Bytes of emitted records that are held before a run is spilled; left out, a share of the job's `memory`. */
  readonly collectorBytes?: number;
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

export interface ReduceRequest extends BaseRequest {
  readonly kind: "reduce";
  readonly partition: number;
  /** One for each map, in map order. */
  readonly sources: readonly SegmentSource[];
}

/** Asks an executor to run one execution. */
export type ExecutionRequest = MapRequest | ReduceRequest;

export type ExecutorRequest = LoadRequest | ExecutionRequest | { readonly kind: "abort" };

/** The map execution whose output a reduce could not read. */
export interface LostSegment {
  readonly map: number;
  readonly executionId: ExecutionId;
}

export type ExecutorEvent =
  | { readonly kind: "progress"; readonly fraction: number }
  | { readonly kind: "succeeded"; readonly report: MapReport | ReduceReport }
  /** Of the running execution, or of the load before it. The executor is not asked for anything more. */
  | { readonly kind: "failed"; readonly failure: Failure; readonly lost?: LostSegment };

/** Where an execution that notes its records (hooks.note) does so: beside its folder, as the JSON of a Source. */
export function noteFileOf(request: ExecutionRequest): string {
  return `${request.scratchDirectory}.record`;
}
