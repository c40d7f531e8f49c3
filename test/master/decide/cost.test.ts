// Holds the cost of the core: messages from the master grow as M + R, counted on two sizes under every policy.

import { describe, expect, test } from "vitest";
import { Fleet, type FleetCosts } from "../../../bench/core-fleet.ts";

const policies = ["pull", "deal", "pairwise"] as const;
const small = { maps: 300, reduces: 20, workers: 10 };
const large = { maps: 3_000, reduces: 200, workers: 100 };
/** Asked for once a job, whatever its size: plan, accept, commit, finish, release. */
const onceAJob = 5;
/** What ticks ask for grows with time, not with tasks. */
const byTicks = new Set(["AnnounceProgress", "AnnounceMapOutputs"]);

describe.each(policies)("the core's orders in a fleet without faults, scheduling %s", (policy) => {
  const costs = [small, large].map((size) => ({ size, costs: new Fleet(size, policy).run() }));

  test("are one for each map and each reduce, and a fixed number beside them", () => {
    for (const { size, costs: found } of costs) {
      expect(found.effects["PublishTask"]).toBe(size.maps + size.reduces);
      expect(ordersOf(found)).toBe(size.maps + size.reduces + onceAJob);
    }
  });

  test("announce each map output once, in no more than one message a second, and never a worker without an output", () => {
    for (const { size, costs: found } of costs) {
      expect(found.announcedOutputs).toBe(size.maps);
      expect(found.announcedPlaces).toBeLessThanOrEqual(size.maps);
      // The first and the last announcement of a job wait for no tick.
      expect(found.effects["AnnounceMapOutputs"]).toBeLessThanOrEqual(found.elapsedMs / 1_000 + 2);
    }
  });

  test("tell progress no more often when the job is ten times as large", () => {
    const [few, many] = costs.map(({ costs: found }) => found.effects["AnnounceProgress"] / found.elapsedMs);
    expect(many).toBeLessThan(few * 1.1);
  });
});

function ordersOf({ effects }: FleetCosts): number {
  return Object.entries(effects)
    .filter(([kind]) => !byTicks.has(kind))
    .reduce((sum, [, count]) => sum + count, 0);
}
