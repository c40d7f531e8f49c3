// Holds the core to giving out no more than there is room for, to jobs in turn, and to reduces that never starve maps.

import { expect, test } from "vitest";
import { Core, of, published } from "./core.ts";

test("there are no more maps out than two for each slot, and one more for each that ends", () => {
  const core = Core.running(10, 1, ["a"]);
  expect(published(core.effects)).toEqual(["m0/1", "m1/1", "m2/1", "m3/1"]);
  expect(published(core.succeed("a", "m0/1"))).toEqual(["m4/1"]);
});

test("nothing is given out while no worker takes tasks", () => {
  const core = Core.running(1, 1, []);
  core.beat("a", { draining: true });
  expect(published(core.effects)).toEqual([]);
  expect(published(core.beat("b"))).toEqual(["m0/1"]);
});

test("jobs take turns", () => {
  const core = Core.running(9, 1, ["a"]);
  const settings = { name: "second", maxAttempts: 1, backupTasks: true, scheduling: "pull" } as const;
  core.tell({ kind: "JobSubmitted", jobId: "second", document: { url: "file:///other", sha256: "" } });
  core.tell({
    kind: "JobPlanned",
    jobId: "second",
    settings,
    mapTasks: 9,
    reduceTasks: 1,
    inputBytes: 0,
  });
  const next = ["m0/1", "m1/1", "m2/1"].flatMap((ref) => of(core.succeed("a", ref), "PublishTask"));
  expect(next.map(({ jobId }) => jobId)).toEqual(["job", "second", "job"]);
});

test("on one machine reduces wait for the last map", () => {
  const core = Core.running(2, 2, ["a"]);
  expect(published(core.succeed("a", "m1/1"))).toEqual([]);
  expect(published(core.succeed("a", "m0/1"))).toEqual(["r0/1", "r1/1"]);
});

test("on several, reduces for half of the slots gather while maps run; the rest is for jobs whose maps are done", () => {
  const core = Core.running(9, 9, ["a", "b"]);
  expect(published(core.succeed("a", "m0/1"))).toEqual(["r0/1", "r1/1", "m8/1"]);
});
