// Owns whose turn it is where tasks are bound to workers. A worker waits in the line of a phase for as long as it has room
// there, once; each look at the line costs the same, however many workers there are.

import type { Incarnation, Phase } from "../../shared/job/ids.ts";
import type { MasterState, WorkerState } from "../decide/state.ts";

/** Tasks dealt ahead for each slot: of maps the one it runs and the next; of reduces as many as a worker gathers. */
const cardsPerSlot = { map: 2, reduce: 1 } as const;
/** Workers looked at for one task that does not suit everyone: neighbours in line may share a machine. */
const maxLooked = 16;

/** Puts a worker in line where it has room. To be called when that may have changed. */
export function standInLine(state: MasterState, worker: WorkerState): void {
  for (const phase of ["map", "reduce"] as const) {
    if (worker.inTurn[phase] || !hasRoom(worker, phase)) continue;
    worker.inTurn[phase] = true;
    state.dealing[phase].push(worker.incarnation);
  }
}

/** The next worker in turn that suits, taken from the line, or undefined where there is none. */
export function nextInTurn(
  state: MasterState,
  phase: Phase,
  suits: (worker: WorkerState) => boolean = () => true,
): Incarnation | undefined {
  const line = state.dealing[phase];
  for (let looked = Math.min(maxLooked, line.length); looked > 0 && line.length > 0;) {
    const incarnation = line.shift();
    const worker = incarnation === undefined ? undefined : state.workers.get(incarnation);
    if (incarnation === undefined || worker?.inTurn[phase] !== true) continue;
    worker.inTurn[phase] = false;
    if (!hasRoom(worker, phase)) continue;
    if (suits(worker)) return incarnation;
    worker.inTurn[phase] = true;
    line.push(incarnation);
    looked--;
  }
  return undefined;
}

function hasRoom({ takes, slots, dealt }: WorkerState, phase: Phase): boolean {
  return takes && dealt[phase] < slots * cardsPerSlot[phase];
}
