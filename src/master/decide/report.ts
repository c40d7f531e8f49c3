// Owns what a worker's report leads to. The first accepted success of a task counts, whichever attempt it was; every later
// one, and every report of a job that is over, changes nothing.

import { addCounters } from "../../shared/job/counters.ts";
import { errorCodes, type Failure } from "../../shared/job/errors.ts";
import { parseTaskId, taskId, type Incarnation, type Phase } from "../../shared/job/ids.ts";
import type { LargestGroup } from "../../shared/job/result.ts";
import type {
  AttemptFailed,
  AttemptLeased,
  AttemptSucceeded,
  MapOutputLost,
} from "../../shared/messages/messages.ts";
import { announceOutputs } from "./announce.ts";
import { cancelAttempt, endAttempt, liveAttempt, takeAttempt } from "./attempts.ts";
import type { Effect } from "./events.ts";
import { commitWhenDone } from "./finish.ts";
import { giveUp, loseAttempt, mapOutputLost } from "./loss.ts";
import { taskStates, type Attempt, type Job, type MasterState, type Tasks } from "./state.ts";
import { issueAgain, tasksOf } from "./waiting.ts";
import { workerOf } from "./workers.ts";

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
  const { phase, number } = task;
  if (report.kind === "AttemptSucceeded" && report.report.phase !== phase) return;
  const tasks = job === undefined ? undefined : tasksOf(job, phase);
  if (job?.state !== "running" || tasks === undefined || number >= tasks.count) {
    // The accepted one may come again while the job is committed.
    if (report.kind === "AttemptSucceeded" && !(job !== undefined && isAccepted(job, number, report)))
      discard(report, effects);
    return;
  }
  tasks.attempts[number] = Math.max(tasks.attempts[number], report.attempt);
  switch (report.kind) {
    case "AttemptLeased": {
      const live = liveAttempt(tasks, number, report.attempt);
      if (live !== undefined) hold(state, live, report.worker);
      return;
    }
    case "AttemptSucceeded":
      succeed(state, job, tasks, number, report, effects);
      return;
    case "AttemptFailed":
      fail(state, job, tasks, number, report, effects);
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
  const { phase, number, attempt, reason } = dead;
  const job = state.jobs.get(dead.jobId);
  if (job?.state !== "running" || number >= tasksOf(job, phase).count) return;
  const message = `${phase} task ${taskId(phase, number)} attempt ${attempt}: its message was dead-lettered: ${reason}`;
  fail(
    state,
    job,
    tasksOf(job, phase),
    number,
    { attempt, failure: { code: "BROKER_FAILED", message } },
    effects,
  );
}

function succeed(
  state: MasterState,
  job: Job,
  tasks: Tasks,
  number: number,
  report: AttemptSucceeded,
  effects: Effect[],
): void {
  const live = liveAttempt(tasks, number, report.attempt);
  const runMs = live === undefined ? undefined : state.nowMs - (live.runningMs ?? live.takenMs);
  if (live !== undefined) {
    hold(state, live, report.worker);
    endAttempt(state, tasks, live);
  }
  const gone = report.report.phase === "map" && isGone(state, job, number, report);
  const restored = !gone && job.missing.has(number) && tasks.phase === "map";
  if ((tasks.states[number] === taskStates.done && !restored) || gone) {
    if (!isAccepted(job, number, report)) discard(report, effects);
    if (gone) issueAgain(state, job, tasks, number);
    return;
  }
  for (const loser of tasks.live.get(number) ?? []) cancelAttempt(state, job, tasks, loser, effects);
  if (restored) job.missing.delete(number);
  else tasks.done++;
  tasks.states[number] = taskStates.done;
  tasks.losses[number] = 0;
  if (runMs !== undefined) {
    tasks.durationsMs += runMs;
    tasks.durations++;
  }
  if (tasks.done === tasks.count) tasks.endedMs = state.nowMs;
  job.attempts.succeeded++;
  job.workers.add(report.worker);
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
  job.unannounced.push(map);
  // The first one and the last are told at once, the others within a second.
  const isFirst = job.sequence === 0 && job.unannounced.length === 1;
  if (isFirst || job.map.done === job.map.count) announceOutputs(state, job, effects);
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

/** A map's output can't be fetched from a lost worker, and one that a reduce could not read is not waited for by it. */
function isGone(
  state: MasterState,
  job: Job,
  map: number,
  { worker, executionId }: AttemptSucceeded,
): boolean {
  return state.lost.has(worker) || job.unreadable.get(map)?.includes(executionId) === true;
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

/** Counts an attempt's failure once. Where that is one too many, or no other can help, the task is given up. */
function fail(
  state: MasterState,
  job: Job,
  tasks: Tasks,
  number: number,
  { attempt, failure }: { readonly attempt: number; readonly failure: Failure },
  effects: Effect[],
): void {
  const live = liveAttempt(tasks, number, attempt);
  if (failure.code === "ATTEMPT_LOST" || failure.code === "JOB_CANCELLED") {
    if (live !== undefined) loseAttempt(state, job, live, failure.message, effects);
    return;
  }
  const failed = tasks.failed.get(number) ?? [];
  if (failed.includes(attempt)) return;
  tasks.failed.set(number, [...failed, attempt]);
  if (live !== undefined) endAttempt(state, tasks, live);
  job.attempts.failed++;
  if (tasks.states[number] === taskStates.done) return;
  const maxAttempts = job.settings?.maxAttempts ?? 1;
  if (errorCodes[failure.code].retry === "cannot help" || failed.length + 1 >= maxAttempts)
    giveUp(job, tasks.phase, number, failure, effects);
  else issueAgain(state, job, tasks, number);
}

/** A report says who has the attempt; of a worker that is lost, that is no use to anybody. */
function hold(state: MasterState, attempt: Attempt, incarnation: Incarnation): void {
  if (state.lost.has(incarnation)) return;
  workerOf(state, incarnation);
  takeAttempt(state, attempt, incarnation);
}
