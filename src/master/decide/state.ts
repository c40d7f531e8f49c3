// Owns the shape of the master's state: jobs, their tasks and attempts, and the workers. It decides nothing.
//
// A job
//   planning    from JobSubmitted: its inputs are being listed. Leaves by JobPlanned, JobRefused or a cancellation.
//   running     from JobPlanned: its tasks are issued. Leaves when every reduce is accepted, by TaskGivenUp or cancellation.
//   committing  every task is accepted, and its result is being put in place. Leaves by Committed or CommitFailed only.
//   succeeded, failed, cancelled   over: a summary and the result are kept, its tasks are not.
//
// A task
//   idle        no attempt runs; its number waits in the phase's queue, or has not come up yet (`next` and above).
//   issued      at least one live attempt.
//   done        one attempt was accepted. A map goes back to idle when its output is lost and some reduce needs it.
//
// An attempt (only while it is live: one that ended is forgotten, and a late report of it is judged by its task alone)
//   published   its message is out; nobody is known to have taken it.
//   taken       a heartbeat, a lease or a report named its worker.
//
// What lasts is moved by journalled events alone, so that a replay gives it back. What heartbeats tell (places, slots,
// who runs what) does not last: a master that starts anew learns it within an interval. No decision that ends a job or
// a worker is taken on it: it is proposed as an event of its own.
//
// There is no state per (map, reduce) pair. Live attempts are bounded by slots, not by tasks.

import type { ExecutionId, Incarnation, JobId, Phase } from "../../shared/job/ids.ts";
import type { JobResult, JobState, LargestGroup, SkippedRecord } from "../../shared/job/result.ts";
import type { PendingOutput } from "../../shared/storage/storage.ts";
import type { JobSettings, ProposedEvent } from "./events.ts";
import { Fifo } from "./fifo.ts";

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
  /** Counts all attempts up, in the order in which they were published. */
  readonly serial: number;
  /** By the clock of `heardMs`. */
  readonly publishedMs: number;
  worker: Incarnation | null;
  takenMs: number;
  /** Since when its user code runs, by its worker's word; undefined while it waits for a slot or for segments. */
  runningMs: number | undefined;
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
  /** Attempts made so far, and losses in a row, by task number. */
  readonly attempts: Uint16Array;
  readonly losses: Uint16Array;
  /** Attempts that failed, by task number; most tasks have none. */
  readonly failed: Map<number, number[]>;
  /** Numbers to be issued again, before `next` and what follows it. */
  readonly again: number[];
  next: number;
  done: number;
  /** Live attempts by task number; most tasks have none. */
  readonly live: Map<number, Attempt[]>;
  /** Live attempts whose user code runs, and the sum of the fractions of all live ones; backup attempts apart. */
  running: number;
  parts: number;
  startedMs: number | undefined;
  endedMs: number | undefined;
  /** Sum of the running times of accepted attempts, and how many: what a slow attempt is measured by. */
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
  /** Maps whose output is gone while every reduce that is not done has what it needs: run again only when that changes. */
  readonly missing: Set<number>;
  /** Executions whose output a reduce could not read, by map number; most maps have none. */
  readonly unreadable: Map<number, ExecutionId[]>;
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
  /** When the latest announcement was made. */
  announcedMs: number;
  /** What ends this job, once it is journalled: until then nothing of it is issued. */
  givingUp: ProposedEvent | undefined;
  /** With scheduling "pairwise", the machine of the latest map that has no reduce beside it yet. */
  unpaired: string | undefined;
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
  /** By the clock of `heardMs`. */
  lastSeenMs: number;
  /** Whether it has room for one more of each phase, by its own word. */
  readonly room: { map: boolean; reduce: boolean };
  /** Whether its loss is proposed. */
  doomed: boolean;
  readonly attempts: Set<Attempt>;
  /** Attempts dealt to it that have not ended, and whether it waits to be dealt one more. */
  readonly dealt: { map: number; reduce: number };
  readonly inTurn: { map: boolean; reduce: boolean };
  /** Maps whose accepted output it holds, by job. */
  readonly outputs: Map<JobId, Set<number>>;
}

/**
 * Workers that have room for a task of a phase, and since when there has always been one and none was taken from the
 * shared queue, by the clock of `heardMs`.
 */
export interface Room {
  workers: number;
  sinceMs: number;
}

export interface MasterState {
  nowMs: number;
  /**
   * A clock that stands still while no worker is heard of: when all are silent it is the broker, or the master itself,
   * that was away, and nobody is to be blamed for that time.
   */
  heardMs: number;
  lastHeartbeatMs: number;
  readonly jobs: Map<JobId, Job>;
  /** Running jobs that may have a task to issue, in the order of their turns. */
  readonly turns: Job[];
  /** In the order in which they were last heard of, the longest silent first. */
  readonly workers: Map<Incarnation, WorkerState>;
  /** Workers that were lost and have not returned, with the sequence of the latest heartbeat that was seen. */
  readonly lost: Map<Incarnation, number>;
  /** How many workers are on each machine. */
  readonly machines: Map<string, number>;
  /** Slots of all workers that take tasks. */
  slots: number;
  readonly room: { readonly map: Room; readonly reduce: Room };
  /** Live attempts of all jobs, by phase. */
  readonly live: { map: number; reduce: number };
  /** How many attempts were made. */
  serial: number;
  /** Attempts in the shared queues, the oldest first, younger than any that was taken. */
  readonly published: { readonly map: Fifo<Attempt>; readonly reduce: Fifo<Attempt> };
  /**
   * Attempts that should be in a worker's hands, and since when: dealt ones, and those that a younger one has passed in its
   * queue. By the clock of `heardMs`, the oldest first.
   */
  readonly watched: Fifo<{ readonly attempt: Attempt; readonly sinceMs: number }>;
  /** Workers with room to be dealt a task of a phase, in the order of their turns. */
  readonly dealing: { readonly map: Fifo<Incarnation>; readonly reduce: Fifo<Incarnation> };
  lastProgressMs: number;
  lastBackupsMs: number;
}

/** The state of a master that knows of nothing. */
export function newMasterState(): MasterState {
  return {
    nowMs: 0,
    heardMs: 0,
    lastHeartbeatMs: 0,
    jobs: new Map(),
    turns: [],
    workers: new Map(),
    lost: new Map(),
    serial: 0,
    machines: new Map(),
    slots: 0,
    room: { map: { workers: 0, sinceMs: 0 }, reduce: { workers: 0, sinceMs: 0 } },
    live: { map: 0, reduce: 0 },
    published: { map: new Fifo(), reduce: new Fifo() },
    watched: new Fifo(),
    dealing: { map: new Fifo(), reduce: new Fifo() },
    lastProgressMs: 0,
    lastBackupsMs: 0,
  };
}

export function newTasks(phase: Phase, count: number): Tasks {
  return {
    phase,
    count,
    states: new Uint8Array(count),
    attempts: new Uint16Array(count),
    losses: new Uint16Array(count),
    failed: new Map(),
    again: [],
    next: 0,
    done: 0,
    live: new Map(),
    running: 0,
    parts: 0,
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
    missing: new Set(),
    unreadable: new Map(),
    countedMaps: new Uint8Array(0),
    pending: [],
    counters: {},
    attempts: { succeeded: 0, failed: 0, cancelled: 0, backup: 0 },
    largestGroups: [],
    skippedRecords: [],
    workers: new Set(),
    unannounced: [],
    sequence: 0,
    announcedMs: 0,
    givingUp: undefined,
    unpaired: undefined,
    result: undefined,
  };
}
