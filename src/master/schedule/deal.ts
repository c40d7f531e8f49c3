// Owns the policy "deal": tasks are dealt like cards, one to each worker in turn. Dealing binds a task to its worker, and a
// worker that has its hands full is passed over.

import type { Incarnation } from "../../shared/job/ids.ts";
import type { MasterState, WorkerState } from "../decide/state.ts";
import type { Policy } from "./policy.ts";

/** Tasks dealt ahead for each slot: the one it runs, and the next. */
const cardsPerSlot = 2;

export const deal: Policy = (state) => dealTo(state, () => true);

/** The next worker in turn that has room and is suitable; looks at each at most once. */
export function dealTo(state: MasterState, suits: (worker: WorkerState) => boolean): Incarnation | undefined {
  const { dealing } = state;
  for (let passed = 0; passed < dealing.order.length; passed++) {
    const incarnation = dealing.order[dealing.at % dealing.order.length];
    dealing.at = (dealing.at + 1) % dealing.order.length;
    const worker = state.workers.get(incarnation);
    if (worker?.takes === true && worker.dealt < worker.slots * cardsPerSlot && suits(worker))
      return incarnation;
  }
  return undefined;
}
