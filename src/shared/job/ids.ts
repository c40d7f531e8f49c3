// Owns the ids of a job's parts and their one spelling. Knows nothing of how they are made.

/** A job: a UUID v7, made by the client. Submitting the same id again is the same job. */
export type JobId = string;

/** "m12" (map task 12) or "r3" (reduce task 3): unique within a job. */
export type TaskId = string;

/** One process start of a worker: a UUID. */
export type Incarnation = string;

/** One run of an attempt on one worker: `<incarnation>.<serial>`. */
export type ExecutionId = string;

export type Phase = "map" | "reduce";

/** One task of a job: map tasks are numbered 0..M-1 in input order, reduce tasks 0..R-1 by partition. */
export interface TaskNumber {
  readonly phase: Phase;
  readonly number: number;
}

/** Spells a task's id: `taskId("map", 12)` is "m12". */
export function taskId(phase: Phase, number: number): TaskId {
  return (phase === "map" ? "m" : "r") + String(number);
}

/** Reads a task's id back, or undefined where it is not one. */
export function parseTaskId(id: TaskId): TaskNumber | undefined {
  const match = /^([mr])(0|[1-9][0-9]{0,8})$/.exec(id);
  if (match === null) return undefined;
  return { phase: match[1] === "m" ? "map" : "reduce", number: Number(match[2]) };
}

/** One try of a task. Attempts of a task are numbered from 1 by the master. */
export interface AttemptRef {
  readonly jobId: JobId;
  readonly taskId: TaskId;
  readonly attempt: number;
}
