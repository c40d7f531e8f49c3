// Owns what follows from a loss: of an attempt that nobody runs any more, of a worker, of a map output. A lost attempt is
// not a failed one, but losses in a row are bounded too: a task that takes its workers with it must end its job.

import { fromFailure, type Failure } from "../../shared/job/errors.ts";
import { taskId, type Incarnation } from "../../shared/job/ids.ts";
import type { MapOutputLost } from "../../shared/messages/messages.ts";
import type { Effect } from "./events.ts";
import { failJob } from "./finish.ts";
import { endAttempt, issueAgain, tasksOf } from "./issue.ts";
import { taskStates, type Attempt, type Job, type MasterState, type Tasks } from "./state.ts";

/** Losses of one task in a row that end its job: far more than a fleet's bad day brings, and a bound all the same. */
const maxLosses = 20;
/** A worker that is silent for this long is lost: three of its heartbeats, and some. */
export const silenceMs = 10_000;
/** A published task that nobody has taken for this long, though slots are free, has been lost on its way. */
const untakenMs = 10_000;

/** An attempt will never report: its task gets another. */
export function loseAttempt(
  state: MasterState,
  job: Job,
  attempt: Attempt,
  reason: string,
  effects: Effect[],
): void {
  const tasks = tasksOf(job, attempt.phase);
  endAttempt(state, tasks, attempt);
  if (job.state !== "running") return;
  countLoss(state, job, tasks, attempt.number, reason, effects);
  if (job.state === "running") issueAgain(state, job, tasks, attempt.number);
}

/** Everything on a worker is lost: its attempts, and its map outputs where some reduce still needs them. */
export function loseWorker(state: MasterState, incarnation: Incarnation, effects: Effect[]): void {
  const worker = state.workers.get(incarnation);
  state.lost.add(incarnation);
  if (worker === undefined) return;
  forgetWorker(state, incarnation);
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

/** Takes a worker out of the counts of slots and machines. */
export function forgetWorker(state: MasterState, incarnation: Incarnation): void {
  const worker = state.workers.get(incarnation);
  if (worker === undefined) return;
  state.workers.delete(incarnation);
  if (worker.takes) state.slots -= worker.slots;
  const { dealing, machines } = state;
  dealing.order = dealing.order.filter((each) => each !== incarnation);
  if (worker.place === undefined) return;
  const left = (machines.get(worker.place.machine) ?? 1) - 1;
  if (left === 0) machines.delete(worker.place.machine);
  else machines.set(worker.place.machine, left);
}

/** A reduce could not read a map's output. Of an output that was replaced already, the news is old. */
export function mapOutputLost(state: MasterState, job: Job, report: MapOutputLost, effects: Effect[]): void {
  const { map, executionId, reason } = report.lost;
  const output = job.outputs[map];
  if (job.state !== "running" || output?.executionId !== executionId) return;
  countLoss(state, job, job.map, map, `map output ${taskId("map", map)}: ${reason}`, effects);
  if (job.state === "running") loseOutput(state, job, map);
}

/** Finds what has been silent for too long; looks at no more than it finds. */
export function findSilence(state: MasterState, effects: Effect[]): void {
  for (const [incarnation, worker] of state.workers) {
    if (state.nowMs - worker.lastSeenMs <= silenceMs) break;
    loseWorker(state, incarnation, effects);
  }
  const { published } = state;
  while (state.publishedHead < published.length) {
    const attempt = published[state.publishedHead];
    const waits = !attempt.ended && attempt.worker === null;
    if (waits && state.nowMs - attempt.publishedMs <= untakenMs) break;
    if (waits && state.slots === 0) break;
    state.publishedHead++;
    const job = state.jobs.get(attempt.jobId);
    if (waits && job !== undefined) loseAttempt(state, job, attempt, "nobody took its message", effects);
  }
  if (state.publishedHead > 1_000 && state.publishedHead * 2 > published.length) {
    published.splice(0, state.publishedHead);
    state.publishedHead = 0;
  }
}

function countLoss(
  state: MasterState,
  job: Job,
  tasks: Tasks,
  number: number,
  reason: string,
  effects: Effect[],
): void {
  if (++tasks.losses[number] < maxLosses) return;
  const failure: Failure = {
    code: "ATTEMPT_LOST",
    message: `${tasks.phase} task ${taskId(tasks.phase, number)}: lost ${maxLosses} times in a row, the last time since ${reason}`,
  };
  failJob(state, job, fromFailure(failure), taskId(tasks.phase, number), effects);
}

/** The map runs again; its counters stay counted. */
function loseOutput(state: MasterState, job: Job, map: number): void {
  const output = job.outputs[map];
  if (output !== undefined) state.workers.get(output.worker)?.outputs.get(job.id)?.delete(map);
  job.outputs[map] = undefined;
  if (job.map.states[map] !== taskStates.done) return;
  job.map.states[map] = taskStates.idle;
  job.map.done--;
  job.map.endedMs = undefined;
  job.changed = true;
  issueAgain(state, job, job.map, map);
}
