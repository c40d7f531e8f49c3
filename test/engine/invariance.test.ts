// Holds the promise that how a job is run never shows in what it gives: random jobs, texts, splits and spills, each
// compared byte for byte with a reference that knows of none of these.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { counterNames } from "../../src/shared/job/counters.ts";
import { arrangement, inputs, jobs } from "./random-job.ts";
import { linesOf, referenceParts } from "./reference.ts";
import { runTasks } from "./run-tasks.ts";

const reduceTasks = fc.integer({ min: 1, max: 5 });
/** A run is some tens of small files: enough of them to meet every pair of choices, few enough for seconds. */
const numRuns = 60;

describe.each(Object.entries(jobs))("%s", (_, job) => {
  test("gives what the reference gives, whatever the splits, the spills and the combiner", async () => {
    await fc.assert(
      fc.asyncProperty(inputs, reduceTasks, arrangement, async (texts, partitions, chosen) => {
        const combine = job.combines ? chosen.combine : "no combiner";
        const run = await runTasks(job, texts, partitions, { ...chosen, combine });
        expect(run.parts).toEqual(referenceParts(job, texts, partitions));
      }),
      { numRuns },
    );
  });
});

describe("counters", () => {
  test("count every line, record and group once, however the input is cut", async () => {
    const job = jobs["word count by a user's sum"];
    await fc.assert(
      fc.asyncProperty(inputs, reduceTasks, arrangement, async (texts, partitions, chosen) => {
        const { counters, parts } = await runTasks(job, texts, partitions, chosen);
        const lines = texts.flatMap(linesOf).map((each) => each.line);
        const words = lines.flatMap((each) => each.split(" ")).filter((each) => each !== "");
        const count = (name: string): number => counters[name] ?? 0;
        expect(count(counterNames.mapInputRecords)).toBe(lines.length);
        expect(count(counterNames.mapInputBytes)).toBe(Buffer.byteLength(texts.join("")));
        expect(count(counterNames.mapOutputRecords)).toBe(words.length);
        expect(count(counterNames.reduceInputGroups)).toBe(new Set(words).size);
        expect(count(counterNames.reduceOutputRecords)).toBe(new Set(words).size);
        expect(count(counterNames.reduceOutputBytes)).toBe(Buffer.byteLength(parts.join("")));
      }),
      { numRuns },
    );
  });
});
