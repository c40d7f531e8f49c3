// Holds whole embedded runs, processes and all, to the reference with any number of slots, and to jobs of ten times the
// memory that an executor may take: one that takes more is ended, and its only attempt fails the job.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { MapReduce, type JobResult, type MapReduceSpecification } from "mapreduce-fleet";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { positions, specifyPositions } from "./jobs/positions.ts";
import { specifyManyKeys, specifyOneGroup } from "./jobs/larger-than-memory.ts";
import { inputs } from "./random-job.ts";
import { referenceParts } from "./reference.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "mapreduce-engine-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function exec(specification: MapReduceSpecification, slots: number): Promise<JobResult> {
  return new MapReduce(specification).exec({ slots, scratchDirectory: join(folder, "scratch") });
}

function readParts(output: string): string[] {
  return readdirSync(output)
    .filter((name) => name.startsWith("part-"))
    .sort()
    .map((name) => readFileSync(join(output, name), "utf8"));
}

describe("a whole run", () => {
  test("gives what the reference gives with 1, 2 and 8 slots", { timeout: 60_000 }, async () => {
    const seed = Math.floor(Math.random() * 2 ** 31);
    const texts = fc.sample(inputs, { seed, numRuns: 30 }).flat();
    const paths = texts.map((text, number) => {
      const path = join(folder, `input-${String(number).padStart(3, "0")}`);
      writeFileSync(path, text);
      return path;
    });
    const expected = referenceParts(positions, texts, 3);
    for (const slots of [1, 2, 8]) {
      const output = join(folder, `out-${slots}`);
      const result = await exec(specifyPositions(paths, output, 3), slots);
      expect(result.tasks.map.count, `seed ${seed}`).toBeGreaterThan(8);
      expect(readParts(output), `seed ${seed}, ${slots} slots`).toEqual(expected);
    }
  });
});

describe("with 128 MiB for an executor", () => {
  const mebibytes = 1280;

  function writeNumbers(): string {
    const path = join(folder, "numbers");
    writeFileSync(path, Array.from({ length: mebibytes }, (_, number) => `${number}\n`).join(""));
    return path;
  }

  test("a group of 1.25 GiB is reduced, its values in input order", { timeout: 180_000 }, async () => {
    const output = join(folder, "out");
    await exec(specifyOneGroup(writeNumbers(), output), 2);
    expect(readParts(output)).toEqual([`all\t${mebibytes * 16}\n`]);
  });

  test("1.25 GiB of distinct keys are sorted and reduced", { timeout: 180_000 }, async () => {
    const output = join(folder, "out");
    const result = await exec(specifyManyKeys(writeNumbers(), output), 2);
    expect(readParts(output)).toEqual([`keys\t${mebibytes * 1024}\n`]);
    expect(result.counters["mapreduce.reduce.input.groups"]).toBe(mebibytes * 1024);
    expect(result.counters["mapreduce.map.spills"]).toBeGreaterThan(0);
  });
});
