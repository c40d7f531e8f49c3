// Owns the shape of the master's state: jobs, their tasks and attempts, and the workers. It decides nothing.
//
// A job
//   planning    from JobSubmitted: its inputs are being listed. Leaves by JobPlanned, JobRefused or a cancellation.
//   running     from JobPlanned: its tasks are issued. Leaves when every reduce is accepted, or by failure or cancellation.
//   committing  every task is accepted, and its result is being put in place. Leaves by Committed or CommitFailed only.
//   succeeded, failed, cancelled   over: a summary and the result are kept, its tasks are not.
//
// A task
//   idle        no attempt runs; its number waits in the phase's queue, or has not come up yet (`next` and above).
//   issued      at least one live attempt.
//   done        one attempt was accepted. A map goes back to idle when its output is lost while a reduce still needs it.
//
// An attempt (only while it is live: one that ended is forgotten, and a late report of it is judged by its task alone)
//   published   its message is out; nobody is known to have taken it.
//   taken       a heartbeat, a lease or a report named its worker.
//
// There is no state per (map, reduce) pair. Live attempts are bounded by slots, not by tasks.

import type { ExecutionId, Incarnation, JobId, Phase } from "../../shared/job/ids.ts";
import type { JobResult, JobState, LargestGroup, SkippedRecord } from "../../shared/job/result.ts";
import type { PendingOutput } from "../../shared/storage/storage.ts";
import type { JobSettings } from "./events.ts";

export const taskStates = { idle: 0, issued: 1, done: 2 } as const;

/** One live attempt. */
export interface Attempt {
  readonly jobId: JobId;
  readonly phase: Phase;
  readonly number: number;
  readonly attempt: number;
  readonly backup: boolean;
  /** The worker it was dealt to, or null where any may take it. */
  readonly to: Incarnation | null;
  readonly publishedMs: number;
  worker: Incarnation | null;
  takenMs: number;
  /** Whether its user code runs, by the worker's word: else it waits for a slot or for segments. */
  running: boolean;
  fraction: number;
  /** Heartbeats of its worker, one after the other, that did not list it. */
  misses: number;
  ended: boolean;
}

/** The tasks of one phase. */
export interface Tasks {
  readonly phase: Phase;
  readonly count: number;
  /** taskStates, by task number. */
  readonly states: Uint8Array;
  /** Attempts made so far, failed ones and losses in a row, by task number. */
  readonly attempts: Uint16Array;
  readonly failures: Uint16Array;
  readonly losses: Uint16Array;
  /** Numbers to be issued again, before `next` and what follows it. */
  readonly again: number[];
  next: number;
  done: number;
  /** Live attempts by task number; most tasks have none. */
  readonly live: Map<number, Attempt[]>;
  liveCount: number;
  startedMs: number | undefined;
  endedMs: number | undefined;
  /** Sum of the durations of accepted attempts, and how many: what a backup attempt is measured by. */
  durationsMs: number;
  durations: number;
}

/** Where the accepted output of a map lies. */
export interface MapOutput {
  readonly attempt: number;
  readonly executionId: ExecutionId;
  readonly worker: Incarnation;
}

export interface Job {
  readonly id: JobId;
  readonly submittedMs: number;
  state: "planning" | "running" | "committing" | JobState;
  settings: JobSettings | undefined;
  inputBytes: number;
  map: Tasks;
  reduce: Tasks;
  /** By map number. */
  readonly outputs: (MapOutput | undefined)[];
  /** Maps whose counters are in: a map that is made anew is not counted twice. */
  countedMaps: Uint8Array;
  /** Accepted pending outputs, by partition. */
  readonly pending: (readonly PendingOutput[] | undefined)[];
  readonly counters: Record<string, number>;
  readonly attempts: { succeeded: number; failed: number; cancelled: number; backup: number };
  largestGroups: LargestGroup[];
  readonly skippedRecords: SkippedRecord[];
  readonly workers: Set<Incarnation>;
  /** Maps that became ready and are not announced yet; `sequence` counts announcements. */
  unannounced: number[];
  sequence: number;
  changed: boolean;
  result: JobResult | undefined;
}

export interface WorkerState {
  readonly incarnation: Incarnation;
  /** undefined until its first heartbeat: after a master's restart, reports may come before it. */
  place:
    | { readonly machine: string; readonly address: string | null; readonly scratchDirectory: string }
    | undefined;
  sequence: number;
  slots: number;
  freeSlots: number;
  /** Whether it takes tasks: neither draining nor unfit. */
  takes: boolean;
  lastSeenMs: number;
  readonly attempts: Set<Attempt>;
  /** Attempts dealt to it that have not ended. */
  dealt: number;
  /** Maps whose accepted output it holds, by job. */
  readonly outputs: Map<JobId, Set<number>>;
}

export interface MasterState {
  nowMs: number;
  readonly jobs: Map<JobId, Job>;
  /** Running jobs that may have a task to issue, in the order of their turns. */
  readonly turns: Job[];
  /** In the order in which they were last heard of, the longest silent first. */
  readonly workers: Map<Incarnation, WorkerState>;
  readonly lost: Set<Incarnation>;
  /** How many workers are on each machine. */
  readonly machines: Map<string, number>;
  /** Slots of all workers that take tasks. */
  slots: number;
  /** Live attempts of all jobs, by phase. */
  readonly live: { map: number; reduce: number };
  /** Published attempts, the oldest first: what nobody takes is found at the head. */
  readonly published: Attempt[];
  publishedHead: number;
  /** Where the policies that deal go on, in the order of `workers`' incarnations. */
  readonly dealing: { order: Incarnation[]; at: number; lastMapMachine: string | undefined };
  lastProgressMs: number;
}

/** The state of a master that knows of nothing. */
export function newMasterState(): MasterState {
  return {
    nowMs: 0,
    jobs: new Map(),
    turns: [],
    workers: new Map(),
    lost: new Set(),
    machines: new Map(),
    slots: 0,
    live: { map: 0, reduce: 0 },
    published: [],
    publishedHead: 0,
    dealing: { order: [], at: 0, lastMapMachine: undefined },
    lastProgressMs: 0,
  };
}

export function newTasks(phase: Phase, count: number): Tasks {
  return {
    phase,
    count,
    states: new Uint8Array(count),
    attempts: new Uint16Array(count),
    failures: new Uint16Array(count),
    losses: new Uint16Array(count),
    again: [],
    next: 0,
    done: 0,
    live: new Map(),
    liveCount: 0,
    startedMs: undefined,
    endedMs: undefined,
    durationsMs: 0,
    durations: 0,
  };
}

export function newJob(id: JobId, submittedMs: number): Job {
  return {
    id,
    submittedMs,
    state: "planning",
    settings: undefined,
    inputBytes: 0,
    map: newTasks("map", 0),
    reduce: newTasks("reduce", 0),
    outputs: [],
    countedMaps: new Uint8Array(0),
    pending: [],
    counters: {},
    attempts: { succeeded: 0, failed: 0, cancelled: 0, backup: 0 },
    largestGroups: [],
    skippedRecords: [],
    workers: new Set(),
    unannounced: [],
    sequence: 0,
    changed: true,
    result: undefined,
  };
}
