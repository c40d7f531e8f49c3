// Owns the life of an attempt: it is published, taken, run, and ends. Which task gets one, and when, is not decided here.

import type { Incarnation } from "../../shared/job/ids.ts";
import { standInLine } from "../schedule/dealing.ts";
import type { Effect } from "./events.ts";
import { taskStates, type Attempt, type Job, type MasterState, type Tasks } from "./state.ts";

/** The live attempt of this number, if there is one. */
export function liveAttempt(tasks: Tasks, number: number, attempt: number): Attempt | undefined {
  return tasks.live.get(number)?.find((each) => each.attempt === attempt);
}

/** Makes an attempt of a task and publishes it. */
export function publish(
  state: MasterState,
  job: Job,
  tasks: Tasks,
  number: number,
  how: { readonly to: Incarnation | null; readonly backup: boolean },
  effects: Effect[],
): void {
  const { phase } = tasks;
  const attempt = begin(state, job, tasks, number, { ...how, attempt: tasks.attempts[number] + 1 });
  if (how.to === null) state.published[phase].push(attempt);
  else {
    state.watched.push({ attempt, sinceMs: state.heardMs });
    deal(state, attempt, 1);
  }
  if (how.backup) job.attempts.backup++;
  effects.push({ kind: "PublishTask", jobId: job.id, phase, number, attempt: attempt.attempt, ...how });
}

/**
 * Makes an attempt live that a worker runs and this master does not know of: it was given up too early, or published by a
 * master before this one.
 */
export function adopt(state: MasterState, job: Job, tasks: Tasks, number: number, attempt: number): Attempt {
  return begin(state, job, tasks, number, { attempt, backup: false, to: null });
}

/** A worker has an attempt in its hands. */
export function takeAttempt(state: MasterState, attempt: Attempt, incarnation: Incarnation): void {
  if (attempt.worker === incarnation || attempt.ended) return;
  if (attempt.worker !== null) state.workers.get(attempt.worker)?.attempts.delete(attempt);
  else if (attempt.to === null) passOlder(state, attempt);
  attempt.worker = incarnation;
  attempt.takenMs = state.nowMs;
  attempt.misses = 0;
  state.workers.get(incarnation)?.attempts.add(attempt);
}

/** Takes note of what its worker says of an attempt: whether its user code runs, and how far it is, 0 to 1. */
export function noteProgress(
  state: MasterState,
  tasks: Tasks,
  attempt: Attempt,
  running: boolean,
  fraction: number,
): void {
  const ran = attempt.runningMs !== undefined;
  // A task is counted by the attempt that any of its backups stands beside.
  if (!attempt.backup) {
    tasks.running += Number(running) - Number(ran);
    tasks.parts += fraction - attempt.fraction;
  }
  if (running !== ran) attempt.runningMs = running ? state.nowMs : undefined;
  attempt.fraction = fraction;
}

/** Forgets a live attempt. Twice is fine. */
export function endAttempt(state: MasterState, tasks: Tasks, attempt: Attempt): void {
  if (attempt.ended) return;
  noteProgress(state, tasks, attempt, false, 0);
  attempt.ended = true;
  const others = tasks.live.get(attempt.number)?.filter((each) => each !== attempt) ?? [];
  if (others.length === 0) tasks.live.delete(attempt.number);
  else tasks.live.set(attempt.number, others);
  state.live[tasks.phase]--;
  if (attempt.worker !== null) state.workers.get(attempt.worker)?.attempts.delete(attempt);
  if (attempt.to !== null) deal(state, attempt, -1);
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

function begin(
  state: MasterState,
  job: Job,
  tasks: Tasks,
  number: number,
  how: Pick<Attempt, "attempt" | "to" | "backup">,
): Attempt {
  const attempt: Attempt = {
    jobId: job.id,
    phase: tasks.phase,
    number,
    ...how,
    serial: ++state.serial,
    publishedMs: state.heardMs,
    worker: null,
    takenMs: state.nowMs,
    runningMs: undefined,
    fraction: 0,
    misses: 0,
    ended: false,
  };
  tasks.attempts[number] = Math.max(tasks.attempts[number], attempt.attempt);
  tasks.states[number] = taskStates.issued;
  tasks.startedMs ??= state.nowMs;
  tasks.live.set(number, [...(tasks.live.get(number) ?? []), attempt]);
  state.live[tasks.phase]++;
  return attempt;
}

/** A queue gives its messages out in order: those that are older than this one should be in some worker's hands too. */
function passOlder(state: MasterState, { phase, serial }: Attempt): void {
  state.room[phase].sinceMs = state.heardMs;
  const queue = state.published[phase];
  for (let head = queue.peek(); head !== undefined && head.serial <= serial; head = queue.peek()) {
    queue.shift();
    if (!head.ended && head.worker === null && head.serial < serial)
      state.watched.push({ attempt: head, sinceMs: state.heardMs });
  }
}

function deal(state: MasterState, { to, phase }: Attempt, by: number): void {
  const worker = to === null ? undefined : state.workers.get(to);
  if (worker === undefined) return;
  worker.dealt[phase] += by;
  standInLine(state, worker);
}
