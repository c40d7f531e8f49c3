// Owns the policy "pairwise": a map and a reduce are given out together, to two different machines. Reduces that are left
// when all maps are out, and those of a fleet that is one machine, have no pair and are dealt as they come.

import { hasWaiting } from "../decide/waiting.ts";
import { nextInTurn } from "./dealing.ts";
import type { Policy } from "./policy.ts";

export const pairwise: Policy = (state, job, phase) => {
  if (phase === "map") {
    const to = nextInTurn(state, phase);
    if (to !== undefined) job.unpaired = state.workers.get(to)?.place?.machine;
    return to;
  }
  if (state.machines.size < 2 || !hasWaiting(job.map)) return nextInTurn(state, phase);
  const beside = job.unpaired;
  if (beside === undefined) return undefined;
  const to = nextInTurn(state, phase, ({ place }) => place?.machine !== beside);
  if (to !== undefined) job.unpaired = undefined;
  return to;
};
