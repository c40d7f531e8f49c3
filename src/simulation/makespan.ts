// Owns how long a job of a given size takes under each scheduling policy, by simulation without faults.

import type { JobSettings } from "../master/decide/events.ts";
import { policies } from "../master/schedule/policies.ts";
import type { Scenario } from "./scenario.ts";
import { simulate } from "./simulate.ts";

export interface FleetSize {
  readonly maps: number;
  readonly reduces: number;
  /** Each on a machine of its own. */
  readonly workers: number;
  readonly slots: number;
}

export interface Makespan {
  readonly scheduling: JobSettings["scheduling"];
  /** Virtual milliseconds from the job's submission to its end. */
  readonly elapsedMs: number;
  /** The share of the fleet's slots, over that time, that ran executions which counted. */
  readonly use: number;
  readonly backups: number;
  readonly decisions: number;
}

/** Shortest and longest durations: a map reads some 64 MB, as the paper's do; a reduce's work is the whole map output's share. */
const mapMs = [20_000, 60_000] as const;
const reduceMs = [30_000, 90_000] as const;

/** Simulates a job of this size under a policy. @throws Error where the job does not come to a good end */
export function simulateMakespan(
  scheduling: JobSettings["scheduling"],
  size: FleetSize,
  seed: number,
): Makespan {
  const scenario: Scenario = {
    ...size,
    scheduling,
    jobs: 1,
    machines: size.workers,
    backupTasks: true,
    maxAttempts: 4,
    mapMs,
    reduceMs,
    // A machine that is slow, as some always are: what backup attempts are for.
    slowest: size.workers > 1 ? 5 : 1,
    holdLimitMs: 600_000,
    cancelMs: null,
    faults: null,
  };
  const { maps, reduces, workers, slots } = size;
  const workMs = maps * mean(mapMs) + reduces * mean(reduceMs);
  // Even one slot, the slow one, would be done by then.
  const outcome = simulate(seed, { scenario, patienceMs: 10 * workMs + 3_600_000 });
  const [result] = outcome.results;
  if (outcome.problems.length > 0 || result === undefined) {
    throw new Error(`simulate ${scheduling} with seed ${seed}: ${outcome.problems.join("; ")}`);
  }
  return {
    scheduling,
    elapsedMs: outcome.elapsedMs,
    use: workMs / (outcome.elapsedMs * workers * slots),
    backups: result.attempts.backup,
    decisions: outcome.decisions,
  };
}

/** The policies there are, in the order in which they are listed. */
export const policyNames = Object.keys(policies) as readonly JobSettings["scheduling"][];

function mean([shortest, longest]: readonly [number, number]): number {
  return (shortest + longest) / 2;
}
