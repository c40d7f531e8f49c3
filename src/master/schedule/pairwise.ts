// Owns the policy "pairwise": a map and a reduce are given out together, to two different machines. Where there is only one
// machine, it gets both.

import { dealTo } from "./deal.ts";
import type { Policy } from "./policy.ts";

export const pairwise: Policy = (state, phase) => {
  const { dealing } = state;
  if (phase === "map") {
    const to = dealTo(state, () => true);
    dealing.lastMapMachine = to === undefined ? undefined : state.workers.get(to)?.place?.machine;
    return to;
  }
  const mapMachine = dealing.lastMapMachine;
  return dealTo(state, ({ place }) => state.machines.size < 2 || place?.machine !== mapMachine);
};
