// Owns which tasks are given out when: a bounded window of attempts ahead of free slots, jobs taking turns, and the end of
// an attempt, however it comes. To whom a task goes is the policy's business (../schedule).

import type { Phase } from "../../shared/job/ids.ts";
import { policies } from "../schedule/policies.ts";
import type { Effect } from "./events.ts";
import { taskStates, type Attempt, type Job, type MasterState, type Tasks } from "./state.ts";

/**
 * Live map attempts for each slot: one that runs and one that waits beside it, so that a slot that falls free finds its next
 * task in the queue. More would hold tasks back from jobs that come later.
 */
const mapsPerSlot = 2;
/** A reduce that fetches holds no slot, but its worker gathers no more than `slots` of them. */
const reducesPerSlot = 1;

export function tasksOf(job: Job, phase: Phase): Tasks {
  return phase === "map" ? job.map : job.reduce;
}

/** Issues tasks for as long as there is room; each costs the same, however many tasks and workers there are. */
export function issueTasks(state: MasterState, effects: Effect[]): void {
  let idle = 0;
  while (state.turns.length > 0 && idle < state.turns.length) {
    const job = state.turns[0];
    const issued = job.state === "running" && issueNext(state, job, effects);
    state.turns.shift();
    if (job.state !== "running" || !hasWaiting(job)) {
      idle = 0;
      continue;
    }
    state.turns.push(job);
    idle = issued ? 0 : idle + 1;
  }
}

/** Gives the job its turns from now on. */
export function giveTurns(state: MasterState, job: Job): void {
  if (!state.turns.includes(job)) state.turns.push(job);
}

/** A task needs an attempt: again, since it had one. */
export function issueAgain(state: MasterState, job: Job, tasks: Tasks, number: number): void {
  if (tasks.states[number] === taskStates.done) return;
  if ((tasks.live.get(number)?.length ?? 0) > 0) return;
  tasks.states[number] = taskStates.idle;
  tasks.again.push(number);
  giveTurns(state, job);
}

/** Makes an attempt of a task and publishes it. */
export function publish(
  state: MasterState,
  job: Job,
  tasks: Tasks,
  number: number,
  to: string | null,
  backup: boolean,
  effects: Effect[],
): void {
  const attempt: Attempt = {
    jobId: job.id,
    phase: tasks.phase,
    number,
    attempt: ++tasks.attempts[number],
    backup,
    to,
    publishedMs: state.nowMs,
    worker: null,
    takenMs: state.nowMs,
    running: false,
    fraction: 0,
    misses: 0,
    ended: false,
  };
  const live = tasks.live.get(number);
  if (live === undefined) tasks.live.set(number, [attempt]);
  else live.push(attempt);
  tasks.liveCount++;
  tasks.states[number] = taskStates.issued;
  tasks.startedMs ??= state.nowMs;
  state.live[tasks.phase]++;
  state.published.push(attempt);
  if (to !== null) dealtTo(state, to, 1);
  if (backup) job.attempts.backup++;
  job.changed = true;
  const { phase } = tasks;
  effects.push({ kind: "PublishTask", jobId: job.id, phase, number, attempt: attempt.attempt, backup, to });
}

/** Forgets a live attempt. Twice is fine. */
export function endAttempt(state: MasterState, tasks: Tasks, attempt: Attempt): void {
  if (attempt.ended) return;
  attempt.ended = true;
  const live = tasks.live.get(attempt.number);
  const at = live?.indexOf(attempt) ?? -1;
  if (live !== undefined && at >= 0) live.splice(at, 1);
  if (live?.length === 0) tasks.live.delete(attempt.number);
  tasks.liveCount--;
  state.live[tasks.phase]--;
  if (attempt.worker !== null) state.workers.get(attempt.worker)?.attempts.delete(attempt);
  if (attempt.to !== null) dealtTo(state, attempt.to, -1);
}

/** Ends a live attempt that is not wanted any more, and tells its worker. */
export function cancelAttempt(
  state: MasterState,
  job: Job,
  tasks: Tasks,
  attempt: Attempt,
  effects: Effect[],
): void {
  const worker = attempt.worker ?? attempt.to;
  endAttempt(state, tasks, attempt);
  job.attempts.cancelled++;
  if (worker === null) return;
  const { jobId, phase, number } = attempt;
  effects.push({ kind: "CancelAttempt", jobId, phase, number, attempt: attempt.attempt, worker });
}

function issueNext(state: MasterState, job: Job, effects: Effect[]): boolean {
  // Reduces first: they only gather while maps run, and are few.
  return (
    (mayReduce(state, job) && issueOf(state, job, job.reduce, state.slots * reducesPerSlot, effects)) ||
    issueOf(state, job, job.map, state.slots * mapsPerSlot, effects)
  );
}

/** On one machine all maps go before all reduces; on several, reduces gather while maps run. */
function mayReduce(state: MasterState, job: Job): boolean {
  return job.map.done === job.map.count || (state.machines.size > 1 && job.map.done > 0);
}

function issueOf(state: MasterState, job: Job, tasks: Tasks, room: number, effects: Effect[]): boolean {
  if (state.live[tasks.phase] >= room) return false;
  const number = peekWaiting(tasks);
  if (number === undefined) return false;
  const scheduling = job.settings?.scheduling ?? "pull";
  const to = policies[scheduling](state, tasks.phase);
  if (to === undefined) return false;
  takeWaiting(tasks);
  publish(state, job, tasks, number, to, false, effects);
  return true;
}

function hasWaiting(job: Job): boolean {
  return peekWaiting(job.map) !== undefined || peekWaiting(job.reduce) !== undefined;
}

function peekWaiting(tasks: Tasks): number | undefined {
  // A task whose lost attempt reported after all is done by now.
  while (tasks.again.length > 0 && tasks.states[tasks.again[tasks.again.length - 1]] !== taskStates.idle)
    tasks.again.pop();
  if (tasks.again.length > 0) return tasks.again[tasks.again.length - 1];
  while (tasks.next < tasks.count && tasks.states[tasks.next] !== taskStates.idle) tasks.next++;
  return tasks.next < tasks.count ? tasks.next : undefined;
}

function takeWaiting(tasks: Tasks): void {
  if (tasks.again.length > 0) tasks.again.pop();
  else tasks.next++;
}

function dealtTo(state: MasterState, incarnation: string, by: number): void {
  const worker = state.workers.get(incarnation);
  if (worker !== undefined) worker.dealt += by;
}
