// Owns what a heartbeat leads to: it is the whole truth about its worker, and the master reconciles. What a worker should
// run and does not, by two heartbeats, is lost; what it runs and the master does not know of is adopted where its task
// needs it, else cancelled.

import { parseTaskId } from "../../shared/job/ids.ts";
import type { RunningExecution, WorkerHeartbeat } from "../../shared/messages/messages.ts";
import { adopt, liveAttempt, noteProgress, takeAttempt } from "./attempts.ts";
import type { Effect } from "./events.ts";
import { loseAttempt } from "./loss.ts";
import { taskStates, type Attempt, type MasterState, type WorkerState } from "./state.ts";
import { tasksOf } from "./waiting.ts";
import { placeWorker, workerOf } from "./workers.ts";

/** Heartbeats that may miss an attempt: one can have been sent before the message arrived. */
const maxMisses = 2;
/** What the clock of `heardMs` goes on between two heartbeats at most: the interval of a lone worker's. */
const maxHeardStepMs = 3_000;

/** Takes a heartbeat; its cost is that of the worker's own executions. */
export function takeHeartbeat(state: MasterState, heartbeat: WorkerHeartbeat, effects: Effect[]): void {
  const incarnation = heartbeat.worker;
  const seen = state.lost.get(incarnation) ?? state.workers.get(incarnation)?.sequence ?? 0;
  if (heartbeat.sequence <= seen) return;
  state.heardMs += Math.min(maxHeardStepMs, state.nowMs - state.lastHeartbeatMs);
  state.lastHeartbeatMs = state.nowMs;
  if (state.lost.has(incarnation)) {
    effects.push({ kind: "Propose", event: { kind: "WorkerReturned", worker: incarnation } });
    return;
  }
  const worker = workerOf(state, incarnation);
  worker.sequence = heartbeat.sequence;
  worker.lastSeenMs = state.heardMs;
  // Moves it to the end of the order of silence.
  state.workers.delete(incarnation);
  state.workers.set(incarnation, worker);
  placeWorker(state, worker, heartbeat);
  reconcile(state, worker, heartbeat.executions, effects);
}

function reconcile(
  state: MasterState,
  worker: WorkerState,
  executions: readonly RunningExecution[],
  effects: Effect[],
): void {
  const { incarnation } = worker;
  const listed = new Set<Attempt>();
  for (const execution of executions) {
    const attempt = attemptOf(state, worker, execution, effects);
    if (attempt === undefined) continue;
    takeAttempt(state, attempt, incarnation);
    attempt.misses = 0;
    listed.add(attempt);
  }
  for (const attempt of [...worker.attempts]) {
    if (listed.has(attempt) || ++attempt.misses < maxMisses) continue;
    const job = state.jobs.get(attempt.jobId);
    if (job !== undefined) loseAttempt(state, job, attempt, `worker ${incarnation} does not run it`, effects);
  }
}

/** The attempt that an execution is of, adopted where it is unknown and needed; cancelled where it is neither. */
function attemptOf(
  state: MasterState,
  { incarnation }: WorkerState,
  execution: RunningExecution,
  effects: Effect[],
): Attempt | undefined {
  const task = parseTaskId(execution.taskId);
  if (task === undefined) return undefined;
  const { phase, number } = task;
  const { jobId, attempt } = execution;
  const job = state.jobs.get(jobId);
  const tasks = job === undefined ? undefined : tasksOf(job, phase);
  const known = tasks === undefined ? undefined : liveAttempt(tasks, number, attempt);
  const needed =
    job?.state === "running" &&
    tasks !== undefined &&
    number < tasks.count &&
    tasks.states[number] !== taskStates.done;
  if (known === undefined && (!needed || job === undefined || tasks === undefined)) {
    effects.push({ kind: "CancelAttempt", jobId, phase, number, attempt, worker: incarnation });
    return undefined;
  }
  if (tasks === undefined || job === undefined) return known;
  // One that failed here runs once more: its message was delivered twice. It may yet win, but nobody waits for it.
  if (known === undefined && tasks.failed.get(number)?.includes(attempt)) return undefined;
  const live = known ?? adopt(state, job, tasks, number, attempt);
  noteProgress(state, tasks, live, execution.state === "running", execution.fraction);
  return live;
}
