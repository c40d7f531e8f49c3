// Holds a core that has only what was journalled to going on where the one before it ended.

import { expect, test } from "vitest";
import { decide } from "../../../src/master/decide/decide.ts";
import { resume } from "../../../src/master/decide/resume.ts";
import { Core, published } from "./core.ts";

/** Another core, which was told what the first one's journal holds. */
function successor(core: Core): Core {
  const next = new Core();
  for (const event of core.journal) {
    next.journal.push(event);
    decide(next.state, event);
  }
  return next;
}

test("what is done stays done, what runs is adopted, what nobody speaks of is made again", () => {
  const core = Core.running(3, 1, ["a"]);
  core.succeed("a", "m0/1");
  core.fail("a", "m1/1");
  const next = successor(core);
  expect(published(next.beat("a", { runs: { "m1/2": 0.5 } }))).toEqual(["m2/1"]);
  next.succeed("a", "m1/2");
  expect(published(next.succeed("a", "m2/1"))).toEqual(["r0/1"]);
  expect(next.job.attempts).toMatchObject({ succeeded: 3, failed: 1 });
});

test("a failure that was the last one ends the job, though the master ended before it said so", () => {
  const core = Core.running(1, 1, ["a"], { maxAttempts: 1 });
  core.fail("a", "m0/1");
  core.journal.pop();
  const next = successor(core);
  expect(published(next.beat("a"))).toEqual([]);
  expect(resume(next.state)).toMatchObject([
    { kind: "AcceptJob" },
    { kind: "Propose", event: { kind: "TaskGivenUp", number: 0 } },
  ]);
});

test("an end that was told is come to again, whatever heartbeats led to it", () => {
  const core = Core.running(1, 1, ["a"]);
  for (let attempt = 1; core.job.state === "running" && attempt < 100; attempt++) {
    core.beat("a", { runs: { [`m0/${attempt}`]: 0 } });
    core.beat("a");
    core.beat("a");
  }
  const next = successor(core);
  expect(next.job.result).toMatchObject({ state: "failed", error: core.job.result?.error });
  expect(resume(next.state).map(({ kind }) => kind)).toEqual(["FinishJob", "ReleaseJob"]);
});
