// Holds every example to its expected output, run the way a user's program runs it.

import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MapReduce, type JobResult, type MapReduceSpecification } from "mapreduce-fleet";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { withFields } from "../../src/shared/job/specification.ts";
import grepJob from "../../examples/grep/job.ts";
import byteWordCount from "../../examples/word-count/bytes-job.ts";
import wordCount from "../../examples/word-count/job.ts";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "mapreduce-test-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

interface Run {
  readonly result: JobResult;
  /** The text of every part file, in order. */
  readonly parts: readonly string[];
}

async function run(specification: MapReduceSpecification, params = {}): Promise<Run> {
  const output = join(folder, "out");
  const here = withFields(specification, { output, params }, new Map());
  const result = await new MapReduce(here).exec({ slots: 2, scratchDirectory: join(folder, "scratch") });
  const names = (await readdir(output)).filter((name) => name.startsWith("part-")).sort();
  return { result, parts: await Promise.all(names.map((name) => readFile(join(output, name), "utf8"))) };
}

const expected = (path: string): Promise<string> =>
  readFile(fileURLToPath(new URL(`../../examples/${path}/expected.txt`, import.meta.url)), "utf8");

/** Lines in the order of their bytes, as keys of a text sort. */
const sorted = (texts: readonly string[]): string[] =>
  texts
    .flatMap((text) => text.split(/(?<=\n)/))
    .sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

describe("examples give what their folders promise", () => {
  test("word-count", async () => {
    const { result, parts } = await run(wordCount);
    expect(parts).toHaveLength(4);
    expect(sorted(parts).join("")).toBe(await expected("word-count"));
    for (const part of parts) expect(sorted([part]).join("")).toBe(part);
    expect(result).toMatchObject({ state: "succeeded", name: "word-count" });
  });

  test("word-count on bytes gives the same words", async () => {
    const { parts } = await run(byteWordCount);
    expect(sorted(parts).join("")).toBe(await expected("word-count"));
  });

  test("grep, in the order of the input", async () => {
    const { result, parts } = await run(grepJob, { pattern: "whale" });
    expect(parts.join("")).toBe(await expected("grep"));
    expect(result.counters["matching lines"]).toBe(3);
  });

  test("grep for another pattern", async () => {
    const { parts } = await run(grepJob, { pattern: "^Now" });
    expect(parts).toEqual([
      `["jonah.txt",0]\tNow the LORD had prepared a great fish to swallow up Jonah. And Jonah was\n`,
    ]);
  });
});
