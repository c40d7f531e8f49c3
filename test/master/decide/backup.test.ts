// Holds backup attempts to their rule: near the end of a phase, where one is slow, on another machine, once.

import { expect, test } from "vitest";
import { cancelled, Core, of } from "./core.ts";

/** Of four maps, three took a second; the fourth runs on "a" for ten seconds and is as far as `fraction`. */
function lastMap(fraction: number, machineOfB: string, backupTasks = true): Core {
  const core = Core.running(4, 1, [], { backupTasks });
  const machines = { a: "one", b: machineOfB } as const;
  const beat = (worker: "a" | "b", runs: Record<string, number>): unknown =>
    core.beat(worker, { machine: machines[worker], runs });
  beat("a", { "m3/1": 0 });
  beat("b", { "m0/1": 0, "m1/1": 0, "m2/1": 0 });
  core.nowMs = 1_000;
  for (const ref of ["m0/1", "m1/1", "m2/1"]) core.succeed("b", ref);
  for (core.nowMs = 2_000; core.nowMs <= 10_000; core.nowMs += 1_000) {
    beat("a", { "m3/1": fraction });
    beat("b", {});
    core.tick();
  }
  return core;
}

const backups = (core: Core): unknown[] => of(core.effects, "PublishTask").filter(({ backup }) => backup);

test("a slow attempt gets one backup, on a worker of another machine", () => {
  expect(backups(lastMap(0.1, "two"))).toMatchObject([{ phase: "map", number: 3, to: "b" }]);
});

test("the first that is done wins, and the other is cancelled", () => {
  const core = lastMap(0.1, "two");
  expect(cancelled(core.succeed("b", "m3/2"))).toEqual(["m3/1 on a"]);
  expect(core.job.map.done).toBe(4);
});

test("an attempt that is nearly done gets none", () => {
  expect(backups(lastMap(0.95, "two"))).toEqual([]);
});

test("there is none on the same machine", () => {
  expect(backups(lastMap(0.1, "one"))).toEqual([]);
});

test("there is none where the job wants none", () => {
  expect(backups(lastMap(0.1, "two", false))).toEqual([]);
});
