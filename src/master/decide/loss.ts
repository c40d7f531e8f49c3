// Owns what follows from a loss: of an attempt that nobody runs any more, of a worker, of a map output. A lost attempt is
// not a failed one, but losses in a row are bounded too: a task that takes its workers with it must end its job.

import type { Failure } from "../../shared/job/errors.ts";
import { taskId, type Incarnation, type Phase } from "../../shared/job/ids.ts";
import type { MapOutputLost } from "../../shared/messages/messages.ts";
import { endAttempt } from "./attempts.ts";
import type { Effect } from "./events.ts";
import { taskStates, type Attempt, type Job, type MasterState } from "./state.ts";
import { giveTurns, issueAgain, tasksOf } from "./waiting.ts";
import { forgetWorker, rememberLost } from "./workers.ts";

/** Losses of one task in a row that end its job: far more than a fleet's bad day brings, and a bound all the same. */
const maxLosses = 20;
/** Times that a map's output may turn out unreadable: each cost a whole run of the map. */
const maxUnreadable = 10;
/** A worker that is silent for this long, while others are heard, is lost: three of its heartbeats, and some. */
export const silenceMs = 10_000;
/** A task message that should have been taken for this long has been lost on its way. */
const untakenMs = 10_000;

/** An attempt will never report: its task gets another. */
export function loseAttempt(
  state: MasterState,
  job: Job,
  attempt: Attempt,
  reason: string,
  effects: Effect[],
): void {
  const { phase, number } = attempt;
  const tasks = tasksOf(job, phase);
  endAttempt(state, tasks, attempt);
  if (job.state !== "running" || tasks.states[number] === taskStates.done) return;
  issueAgain(state, job, tasks, number);
  if (++tasks.losses[number] < maxLosses) return;
  const message = `${phase} task ${taskId(phase, number)}: lost ${maxLosses} times in a row, the last time since ${reason}`;
  giveUp(job, phase, number, { code: "ATTEMPT_LOST", message }, effects);
}

/** A task has failed for good: its job fails as soon as that is journalled, and issues nothing until then. */
export function giveUp(job: Job, phase: Phase, number: number, failure: Failure, effects: Effect[]): void {
  if (job.givingUp !== undefined) return;
  job.givingUp = { kind: "TaskGivenUp", jobId: job.id, phase, number, failure };
  effects.push({ kind: "Propose", event: job.givingUp });
}

/** Everything on a worker is lost: its attempts, and its map outputs where some reduce still needs them. */
export function loseWorker(state: MasterState, incarnation: Incarnation, effects: Effect[]): void {
  const worker = state.workers.get(incarnation);
  rememberLost(state, incarnation, worker?.sequence ?? 0);
  if (worker === undefined) return;
  forgetWorker(state, worker);
  for (const attempt of [...worker.attempts]) {
    const job = state.jobs.get(attempt.jobId);
    if (job !== undefined) loseAttempt(state, job, attempt, `worker ${incarnation} was lost`, effects);
  }
  for (const [jobId, maps] of worker.outputs) {
    const job = state.jobs.get(jobId);
    if (job?.state !== "running") continue;
    for (const map of maps) if (job.outputs[map]?.worker === incarnation) loseOutput(state, job, map);
  }
}

/** A reduce could not read a map's output: the map runs again. Of an output that was replaced already, the news is old. */
export function mapOutputLost(state: MasterState, job: Job, report: MapOutputLost, effects: Effect[]): void {
  const { map, executionId, reason } = report.lost;
  if (job.outputs[map]?.executionId !== executionId) return;
  loseOutput(state, job, map);
  const unreadable = [...(job.unreadable.get(map) ?? []), executionId];
  job.unreadable.set(map, unreadable);
  if (unreadable.length < maxUnreadable) return;
  const message = `map task ${taskId("map", map)}: its output was unreadable ${maxUnreadable} times, the last time since ${reason}`;
  giveUp(job, "map", map, { code: "SEGMENT_UNAVAILABLE", message }, effects);
}

/** Has maps run again whose output is missing, once a reduce needs it: one that runs has all that it reads. */
export function remakeMissing(state: MasterState, job: Job): void {
  if (job.missing.size === 0 || job.reduce.done + job.reduce.running >= job.reduce.count) return;
  for (const map of job.missing) {
    job.map.states[map] = taskStates.idle;
    job.map.done--;
    issueAgain(state, job, job.map, map);
  }
  job.missing.clear();
  job.map.endedMs = undefined;
}

/** Finds who has been silent for too long, and messages that nobody took; looks at no more than it finds. */
export function findSilence(state: MasterState, effects: Effect[]): void {
  const { heardMs, published, watched, room } = state;
  for (const worker of state.workers.values()) {
    if (heardMs - worker.lastSeenMs <= silenceMs) break;
    if (worker.doomed) continue;
    worker.doomed = true;
    effects.push({ kind: "Propose", event: { kind: "WorkerLost", worker: worker.incarnation } });
  }
  for (let head = watched.peek(); head !== undefined; head = watched.peek()) {
    if (isUntaken(head.attempt) && heardMs - head.sinceMs <= untakenMs) break;
    watched.shift();
    loseUntaken(state, head.attempt, effects);
  }
  for (const phase of ["map", "reduce"] as const) {
    const queue = published[phase];
    for (let head = queue.peek(); head !== undefined; head = queue.peek()) {
      const { workers, sinceMs } = room[phase];
      const dueMs = Math.max(head.publishedMs, sinceMs) + untakenMs;
      if (isUntaken(head) && (workers === 0 || heardMs <= dueMs)) break;
      queue.shift();
      loseUntaken(state, head, effects);
    }
  }
}

function isUntaken({ ended, worker }: Attempt): boolean {
  return !ended && worker === null;
}

function loseUntaken(state: MasterState, attempt: Attempt, effects: Effect[]): void {
  const job = state.jobs.get(attempt.jobId);
  if (isUntaken(attempt) && job !== undefined)
    loseAttempt(state, job, attempt, "nobody took its message", effects);
}

function loseOutput(state: MasterState, job: Job, map: number): void {
  const output = job.outputs[map];
  if (output !== undefined) state.workers.get(output.worker)?.outputs.get(job.id)?.delete(map);
  job.outputs[map] = undefined;
  job.missing.add(map);
  giveTurns(state, job);
}
