// Owns the message kinds: what master, workers and clients say to each other over the broker. Plain readonly
// data with a literal `kind`; decode.ts checks them where they arrive. docs/PROTOCOL.md is the page about them.
// No message is larger than 256 KiB: what can grow goes to storage and is referenced by URL.

import type { Counters } from "../job/counters.ts";
import type { HashedFile, Split } from "../job/document.ts";
import type { Failure, Source } from "../job/errors.ts";
import type { AttemptRef, ExecutionId, Incarnation, JobId, TaskId } from "../job/ids.ts";
import type { JobState, LargestGroup, Progress, SkippedRecord } from "../job/result.ts";
import type { PendingOutput } from "../storage/storage.ts";

export const protocolVersion = 1;
export const maxMessageBytes = 256 * 1024;

interface Versioned {
  readonly protocol: typeof protocolVersion;
}

/** Said by a master of this epoch. Workers drop what comes from a lower epoch than they have seen. */
interface FromMaster extends Versioned {
  readonly epoch: number;
}

/** Answers go to the mailbox named here (Broker.openMailbox). */
interface Asking {
  readonly replyTo: string;
}

// ---- client to master, and the replies -------------------------------------------------------------

export interface SubmitJob extends Versioned, Asking {
  readonly kind: "SubmitJob";
  readonly jobId: JobId;
  readonly document: HashedFile;
}
export interface CancelJob extends Versioned {
  readonly kind: "CancelJob";
  readonly jobId: JobId;
}
export interface QueryJobs extends Versioned, Asking {
  readonly kind: "QueryJobs";
  /** One job, or all where it is left out. */
  readonly jobId?: JobId;
}
export interface JobAccepted extends FromMaster {
  readonly kind: "JobAccepted";
  readonly jobId: JobId;
}
export interface JobRejected extends FromMaster {
  readonly kind: "JobRejected";
  readonly jobId: JobId;
  readonly failure: Failure;
}
export interface JobSummary {
  readonly jobId: JobId;
  readonly name: string;
  readonly state: "planning" | "running" | "committing" | JobState;
  readonly progress: Progress;
  /** Where the result lies, once the job is over. */
  readonly resultUrl?: string;
}
export interface JobList extends FromMaster {
  readonly kind: "JobList";
  readonly jobs: readonly JobSummary[];
}

// ---- master to workers -----------------------------------------------------------------------------

interface Task extends FromMaster, AttemptRef {
  readonly document: HashedFile;
  /** Authorises fetching of this job's segments; dies with the job's release. */
  readonly shuffleToken: string;
  readonly backup: boolean;
}
/** Map these splits into one segment file. Short lists travel inside, long ones as a JSON file in storage. */
export interface MapTask extends Task {
  readonly kind: "MapTask";
  readonly splits: readonly Split[] | { readonly url: string };
  /** Records that were given up. */
  readonly skip: readonly Source[];
  /** Whether the executor notes each record's place before the call, so that a crash names it. */
  readonly noteRecords: boolean;
}
/** Fetch one partition of every map output, reduce it into a pending output below `output`/_temporary. */
export interface ReduceTask extends Task {
  readonly kind: "ReduceTask";
  readonly partition: number;
  /** M: how many map outputs there are to wait for. */
  readonly mapTasks: number;
}
export interface CancelAttempt extends FromMaster, AttemptRef {
  readonly kind: "CancelAttempt";
}
/** Nothing of this job is wanted any more: end its executions, remove its scratch, forget its token. */
export interface ReleaseJob extends FromMaster {
  readonly kind: "ReleaseJob";
  readonly jobId: JobId;
}

// ---- worker to master ------------------------------------------------------------------------------

