// Owns the two unions of the master's core: the events it decides about and the effects it asks for.
// `decide(state, event)` updates the state that it is given and returns effects; it has no clock, does no I/O, draws no
// random number and awaits nothing. Every time in an event is the master's own monotonic clock, in milliseconds.

import type { HashedFile } from "../../shared/job/document.ts";
import type { Failure } from "../../shared/job/errors.ts";
import type { Incarnation, JobId, Phase } from "../../shared/job/ids.ts";
import type { JobResult, Progress } from "../../shared/job/result.ts";
import type {
  AttemptFailed,
  AttemptLeased,
  AttemptSucceeded,
  MapOutputLost,
  WorkerHeartbeat,
  WorkerMapOutputs,
} from "../../shared/messages/messages.ts";
import type { PendingOutput } from "../../shared/storage/storage.ts";

/** What the core needs to know of a job's specification. */
export interface JobSettings {
  readonly name: string;
  readonly maxAttempts: number;
  readonly backupTasks: boolean;
  readonly scheduling: "pull" | "deal" | "pairwise";
}

interface At {
  readonly atMs: number;
}

/** Events that change what is true of a job: journalled, in this order, before their effects are performed. */
export type JournalledEvent = At &
  /** `document` is for whoever performs the effects of a replayed journal; the core does not look at it. */
  (
    | { readonly kind: "JobSubmitted"; readonly jobId: JobId; readonly document: HashedFile }
    /** Inputs are listed and splits are cut: the job has M map and R reduce tasks. */
    | {
        readonly kind: "JobPlanned";
        readonly jobId: JobId;
        readonly settings: JobSettings;
        readonly mapTasks: number;
        readonly reduceTasks: number;
        readonly inputBytes: number;
      }
    /** What stops the job before its first attempt: the client is told JobRejected. */
    | { readonly kind: "JobRefused"; readonly jobId: JobId; readonly failure: Failure }
    | { readonly kind: "CancelRequested"; readonly jobId: JobId }
    | {
        readonly kind: "Reported";
        readonly report: AttemptSucceeded | AttemptFailed | AttemptLeased | MapOutputLost;
      }
    /** A task message was dead-lettered: one failed attempt. */
    | {
        readonly kind: "TaskDeadLettered";
        readonly jobId: JobId;
        readonly phase: Phase;
        readonly number: number;
        readonly attempt: number;
        readonly reason: string;
      }
    /** A worker has been silent for too long. Found by the core itself: proposed, then journalled, then decided about. */
    | { readonly kind: "WorkerLost"; readonly worker: Incarnation }
    /** A worker that was lost speaks again. Proposed by the core. */
    | { readonly kind: "WorkerReturned"; readonly worker: Incarnation }
    /** A task has failed or was lost too often: its job fails. Proposed by the core. */
    | {
        readonly kind: "TaskGivenUp";
        readonly jobId: JobId;
        readonly phase: Phase;
        readonly number: number;
        readonly failure: Failure;
      }
    | { readonly kind: "Committed"; readonly jobId: JobId }
    | { readonly kind: "CommitFailed"; readonly jobId: JobId; readonly failure: Failure }
  );

/** Events that only move what can be learnt again: never journalled. */
export type VolatileEvent = At &
  ({ readonly kind: "Heartbeat"; readonly heartbeat: WorkerHeartbeat } | { readonly kind: "Tick" });

export type MasterEvent = JournalledEvent | VolatileEvent;

/** What the core concludes from volatile events and must not forget: an event that it asks to be told. */
export type ProposedEvent = Conclusion<JournalledEvent>;
type Conclusion<E> = E extends { readonly kind: "WorkerLost" | "WorkerReturned" | "TaskGivenUp" }
  ? Omit<E, "atMs">
  : never;

/** What the loop does for the core. Every effect may be performed twice without harm. */
export type Effect =
  /** Offer this event, so that it is journalled and decided about. */
  | { readonly kind: "Propose"; readonly event: ProposedEvent }
  /** Read the document, check the output place, list inputs, cut splits; answer with JobPlanned or JobRefused. */
  | { readonly kind: "PlanJob"; readonly jobId: JobId }
  | { readonly kind: "AcceptJob"; readonly jobId: JobId }
  | { readonly kind: "RejectJob"; readonly jobId: JobId; readonly failure: Failure }
  /** `to`: the worker it is dealt to, or null for the shared queue of its phase. */
  | {
      readonly kind: "PublishTask";
      readonly jobId: JobId;
      readonly phase: Phase;
      readonly number: number;
      readonly attempt: number;
      readonly backup: boolean;
      readonly to: Incarnation | null;
    }
  | {
      readonly kind: "CancelAttempt";
      readonly jobId: JobId;
      readonly phase: Phase;
      readonly number: number;
      readonly attempt: number;
      readonly worker: Incarnation;
    }
  | {
      readonly kind: "AnnounceMapOutputs";
      readonly jobId: JobId;
      readonly sequence: number;
      readonly workers: readonly WorkerMapOutputs[];
    }
  | { readonly kind: "AnnounceProgress"; readonly jobId: JobId; readonly progress: Progress }
  | { readonly kind: "DiscardPending"; readonly jobId: JobId; readonly pending: readonly PendingOutput[] }
  /** Write the manifest, commit every pending output, write _SUCCESS, remove _temporary; answer Committed or CommitFailed. */
  | {
      readonly kind: "CommitJob";
      readonly jobId: JobId;
      readonly pending: readonly PendingOutput[];
      readonly result: JobResult;
    }
  /** Store the result, announce JobFinished; where it did not succeed, remove what the job left at its output place. */
  | { readonly kind: "FinishJob"; readonly jobId: JobId; readonly result: JobResult }
  /** Tell every worker, remove what is staged. */
  | { readonly kind: "ReleaseJob"; readonly jobId: JobId };
