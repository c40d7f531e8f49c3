// Holds the core, under the simulator's faults, to its promise: a job comes to a right end or to a cause, in bounded time,
// whatever is late, twice, lost or dead. And holds the simulator to its own: a seed replays, and a broken core is found.

import { describe, expect, test } from "vitest";
import type { Effect } from "../../src/master/decide/events.ts";
import { decide } from "../../src/master/decide/decide.ts";
import type { Decide } from "../../src/simulation/master.ts";
import { simulate, type Outcome } from "../../src/simulation/simulate.ts";

const runs = 1_000;
const baseSeed = Number(process.env["MAPREDUCE_SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const only = process.env["MAPREDUCE_SEED"] !== undefined;

/** The first bad outcome of some seeds, or undefined. */
function findProblem(
  from: number,
  count: number,
  broken: () => Decide | undefined = () => undefined,
): Outcome | undefined {
  for (let seed = from; seed < from + count; seed++) {
    const core = broken();
    const outcome = simulate(seed, core === undefined ? {} : { decide: core });
    if (outcome.problems.length > 0) return outcome;
  }
  return undefined;
}

/** A core that loses effects of its own. */
function without(isLost: (effect: Effect) => boolean): Decide {
  return (state, event) => decide(state, event).filter((effect) => !isLost(effect));
}

describe("a fleet under faults", () => {
  test(
    `${runs} random schedules end right or with a cause, from seed ${baseSeed} (MAPREDUCE_SEED=N replays one)`,
    { timeout: 120_000 },
    () => {
      const bad = findProblem(baseSeed, only ? 1 : runs);
      expect(bad, `MAPREDUCE_SEED=${bad?.seed}`).toBeUndefined();
    },
  );

  test("the same seed gives the same outcome, and others differ", () => {
    const outcome = simulate(42);
    expect(simulate(42)).toEqual(outcome);
    expect(outcome.decisions).toBeGreaterThan(0);
    expect(simulate(43)).not.toEqual({ ...outcome, seed: 43 });
  });

  test("the schedules are worth running: masters restart, attempts are made again, jobs end in every way", () => {
    const outcomes = Array.from({ length: 200 }, (_, seed) => simulate(seed));
    const ends = new Set(outcomes.flatMap(({ results }) => results.map((result) => result?.state)));
    expect([...ends]).toEqual(expect.arrayContaining(["succeeded", "failed", "cancelled"]));
    expect(outcomes.some(({ restarts }) => restarts > 1)).toBe(true);
    const madeAgain = outcomes.filter(
      ({ executions, scenario }) => executions > scenario.jobs * (scenario.maps + scenario.reduces),
    );
    expect(madeAgain.length).toBeGreaterThan(20);
  });
});

describe("a core that breaks a rule is found", () => {
  const broken: Readonly<Record<string, () => Decide>> = {
    "that never discards a second output": () => without(({ kind }) => kind === "DiscardPending"),
    "that never issues a task again": () =>
      without((effect) => effect.kind === "PublishTask" && effect.attempt > 1),
    "that loses map outputs which it has accepted": () => {
      return (state, event) => {
        const effects = decide(state, event);
        for (const job of state.jobs.values()) job.sequence = 0;
        for (const job of state.jobs.values()) job.outputs.fill(undefined);
        return effects;
      };
    },
    "that commits one output twice": () => (state, event) =>
      decide(state, event).map((effect) =>
        effect.kind === "CommitJob" && effect.pending.length > 1
          ? { ...effect, pending: effect.pending.map(() => effect.pending[0]) }
          : effect,
      ),
    "that counts a map again when its output is made again": () => (state, event) => {
      for (const job of state.jobs.values()) job.countedMaps.fill(0);
      return decide(state, event);
    },
    "that forgets what was accepted when a report comes again": () => (state, event) => {
      const effects = decide(state, event);
      if (event.kind !== "Reported" || event.report.kind !== "AttemptSucceeded") return effects;
      const { report, jobId } = event.report;
      if (report.phase === "map") return effects;
      return [...effects, { kind: "DiscardPending", jobId, pending: report.pendingOutputs }];
    },
  };
  test.each(Object.entries(broken))("%s", (_name, core) => {
    expect(findProblem(1, 500, core)).toBeDefined();
  });
});
