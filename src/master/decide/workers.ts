// Owns what the master knows of workers: heartbeats are the whole truth about one, and the master reconciles. What a worker
// should run and does not, by two heartbeats, is lost; what it runs and should not is cancelled.

import { parseTaskId, type Incarnation } from "../../shared/job/ids.ts";
import type { RunningExecution, WorkerHeartbeat } from "../../shared/messages/messages.ts";
import type { Effect } from "./events.ts";
import { tasksOf } from "./issue.ts";
import { loseAttempt } from "./loss.ts";
import { taskStates, type Attempt, type MasterState, type WorkerState } from "./state.ts";

/** Heartbeats that may miss an attempt: one can have been sent before the message arrived. */
const maxMisses = 2;

/** The worker of this incarnation; one that only its reports made known has no place yet. */
export function workerOf(state: MasterState, incarnation: Incarnation): WorkerState {
  const known = state.workers.get(incarnation);
  if (known !== undefined) return known;
  const worker: WorkerState = {
    incarnation,
    place: undefined,
    sequence: 0,
    slots: 0,
    freeSlots: 0,
    takes: false,
    lastSeenMs: state.nowMs,
    attempts: new Set(),
    dealt: 0,
    outputs: new Map(),
  };
  state.workers.set(incarnation, worker);
  return worker;
}

/** A worker has an attempt in its hands. */
export function takeAttempt(state: MasterState, attempt: Attempt, incarnation: Incarnation): void {
  if (attempt.worker === incarnation || attempt.ended) return;
  if (attempt.worker !== null) state.workers.get(attempt.worker)?.attempts.delete(attempt);
  attempt.worker = incarnation;
  attempt.takenMs = state.nowMs;
  attempt.misses = 0;
  workerOf(state, incarnation).attempts.add(attempt);
}

/** Takes a heartbeat; its cost is that of the worker's own executions. */
export function takeHeartbeat(state: MasterState, heartbeat: WorkerHeartbeat, effects: Effect[]): void {
  const incarnation = heartbeat.worker;
  if (heartbeat.sequence <= (state.workers.get(incarnation)?.sequence ?? 0)) return;
  // One that was taken for lost and speaks again starts anew: its attempts and outputs were made elsewhere meanwhile.
  state.lost.delete(incarnation);
  const worker = workerOf(state, incarnation);
  placeWorker(state, worker, heartbeat);
  worker.sequence = heartbeat.sequence;
  worker.freeSlots = heartbeat.freeSlots;
  worker.lastSeenMs = state.nowMs;
  // Moves it to the end of the order of silence.
  state.workers.delete(incarnation);
  state.workers.set(incarnation, worker);
  const listed = new Set<Attempt>();
  for (const execution of heartbeat.executions) {
    const attempt = attemptOf(state, execution);
    if (attempt === undefined) cancelUnwanted(state, incarnation, execution, effects);
    else {
      takeAttempt(state, attempt, incarnation);
      attempt.misses = 0;
      attempt.fraction = execution.fraction;
      attempt.running = execution.state === "running";
      listed.add(attempt);
    }
  }
  for (const attempt of [...worker.attempts]) {
    if (listed.has(attempt) || ++attempt.misses < maxMisses) continue;
    const job = state.jobs.get(attempt.jobId);
    if (job !== undefined) loseAttempt(state, job, attempt, `worker ${incarnation} does not run it`, effects);
  }
}

function placeWorker(state: MasterState, worker: WorkerState, heartbeat: WorkerHeartbeat): void {
  const { machine, address, scratchDirectory } = heartbeat;
  if (worker.place === undefined) {
    state.machines.set(machine, (state.machines.get(machine) ?? 0) + 1);
    state.dealing.order.push(worker.incarnation);
  }
  worker.place = { machine: worker.place?.machine ?? machine, address, scratchDirectory };
  if (worker.takes) state.slots -= worker.slots;
  worker.slots = heartbeat.slots;
  worker.takes = !heartbeat.draining && heartbeat.unfit === null;
  if (worker.takes) state.slots += worker.slots;
}

function attemptOf(state: MasterState, { jobId, taskId, attempt }: RunningExecution): Attempt | undefined {
  const job = state.jobs.get(jobId);
  const task = parseTaskId(taskId);
  if (job === undefined || task === undefined) return undefined;
  return tasksOf(job, task.phase)
    .live.get(task.number)
    ?.find((each) => each.attempt === attempt);
}

/** An attempt that was given up goes on where its task still needs one: it may yet win. */
function cancelUnwanted(
  state: MasterState,
  worker: Incarnation,
  { jobId, taskId, attempt }: RunningExecution,
  effects: Effect[],
): void {
  const task = parseTaskId(taskId);
  if (task === undefined) return;
  const job = state.jobs.get(jobId);
  const wanted = job?.state === "running" && tasksOf(job, task.phase).states[task.number] !== taskStates.done;
  if (!wanted) effects.push({ kind: "CancelAttempt", jobId, ...task, attempt, worker });
}
