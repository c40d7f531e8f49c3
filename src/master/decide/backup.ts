// Owns backup attempts (Dean and Ghemawat, OSDI 2004, section 3.6): near the end of a phase, a task whose attempt is slow by
// its own rate of progress gets a second attempt on another machine. The first accepted wins. Where nothing is slow, none is
// made.

import type { Effect } from "./events.ts";
import { publish } from "./attempts.ts";
import { silenceMs } from "./loss.ts";
import type { Attempt, Job, MasterState, WorkerState } from "./state.ts";
import { hasWaiting } from "./waiting.ts";

/** An attempt is slow when it would end later than this many times the mean duration of its phase, counted from now. */
const slowness = 1.5;
/** Attempts younger than this are not judged: their rate says nothing yet. */
const minimumAgeMs = 2_000;
/** Finished attempts of the phase before a mean means anything. */
const minimumDone = 3;

/** Makes the backup attempts that are due; the cost is that of the live attempts, which slots bound. */
export function issueBackups(state: MasterState, job: Job, effects: Effect[]): void {
  if (job.givingUp !== undefined || job.settings?.backupTasks !== true || state.machines.size < 2) return;
  for (const tasks of [job.map, job.reduce]) {
    if (hasWaiting(tasks) || tasks.durations < minimumDone) continue;
    const meanMs = tasks.durationsMs / tasks.durations;
    for (const [number, attempts] of [...tasks.live]) {
      if (attempts.length !== 1 || !isSlow(state, attempts[0], meanMs)) continue;
      const to = elsewhere(state, attempts[0]);
      if (to === undefined) return;
      to.freeSlots--;
      publish(state, job, tasks, number, { to: to.incarnation, backup: true }, effects);
    }
  }
}

function isSlow(state: MasterState, attempt: Attempt, meanMs: number): boolean {
  if (attempt.runningMs === undefined) return false;
  const ageMs = state.nowMs - attempt.runningMs;
  if (ageMs < Math.max(minimumAgeMs, meanMs * slowness)) return false;
  const leftMs = (ageMs * (1 - attempt.fraction)) / Math.max(attempt.fraction, 0.001);
  return leftMs > meanMs * slowness;
}

function elsewhere(state: MasterState, attempt: Attempt): WorkerState | undefined {
  const machine = attempt.worker === null ? undefined : state.workers.get(attempt.worker)?.place?.machine;
  for (const worker of state.workers.values()) {
    const fit = worker.takes && worker.freeSlots > 0 && state.heardMs - worker.lastSeenMs < silenceMs / 2;
    if (fit && worker.place !== undefined && worker.place.machine !== machine) return worker;
  }
  return undefined;
}