export interface RunningExecution extends AttemptRef {
  readonly executionId: ExecutionId;
  /** "waiting": received, without a slot yet; "fetching": a reduce that gathers segments, without a slot. */
  readonly state: "waiting" | "fetching" | "running";
  /** 0 to 1. */
  readonly fraction: number;
}
export interface HeldMapOutput {
  readonly jobId: JobId;
  readonly map: number;
  readonly attempt: number;
  readonly executionId: ExecutionId;
}
/** Level-triggered: the whole truth about a worker, sent at start, at changes and every heartbeat interval. */
export interface WorkerHeartbeat extends Versioned {
  readonly kind: "WorkerHeartbeat";
  readonly worker: Incarnation;
  /** Counts up by one within an incarnation; the first is 1. A lower one than seen is stale and ignored. */
  readonly sequence: number;
  readonly machine: string;
  /** Where its segments are served, "http://host:port", or null where it serves none. */
  readonly address: string | null;
  /** Its scratch directory, read in place by workers of the same machine. */
  readonly scratchDirectory: string;
  readonly slots: number;
  readonly freeSlots: number;
  readonly draining: boolean;
  /** Why it takes no task (disk full, scratch unwritable), or null. */
  readonly unfit: string | null;
  readonly executions: readonly RunningExecution[];
  /** In full in the first heartbeat of an incarnation, and when the master asked; else left out. */
  readonly mapOutputs?: readonly HeldMapOutput[];
}
interface Report extends Versioned, AttemptRef {
  readonly executionId: ExecutionId;
  readonly worker: Incarnation;
}
/** The execution goes on without its delivery: from here only heartbeats count. */
export interface AttemptLeased extends Report {
  readonly kind: "AttemptLeased";
}
export interface MapReport {
  readonly phase: "map";
  readonly counters: Counters;
  /** Size of the whole segment file. */
  readonly segmentBytes: number;
  readonly skippedRecords: readonly SkippedRecord[];
}
export interface ReduceReport {
  readonly phase: "reduce";
  readonly counters: Counters;
  readonly pendingOutputs: readonly PendingOutput[];
  readonly largestGroups: readonly LargestGroup[];
}
export interface AttemptSucceeded extends Report {
  readonly kind: "AttemptSucceeded";
  readonly report: MapReport | ReduceReport;
}
export interface AttemptFailed extends Report {
  readonly kind: "AttemptFailed";
  readonly failure: Failure;
}
/** A reduce could not read a map output: the named execution's file is gone, unreachable or corrupt. */
export interface MapOutputLost extends Report {
  readonly kind: "MapOutputLost";
  readonly lost: { readonly map: number; readonly executionId: ExecutionId; readonly reason: string };
}
/** What has become ready since sequence `after` (0: everything), or of the maps from `fromMap` on. */
export interface QueryMapOutputs extends Versioned, Asking {
  readonly kind: "QueryMapOutputs";
  readonly jobId: JobId;
  readonly fromMap: number;
}

// ---- master to all who follow the job --------------------------------------------------------------

export interface ReadyMapOutput {
  readonly map: number;
  readonly attempt: number;
  readonly executionId: ExecutionId;
}
/** Map outputs of one worker. A later one for the same map takes the place of an earlier one. */
export interface WorkerMapOutputs {
  readonly worker: Incarnation;
  readonly machine: string;
  readonly address: string | null;
  readonly scratchDirectory: string;
  readonly outputs: readonly ReadyMapOutput[];
}
/** A batch of ready map outputs. Sequences of a job count up by one from 1: a gap is filled by QueryMapOutputs. */
export interface MapOutputReady extends FromMaster {
  readonly kind: "MapOutputReady";
  readonly jobId: JobId;
  readonly sequence: number;
  readonly workers: readonly WorkerMapOutputs[];
}
/** The reply to QueryMapOutputs: outputs of maps `fromMap`..`nextMap`-1 that are ready; asked again from `nextMap` until it is null. */
export interface MapOutputs extends FromMaster {
  readonly kind: "MapOutputs";
  readonly jobId: JobId;
  /** The latest sequence that this reply includes. */
  readonly sequence: number;
  readonly workers: readonly WorkerMapOutputs[];
  readonly nextMap: number | null;
}
export interface JobProgress extends FromMaster {
  readonly kind: "JobProgress";
  readonly jobId: JobId;
  readonly progress: Progress;
}
/** The job is over; the JobResult lies as JSON at `resultUrl`. */
export interface JobFinished extends FromMaster {
  readonly kind: "JobFinished";
  readonly jobId: JobId;
  readonly state: JobState;
  readonly resultUrl: string;
}

export type ClientMessage = SubmitJob | CancelJob | QueryJobs;
export type ReplyMessage = JobAccepted | JobRejected | JobList | MapOutputs;
export type TaskMessage = MapTask | ReduceTask;
export type OrderMessage = CancelAttempt | ReleaseJob;
export type WorkerMessage =
  WorkerHeartbeat | AttemptLeased | AttemptSucceeded | AttemptFailed | MapOutputLost | QueryMapOutputs;
export type EventMessage = MapOutputReady | JobProgress | JobFinished;
export type Message =
  ClientMessage | ReplyMessage | TaskMessage | OrderMessage | WorkerMessage | EventMessage;
export type { TaskId };
