// Holds the policies to whom they give tasks.

import { expect, test } from "vitest";
import type { JobSettings } from "../../../src/master/decide/events.ts";
import { Core, jobId, of } from "../decide/core.ts";

function dealt(scheduling: JobSettings["scheduling"], workers: readonly string[]): (string | null)[] {
  return of(Core.running(6, 1, workers, { scheduling }).effects, "PublishTask").map(({ to }) => to);
}

test("pull leaves every task to whoever takes it", () => {
  expect(new Set(dealt("pull", ["a", "b", "c"]))).toEqual(new Set([null]));
});

test("deal gives one to each worker in turn", () => {
  expect(dealt("deal", ["a", "b", "c"])).toEqual(["a", "b", "c", "a", "b", "c"]);
});

test("deal passes over a worker that takes none", () => {
  const core = new Core();
  core.beat("a");
  core.beat("b", { draining: true });
  core.tell({ kind: "JobSubmitted", jobId, document: { url: "file:///document", sha256: "" } });
  const settings = { name: "job", maxAttempts: 1, backupTasks: false, scheduling: "deal" } as const;
  core.tell({ kind: "JobPlanned", jobId, settings, mapTasks: 2, reduceTasks: 1, inputBytes: 0 });
  expect(of(core.effects, "PublishTask").map(({ to }) => to)).toEqual(["a", "a"]);
});

test("pairwise gives a reduce to another machine than the map before it", () => {
  const core = Core.running(3, 1, ["a", "b"], { scheduling: "pairwise" });
  const holder = of(core.effects, "PublishTask").at(-1)?.to;
  core.succeed("a", "m0/1");
  const reduce = of(core.effects, "PublishTask").find(({ phase }) => phase === "reduce");
  expect(new Set([holder, reduce?.to])).toEqual(new Set(["a", "b"]));
});

test.each(["pull", "deal", "pairwise"] as const)(
  "%s on one machine: all maps, then all reduces",
  (policy) => {
    const core = Core.running(2, 2, ["a"], { scheduling: policy });
    const phases = (): string[] => of(core.effects, "PublishTask").map(({ phase }) => phase);
    core.succeed("a", "m0/1");
    expect(phases()).toEqual(["map", "map"]);
    core.succeed("a", "m1/1");
    expect(phases()).toEqual(["map", "map", "reduce", "reduce"]);
  },
);
