// Owns the line in which a phase's tasks wait for an attempt, first those that had one, then the others by number; and
// the line in which jobs with such tasks wait for their turn.

import type { Phase } from "../../shared/job/ids.ts";
import { taskStates, type Job, type MasterState, type Tasks } from "./state.ts";

/** A job's tasks of a phase. */
export function tasksOf(job: Job, phase: Phase): Tasks {
  return phase === "map" ? job.map : job.reduce;
}

/** Whether some task of the phase waits. */
export function hasWaiting(tasks: Tasks): boolean {
  return peekWaiting(tasks) !== undefined;
}

/** The task that is next, or undefined where none waits. */
export function peekWaiting(tasks: Tasks): number | undefined {
  const { again, states, count } = tasks;
  // One that is not idle any more has been taken up meanwhile: a lost attempt of it goes on, or has reported after all.
  while (again.length > 0 && states[again[again.length - 1]] !== taskStates.idle) again.pop();
  if (again.length > 0) return again[again.length - 1];
  while (tasks.next < count && states[tasks.next] !== taskStates.idle) tasks.next++;
  return tasks.next < count ? tasks.next : undefined;
}

/** Gives the job its turns from now on. */
export function giveTurns(state: MasterState, job: Job): void {
  if (!state.turns.includes(job)) state.turns.push(job);
}

/** A task needs an attempt: again, since it had one. */
export function issueAgain(state: MasterState, job: Job, tasks: Tasks, number: number): void {
  if (tasks.states[number] === taskStates.done || tasks.live.has(number)) return;
  tasks.states[number] = taskStates.idle;
  tasks.again.push(number);
  giveTurns(state, job);
}
