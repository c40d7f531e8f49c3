// Holds the core to what it takes for lost: never what only waits, never anybody while nobody is heard; and to the bounds
// of what it makes again.

import { describe, expect, test } from "vitest";
import type { Effect } from "../../../src/master/decide/events.ts";
import { Core, of, published } from "./core.ts";

/** Lets seconds pass, in each of which workers say what they say; gives all effects. */
function pass(core: Core, seconds: number, beats: () => readonly Effect[]): Effect[] {
  return Array.from({ length: seconds }, () => {
    core.nowMs += 1_000;
    return [...beats(), ...core.tick()];
  }).flat();
}

describe("a message", () => {
  test("that younger ones have passed in their queue is sent again, though all slots are busy", () => {
    const core = Core.running(4, 1, ["a"]);
    const beats = (): readonly Effect[] => core.beat("a", { runs: { "m1/1": 0, "m2/1": 0 } });
    expect(published(pass(core, 9, beats))).toEqual([]);
    expect(published(pass(core, 3, beats))).toEqual(["m0/2"]);
  });

  test("that was dealt to a worker which does not get it is sent again", () => {
    const core = Core.running(1, 1, ["a"], { scheduling: "deal" });
    expect(published(pass(core, 12, () => core.beat("a", { freeSlots: 0 })))).toEqual(["m0/2"]);
  });
});

describe("a worker", () => {
  test("is not lost while nobody is heard, nor as soon as the first one is heard again", () => {
    const core = Core.running(9, 1, ["a", "b"]);
    expect(
      of(
        pass(core, 3_600, () => []),
        "Propose",
      ),
    ).toEqual([]);
    core.beat("b");
    expect(of(core.tick(), "Propose")).toEqual([]);
  });

  test("that was lost is not believed until it has returned", () => {
    const core = Core.running(1, 1, ["a", "b"]);
    core.tell({ kind: "WorkerLost", worker: "a" });
    core.succeed("a", "m0/1");
    expect(core.job.map.done).toBe(0);
    expect(of(core.beat("a"), "Propose")).toMatchObject([{ event: { kind: "WorkerReturned", worker: "a" } }]);
    core.succeed("a", "m0/1");
    expect(core.job.map.done).toBe(1);
  });

  test("that was lost holds no attempt by its word: where nobody else takes it, it is sent again", () => {
    const core = Core.running(1, 1, ["a", "b"]);
    core.tell({ kind: "WorkerLost", worker: "a" });
    core.lease("a", "m0/1");
    expect(published(pass(core, 12, () => core.beat("b")))).toEqual(["m0/2"]);
  });

  test("takes no output with it that a running reduce has read, until there is one that has not", () => {
    const core = Core.running(1, 1, ["a", "b"]);
    core.succeed("a", "m0/1");
    core.beat("b", { runs: { "r0/1": 0 } });
    expect(published(core.tell({ kind: "WorkerLost", worker: "a" }))).toEqual([]);
    core.beat("b");
    expect(published(core.beat("b"))).toEqual(["m0/2"]);
    expect(published(core.succeed("b", "m0/2"))).toEqual(["r0/2"]);
  });
});

describe("an attempt", () => {
  test("that was given up too early may win: the one in its place is cancelled", () => {
    const core = Core.running(1, 1, ["a", "b"]);
    core.beat("a", { runs: { "m0/1": 0 } });
    core.beat("a");
    core.beat("a");
    core.beat("b", { runs: { "m0/2": 0 } });
    expect(of(core.succeed("a", "m0/1"), "CancelAttempt")).toMatchObject([{ attempt: 2, worker: "b" }]);
  });

  test("is lost only so often in a row, then the job fails", () => {
    const core = Core.running(1, 1, ["a"]);
    for (let attempt = 1; core.job.state === "running" && attempt < 100; attempt++) {
      core.beat("a", { runs: { [`m0/${attempt}`]: 0 } });
      core.beat("a");
      core.beat("a");
    }
    const [finish] = of(core.effects, "FinishJob");
    expect(finish?.result).toMatchObject({ state: "failed", error: { code: "ATTEMPT_LOST", task: "m0" } });
    expect(finish?.result.attempts.failed).toBe(0);
  });
});

test("a map whose output is never readable fails the job in the end", () => {
  const core = Core.running(1, 1, ["a"]);
  for (let attempt = 1; core.job.state === "running" && attempt < 100; attempt++) {
    core.succeed("a", `m0/${attempt}`);
    core.loseOutput("a", "r0/1", "a", `m0/${attempt}`);
  }
  expect(of(core.effects, "FinishJob")[0]?.result).toMatchObject({
    state: "failed",
    error: { code: "SEGMENT_UNAVAILABLE", task: "m0" },
  });
});
