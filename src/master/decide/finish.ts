// Owns the ends of a job: all accepted and committed, failed, or cancelled. After each, every live attempt is cancelled and
// the job is released; its tasks are forgotten, its result is kept.

import type { MapReduceError } from "../../shared/job/errors.ts";
import type { JobError, JobResult, JobState, TaskTimes } from "../../shared/job/result.ts";
import { progressOf } from "./announce.ts";
import type { Effect } from "./events.ts";
import { cancelAttempt } from "./attempts.ts";
import { newTasks, type Job, type MasterState, type Tasks } from "./state.ts";

/** Jobs that are over and still answered for; the oldest are forgotten first. */
const maxJobsKept = 1_000;

/** Every reduce is accepted: the job's output is put in place, by the master alone. */
export function commitWhenDone(state: MasterState, job: Job, effects: Effect[]): void {
  if (job.state !== "running" || job.reduce.done < job.reduce.count) return;
  job.state = "committing";
  cancelLive(state, job, effects);
  effects.push({ kind: "AnnounceProgress", jobId: job.id, progress: progressOf(state, job) });
  effects.push(commitEffect(state, job));
}

/** The order to put a job's accepted output in place. */
export function commitEffect(state: MasterState, job: Job): Effect {
  const pending = job.pending.flatMap((each) => each ?? []);
  return { kind: "CommitJob", jobId: job.id, pending, result: resultOf(state, job, "succeeded") };
}

/** The commit is done. */
export function succeedJob(state: MasterState, job: Job, effects: Effect[]): void {
  if (job.state === "committing") endJob(state, job, "succeeded", undefined, effects);
}

/** Ends the job with its cause. @param task the id of the task that failed, where it was one */
export function failJob(
  state: MasterState,
  job: Job,
  error: MapReduceError,
  task: string | undefined,
  effects: Effect[],
): void {
  const { code, message, userStack, source } = error;
  endJob(
    state,
    job,
    "failed",
    {
      code,
      message,
      ...(userStack === undefined ? {} : { stack: userStack }),
      ...(task === undefined ? {} : { task }),
      ...(source === undefined ? {} : { source }),
    },
    effects,
  );
}

/** Ends the job by its user's wish; one whose commit has begun is committed all the same. */
export function cancelJob(state: MasterState, job: Job, effects: Effect[]): void {
  if (job.state !== "planning" && job.state !== "running") return;
  const message = `job ${job.id}: cancelled`;
  if (job.state === "planning") {
    effects.push({ kind: "RejectJob", jobId: job.id, failure: { code: "JOB_CANCELLED", message } });
  }
  endJob(state, job, "cancelled", { code: "JOB_CANCELLED", message }, effects);
}

/** Forgets what only a running job needs. */
export function forgetTasks(state: MasterState, job: Job): void {
  const { count: maps } = job.map;
  job.map = newTasks("map", 0);
  job.reduce = newTasks("reduce", 0);
  job.outputs.length = 0;
  job.missing.clear();
  job.unreadable.clear();
  job.givingUp = undefined;
  job.pending.length = 0;
  job.unannounced = [];
  job.countedMaps = new Uint8Array(0);
  if (maps > 0) for (const worker of state.workers.values()) worker.outputs.delete(job.id);
  let surplus = state.jobs.size - maxJobsKept;
  for (const [id, { result }] of state.jobs) {
    if (surplus-- <= 0) break;
    if (result !== undefined) state.jobs.delete(id);
  }
}

function endJob(
  state: MasterState,
  job: Job,
  outcome: JobState,
  error: JobError | undefined,
  effects: Effect[],
): void {
  cancelLive(state, job, effects);
  job.state = outcome;
  const result = resultOf(state, job, outcome, error);
  job.result = result;
  effects.push({ kind: "FinishJob", jobId: job.id, result }, { kind: "ReleaseJob", jobId: job.id });
  forgetTasks(state, job);
}

function cancelLive(state: MasterState, job: Job, effects: Effect[]): void {
  for (const tasks of [job.map, job.reduce]) {
    for (const attempts of [...tasks.live.values()]) {
      for (const attempt of attempts) cancelAttempt(state, job, tasks, attempt, effects);
    }
  }
}

function resultOf(state: MasterState, job: Job, outcome: JobState, error?: JobError): JobResult {
  const pending = outcome === "succeeded" ? job.pending.flatMap((each) => each ?? []) : [];
  return {
    jobId: job.id,
    name: job.settings?.name ?? "",
    state: outcome,
    outputs: pending.map(({ name, records, bytes }) => ({ url: name, records, bytes })),
    counters: { ...job.counters },
    elapsedMs: Math.round(state.nowMs - job.submittedMs),
    tasks: { map: timesOf(job, job.map), reduce: timesOf(job, job.reduce) },
    attempts: { ...job.attempts },
    skippedRecords: job.skippedRecords,
    largestGroups: job.largestGroups,
    workers: job.workers.size,
    ...(error === undefined ? {} : { error }),
  };
}

function timesOf(job: Job, tasks: Tasks): TaskTimes {
  const since = (ms: number | undefined): number => (ms === undefined ? 0 : Math.round(ms - job.submittedMs));
  return { count: tasks.count, startedMs: since(tasks.startedMs), endedMs: since(tasks.endedMs) };
}
