// Owns what a worker's report leads to. The first accepted success of a task counts, whichever attempt it was; every later
// one, and every report of a job that is over, changes nothing.

import { addCounters } from "../../shared/job/counters.ts";
import { errorCodes, fromFailure, type Failure } from "../../shared/job/errors.ts";
import { parseTaskId, taskId, type Incarnation, type Phase } from "../../shared/job/ids.ts";
import type { LargestGroup } from "../../shared/job/result.ts";
import type {
  AttemptFailed,
  AttemptLeased,
  AttemptSucceeded,
  MapOutputLost,
} from "../../shared/messages/messages.ts";
import { announceOutputs, noteReady } from "./announce.ts";
import type { Effect } from "./events.ts";
import { commitWhenDone, failJob } from "./finish.ts";
import { cancelAttempt, endAttempt, issueAgain, tasksOf } from "./issue.ts";
import { loseAttempt, mapOutputLost } from "./loss.ts";
import { taskStates, type Attempt, type Job, type MasterState, type Tasks } from "./state.ts";
import { takeAttempt, workerOf } from "./workers.ts";

/** Heaviest keys that a result lists. */
const maxLargestGroups = 10;
/** Skipped records that a result lists; all are counted. */
const maxSkippedListed = 1_000;

type Report = AttemptSucceeded | AttemptFailed | AttemptLeased | MapOutputLost;

/** Takes a report. */
export function takeReport(state: MasterState, report: Report, effects: Effect[]): void {
  const job = state.jobs.get(report.jobId);
  const task = parseTaskId(report.taskId);
  if (task === undefined) return;
  if (job?.state !== "running") {
    if (report.kind === "AttemptSucceeded") discard(report, effects);
    return;
  }
  const tasks = tasksOf(job, task.phase);
  if (task.number >= tasks.count) return;
  const live = tasks.live.get(task.number)?.find(({ attempt }) => attempt === report.attempt);
  switch (report.kind) {
    case "AttemptLeased":
      if (live !== undefined) takeAttempt(state, live, report.worker);
      return;
    case "AttemptSucceeded":
      succeed(state, job, tasks, task.number, live, report, effects);
      return;
    case "AttemptFailed":
      if (live !== undefined) fail(state, job, tasks, live, report.failure, effects);
      return;
    case "MapOutputLost":
      mapOutputLost(state, job, report, effects);
      return;
    default:
      report satisfies never;
  }
}

/** The broker gave up a task message: its attempt has failed. */
export function deadLettered(
  state: MasterState,
  dead: { jobId: string; phase: Phase; number: number; attempt: number; reason: string },
  effects: Effect[],
): void {
  const job = state.jobs.get(dead.jobId);
  if (job?.state !== "running") return;
  const tasks = tasksOf(job, dead.phase);
  const live = tasks.live.get(dead.number)?.find(({ attempt }) => attempt === dead.attempt);
  if (live === undefined) return;
  const message = `${dead.phase} task ${dead.number} attempt ${dead.attempt}: its message was dead-lettered: ${dead.reason}`;
  fail(state, job, tasks, live, { code: "BROKER_FAILED", message }, effects);
}

function succeed(
  state: MasterState,
  job: Job,
  tasks: Tasks,
  number: number,
  live: Attempt | undefined,
  report: AttemptSucceeded,
  effects: Effect[],
): void {
  if (live !== undefined) {
    takeAttempt(state, live, report.worker);
    endAttempt(state, tasks, live);
  }
  const isMap = report.report.phase === "map";
  // The output of a lost worker can't be fetched; a reduce's lies in storage, where the worker does not matter.
  const gone = isMap && state.lost.has(report.worker);
  if (tasks.states[number] === taskStates.done || gone) {
    if (!isAccepted(job, number, report)) discard(report, effects);
    if (gone) issueAgain(state, job, tasks, number);
    return;
  }
  for (const loser of [...(tasks.live.get(number) ?? [])]) cancelAttempt(state, job, tasks, loser, effects);
  tasks.states[number] = taskStates.done;
  tasks.done++;
  tasks.losses[number] = 0;
  if (live !== undefined) {
    tasks.durationsMs += state.nowMs - live.takenMs;
    tasks.durations++;
  }
  if (tasks.done === tasks.count) tasks.endedMs = state.nowMs;
  job.attempts.succeeded++;
  job.workers.add(report.worker);
  job.changed = true;
  if (report.report.phase === "map") acceptMap(state, job, number, report, effects);
  else acceptReduce(state, job, number, report, effects);
}

