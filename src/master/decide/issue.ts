// Owns which tasks are given out when: a bounded window of attempts ahead of free slots, jobs taking turns. To whom a task
// goes is the policy's business (../schedule).

import { policies } from "../schedule/policies.ts";
import { publish } from "./attempts.ts";
import type { Effect } from "./events.ts";
import { remakeMissing } from "./loss.ts";
import type { Job, MasterState, Tasks } from "./state.ts";
import { hasWaiting, peekWaiting } from "./waiting.ts";

/**
 * Live map attempts for each slot: one that runs and one that waits beside it, so that a slot that falls free finds its next
 * task in the queue. More would hold tasks back from jobs that come later.
 */
const mapsPerSlot = 2;
/** A reduce that fetches holds no slot, but its worker gathers no more than `slots` of them. */
const reducesPerSlot = 1;
/** The share of that for reduces that wait for maps: the rest is for jobs whose maps are done. */
const earlyShare = 0.5;

/** Issues tasks for as long as there is room; each costs the same, however many tasks and workers there are. */
export function issueTasks(state: MasterState, effects: Effect[]): void {
  for (let idle = 0; idle < state.turns.length;) {
    const job = state.turns[0];
    const issued = mayIssue(job) && issueNext(state, job, effects);
    state.turns.shift();
    if (!mayIssue(job) || !(hasWaiting(job.map) || hasWaiting(job.reduce) || job.missing.size > 0)) {
      idle = 0;
      continue;
    }
    state.turns.push(job);
    idle = issued ? 0 : idle + 1;
  }
}

function mayIssue(job: Job): boolean {
  return job.state === "running" && job.givingUp === undefined;
}

function issueNext(state: MasterState, job: Job, effects: Effect[]): boolean {
  remakeMissing(state, job);
  // Reduces first: they only gather while maps run, and are few.
  return (
    issueOf(state, job, job.reduce, reduceRoom(state, job), effects) ||
    issueOf(state, job, job.map, state.slots * mapsPerSlot, effects)
  );
}

/** On one machine all maps go before all reduces; on several, some reduces gather while maps run. */
function reduceRoom(state: MasterState, job: Job): number {
  const room = state.slots * reducesPerSlot;
  if (job.map.done === job.map.count) return room;
  if (state.machines.size < 2) return 0;
  const mapsBegun = job.settings?.scheduling === "pairwise" ? job.map.next > 0 : job.map.done > 0;
  return mapsBegun ? Math.ceil(room * earlyShare) : 0;
}

function issueOf(state: MasterState, job: Job, tasks: Tasks, room: number, effects: Effect[]): boolean {
  if (state.live[tasks.phase] >= room) return false;
  const number = peekWaiting(tasks);
  if (number === undefined) return false;
  const to = policies[job.settings?.scheduling ?? "pull"](state, job, tasks.phase);
  if (to === undefined) return false;
  publish(state, job, tasks, number, { to, backup: false }, effects);
  return true;
}
