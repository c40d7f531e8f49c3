// Owns the policy "deal": tasks are dealt like cards, one to each worker in turn. Dealing binds a task to its worker, and a
// worker that has its hands full is passed over.

import { nextInTurn } from "./dealing.ts";
import type { Policy } from "./policy.ts";

export const deal: Policy = (state, _job, phase) => nextInTurn(state, phase);