function acceptMap(
  state: MasterState,
  job: Job,
  map: number,
  report: AttemptSucceeded,
  effects: Effect[],
): void {
  const { attempt, executionId, worker } = report;
  if (report.report.phase !== "map") return;
  job.outputs[map] = { attempt, executionId, worker };
  holds(state, worker, job, map);
  if (job.countedMaps[map] === 0) {
    job.countedMaps[map] = 1;
    addCounters(job.counters, report.report.counters);
    const room = maxSkippedListed - job.skippedRecords.length;
    job.skippedRecords.push(...report.report.skippedRecords.slice(0, room));
  }
  noteReady(job, map);
  // What follows waits for the last one, and for the first: the others come with the next tick.
  if (job.sequence === 0 || job.map.done === job.map.count) announceOutputs(state, job, effects);
}

function acceptReduce(
  state: MasterState,
  job: Job,
  partition: number,
  report: AttemptSucceeded,
  effects: Effect[],
): void {
  if (report.report.phase !== "reduce") return;
  job.pending[partition] = report.report.pendingOutputs;
  addCounters(job.counters, report.report.counters);
  job.largestGroups = heaviest([...job.largestGroups, ...report.report.largestGroups]);
  commitWhenDone(state, job, effects);
}

function heaviest(groups: LargestGroup[]): LargestGroup[] {
  return groups
    .toSorted((a, b) => b.records - a.records || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0))
    .slice(0, maxLargestGroups);
}

function holds(state: MasterState, incarnation: Incarnation, job: Job, map: number): void {
  const worker = workerOf(state, incarnation);
  const held = worker.outputs.get(job.id);
  if (held === undefined) worker.outputs.set(job.id, new Set([map]));
  else held.add(map);
}

/** Whether a report is the accepted one, come again. */
function isAccepted(job: Job, number: number, { report, executionId }: AttemptSucceeded): boolean {
  if (report.phase === "map") return job.outputs[number]?.executionId === executionId;
  const accepted = job.pending[number] ?? [];
  return report.pendingOutputs.every(({ url }, i) => accepted[i]?.url === url);
}

function discard({ jobId, report }: AttemptSucceeded, effects: Effect[]): void {
  if (report.phase === "map" || report.pendingOutputs.length === 0) return;
  effects.push({ kind: "DiscardPending", jobId, pending: report.pendingOutputs });
}

function fail(
  state: MasterState,
  job: Job,
  tasks: Tasks,
  attempt: Attempt,
  failure: Failure,
  effects: Effect[],
): void {
  if (failure.code === "ATTEMPT_LOST" || failure.code === "JOB_CANCELLED") {
    loseAttempt(state, job, attempt, failure.message, effects);
    return;
  }
  endAttempt(state, tasks, attempt);
  job.attempts.failed++;
  job.changed = true;
  const { number } = attempt;
  if (tasks.states[number] === taskStates.done) return;
  const failures = ++tasks.failures[number];
  const maxAttempts = job.settings?.maxAttempts ?? 1;
  if (errorCodes[failure.code].retry === "cannot help" || failures >= maxAttempts) {
    failJob(state, job, fromFailure(failure), taskId(attempt.phase, number), effects);
    return;
  }
  issueAgain(state, job, tasks, number);
}
