// Holds the core to what it tells of map outputs: to all who follow, in sequence, and to who asks, page by page.

import { expect, test } from "vitest";
import type { Effect } from "../../../src/master/decide/events.ts";
import { mapOutputsOf, summaryOf } from "../../../src/master/decide/queries.ts";
import { Core, jobId, of } from "./core.ts";

/** Announcements as "sequence: maps on worker". */
function announced(effects: readonly Effect[]): string[] {
  return of(effects, "AnnounceMapOutputs").map(({ sequence, workers }) => {
    const maps = workers.map(({ worker, outputs }) => `${outputs.map(({ map }) => map).join()} on ${worker}`);
    return `${sequence}: ${maps.join(", ")}`;
  });
}

test("the first and the last output are announced at once, those between together, by worker", () => {
  const core = Core.running(4, 1, ["a", "b"]);
  expect(announced(core.succeed("a", "m0/1"))).toEqual(["1: 0 on a"]);
  core.succeed("b", "m1/1");
  expect(announced(core.succeed("a", "m2/1"))).toEqual([]);
  core.nowMs += 1_000;
  expect(announced(core.tick())).toEqual(["2: 1 on b, 2 on a"]);
  expect(announced(core.succeed("a", "m3/1"))).toEqual(["3: 3 on a"]);
});

test("an output whose worker has not said yet where it is waits for that", () => {
  const core = Core.running(2, 1, ["a"]);
  expect(announced(core.succeed("b", "m0/1"))).toEqual([]);
  core.beat("b");
  core.nowMs += 1_000;
  expect(announced(core.tick())).toEqual(["1: 0 on b"]);
});

test("who asks is told page by page, of nothing but a running job", () => {
  const core = Core.running(3, 1, ["a"]);
  core.succeed("a", "m0/1");
  core.succeed("a", "m2/1");
  const first = mapOutputsOf(core.state, jobId, 0, 2);
  expect(first).toMatchObject({ sequence: 1, nextMap: 2, workers: [{ worker: "a", outputs: [{ map: 0 }] }] });
  const second = mapOutputsOf(core.state, jobId, 2, 2);
  expect(second).toMatchObject({
    nextMap: null,
    workers: [{ outputs: [{ map: 2, executionId: "a:m2/1" }] }],
  });
  expect(mapOutputsOf(core.state, "other", 0, 2)).toBeUndefined();
  expect(summaryOf(core.state, jobId)).toMatchObject({ state: "running", progress: { map: { done: 2 } } });
});
