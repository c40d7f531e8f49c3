// Owns what the master knows of each worker: its place, its slots, whether it has room, whether it was lost.

import { parseTaskId, type Incarnation, type Phase } from "../../shared/job/ids.ts";
import type { WorkerHeartbeat } from "../../shared/messages/messages.ts";
import { standInLine } from "../schedule/dealing.ts";
import type { MasterState, WorkerState } from "./state.ts";

/** Lost workers that are remembered, so that their late reports are known for what they are. */
const maxLostKept = 10_000;

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
    lastSeenMs: state.heardMs,
    room: { map: false, reduce: false },
    doomed: false,
    attempts: new Set(),
    dealt: { map: 0, reduce: 0 },
    inTurn: { map: false, reduce: false },
    outputs: new Map(),
  };
  state.workers.set(incarnation, worker);
  return worker;
}

/** A worker that was lost speaks again. It starts anew: what it had was given to others meanwhile. */
export function returnWorker(state: MasterState, incarnation: Incarnation): void {
  state.lost.delete(incarnation);
}

/** Takes a worker out of the counts of slots, machines and room. */
export function forgetWorker(state: MasterState, worker: WorkerState): void {
  const { machines } = state;
  state.workers.delete(worker.incarnation);
  if (worker.takes) state.slots -= worker.slots;
  for (const phase of ["map", "reduce"] as const) noteRoom(state, worker, phase, false);
  if (worker.place === undefined) return;
  const left = (machines.get(worker.place.machine) ?? 1) - 1;
  if (left === 0) machines.delete(worker.place.machine);
  else machines.set(worker.place.machine, left);
}

/** @param sequence the latest heartbeat of it that was seen: a later one says that it lives */
export function rememberLost(state: MasterState, incarnation: Incarnation, sequence: number): void {
  state.lost.set(incarnation, Math.max(sequence, state.lost.get(incarnation) ?? 0));
  const [oldest] = state.lost.keys();
  if (state.lost.size > maxLostKept && oldest !== undefined) state.lost.delete(oldest);
}

/** Takes over what a heartbeat says of the worker itself. */
export function placeWorker(state: MasterState, worker: WorkerState, heartbeat: WorkerHeartbeat): void {
  const { machine, address, scratchDirectory } = heartbeat;
  if (worker.place === undefined) state.machines.set(machine, (state.machines.get(machine) ?? 0) + 1);
  // Its machine can't change while it lives.
  worker.place = { machine: worker.place?.machine ?? machine, address, scratchDirectory };
  if (worker.takes) state.slots -= worker.slots;
  worker.slots = heartbeat.slots;
  worker.freeSlots = heartbeat.freeSlots;
  worker.takes = !heartbeat.draining && heartbeat.unfit === null;
  if (worker.takes) state.slots += worker.slots;
  const reduces = heartbeat.executions.filter(({ taskId }) => parseTaskId(taskId)?.phase === "reduce").length;
  noteRoom(state, worker, "map", worker.takes && worker.freeSlots > 0);
  noteRoom(state, worker, "reduce", worker.takes && reduces < worker.slots);
  standInLine(state, worker);
}

function noteRoom(state: MasterState, worker: WorkerState, phase: Phase, room: boolean): void {
  if (worker.room[phase] === room) return;
  worker.room[phase] = room;
  const all = state.room[phase];
  if (room && all.workers === 0) all.sinceMs = state.heardMs;
  all.workers += room ? 1 : -1;
}
