// Owns what a simulation is of: sizes, durations and faults, and how they are drawn from a seed.

import type { JobSettings } from "../master/decide/events.ts";
import type { Random } from "./random.ts";

/** What goes wrong, until it stops: then everything must come to its end. Chances are per message or per execution. */
export interface Faults {
  /** Milliseconds of virtual time from which nothing goes wrong any more. */
  readonly untilMs: number;
  readonly loss: number;
  readonly duplication: number;
  readonly delay: number;
  readonly longestDelayMs: number;
  readonly userFailure: number;
  /** How often each happens during the whole time of faults. */
  readonly deaths: number;
  readonly pauses: number;
  readonly masterRestarts: number;
  /** Of a worker that dies, that it starts again. */
  readonly rebirth: number;
  readonly commitFailure: number;
}

/** Everything that a simulation is of. */
export interface Scenario {
  readonly jobs: number;
  readonly maps: number;
  readonly reduces: number;
  readonly workers: number;
  readonly machines: number;
  readonly slots: number;
  readonly scheduling: JobSettings["scheduling"];
  readonly backupTasks: boolean;
  readonly maxAttempts: number;
  /** Shortest and longest duration of an execution, in milliseconds. */
  readonly mapMs: readonly [number, number];
  readonly reduceMs: readonly [number, number];
  /** How many times longer the slowest worker takes; 1 where all are alike. */
  readonly slowest: number;
  /** How long a worker holds a task's message until it leases the attempt, in milliseconds. */
  readonly holdLimitMs: number;
  /** The job is cancelled after this time; never where it is null. */
  readonly cancelMs: number | null;
  readonly faults: Faults | null;
}

/** Draws a small scenario with faults. */
export function drawScenario(random: Random): Scenario {
  const workers = random.integer(1, 6);
  const longest = random.pick([200, 2_000, 30_000]);
  return {
    jobs: random.chance(0.2) ? 2 : 1,
    maps: random.pick([0, 1, 2, 5, 12, 30]),
    reduces: random.integer(1, 6),
    workers,
    machines: random.integer(1, workers),
    slots: random.integer(1, 3),
    scheduling: random.pick(["pull", "deal", "pairwise"]),
    backupTasks: random.chance(0.7),
    maxAttempts: random.integer(1, 4),
    mapMs: [10, longest],
    reduceMs: [10, longest],
    slowest: longest > 2_000 ? 1 : random.pick([1, 20]),
    holdLimitMs: random.pick([3_000, 600_000]),
    cancelMs: random.chance(0.1) ? random.between(0, 20_000) : null,
    faults: drawFaults(random),
  };
}

function drawFaults(random: Random): Faults {
  const sometimes = (most: number): number => (random.chance(0.5) ? random.between(0, most) : 0);
  return {
    untilMs: random.pick([1_000, 20_000, 60_000]),
    loss: sometimes(0.2),
    duplication: sometimes(0.3),
    delay: sometimes(0.3),
    longestDelayMs: random.pick([100, 3_000, 20_000]),
    userFailure: sometimes(0.2),
    deaths: random.integer(0, 3),
    pauses: random.integer(0, 2),
    masterRestarts: random.integer(0, 2),
    rebirth: random.next(),
    commitFailure: random.chance(0.05) ? 1 : 0,
  };
}
