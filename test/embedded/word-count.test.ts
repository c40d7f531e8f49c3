// Owns the promises of an embedded run, end to end: the output is exactly right, and nothing else is left over, however
// the job ended.

import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { startEmbedded, type EmbeddedOptions } from "../../src/embedded/run.ts";
import type { JobResult, Progress } from "../../src/shared/job/result.ts";
import { MapReduceSpecification } from "../../src/shared/job/specification.ts";
import { adder, combiner, wordCounter } from "./jobs/word-count.ts";

let directory = "";

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "embedded-"));
  await mkdir(join(directory, "in"));
});
afterEach(() => rm(directory, { recursive: true }));

const vocabulary = ["the", "café", "of", "Ж", "to", "a", "日本", "in", "x".repeat(300), "-"];

/** Lays files of words and gives their counts. */
async function layWords(files: number, lines: number): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  let seed = 1;
  for (let file = 0; file < files; file++) {
    let text = "";
    for (let line = 0; line < lines; line++) {
      for (let word = 0; word < 8; word++) {
        seed = (seed * 48271) % 0x7fffffff;
        const chosen = vocabulary[seed % vocabulary.length] + (seed % 3 === 0 ? String(seed % 50) : "");
        counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
        text += `${chosen} `;
      }
      text += "\n";
    }
    await writeFile(join(directory, `in/${file}.txt`), text);
  }
  return counts;
}

function specify(
  fields: { readonly [name: string]: unknown } = {},
): ConstructorParameters<typeof MapReduceSpecification>[0] {
  return {
    name: "word-count",
    module: new URL("./jobs/word-count.ts", import.meta.url).href,
    inputs: [join(directory, "in/*.txt")],
    mapper: wordCounter,
    reducer: adder,
    reduceTasks: 3,
    output: join(directory, "out"),
    splitSize: 20_000,
    ...fields,
  } as ConstructorParameters<typeof MapReduceSpecification>[0];
}

async function run(
  fields: { readonly [name: string]: unknown } = {},
  options: EmbeddedOptions = {},
): Promise<JobResult> {
  const specification = new MapReduceSpecification(specify(fields));
  const handle = await startEmbedded(specification, {
    scratchDirectory: join(directory, "scratch"),
    slots: 2,
    ...options,
  });
  return await handle.result();
}

async function readCounts(): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (const name of (await readdir(join(directory, "out"))).filter((each) => each.startsWith("part-"))) {
    const lines = (await readFile(join(directory, "out", name), "utf8")).split("\n").slice(0, -1);
    const words = lines.map((line) => line.split("\t")[0] ?? "");
    expect(words).toEqual([...words].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))));
    for (const line of lines) {
      const [word = "", count] = line.split("\t");
      expect(counts.has(word)).toBe(false);
      counts.set(word, Number(count));
    }
  }
  return counts;
}

/** Files of the scratch directory, whatever their depth: none may be left. */
async function leftovers(): Promise<string[]> {
  const entries = await readdir(join(directory, "scratch"), { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() || !["jobs", "runs", "workers"].includes(entry.name))
    .map((entry) => join(entry.parentPath, entry.name));
}

describe("an embedded word count", () => {
  test("counts every word exactly once, with and without a combiner", async () => {
    const expected = await layWords(5, 600);
    const total = [...expected.values()].reduce((a, b) => a + b);
    for (const fields of [{}, { combiner, overwrite: true }]) {
      const result = await run(fields);
      expect(result.error).toBeUndefined();
      expect(result.state).toBe("succeeded");
      expect(await readCounts()).toEqual(expected);
      expect(result.tasks.map.count).toBeGreaterThan(5);
      expect(result.counters).toMatchObject({
        words: total,
        "mapreduce.map.input.records": 3_000,
        "mapreduce.map.output.records": total,
        "mapreduce.reduce.output.records": expected.size,
      });
      expect(result.outputs.map(({ url }) => url.slice(-10))).toEqual([
        "part-00000",
        "part-00001",
        "part-00002",
      ]);
      expect(await readdir(join(directory, "out"))).toEqual([
        "_SUCCESS",
        "part-00000",
        "part-00001",
        "part-00002",
      ]);
      expect(await leftovers()).toEqual([]);
    }
  });

  test("of no bytes at all gives empty parts", async () => {
    await writeFile(join(directory, "in/empty.txt"), "");
    expect(await run()).toMatchObject({ state: "succeeded" });
    expect(await readCounts()).toEqual(new Map());
  });

  test("tells its progress, which ends with everything done", async () => {
    await layWords(3, 600);
    const seen: Progress[] = [];
    await run({}, { onProgress: (progress) => void seen.push(progress) });
    expect(seen.at(-1)).toMatchObject({ map: { fraction: 1 }, reduce: { tasks: 3, done: 3 } });
  });

  test("that fails says where, after as many attempts as are allowed, and leaves no output", async () => {
    await layWords(2, 100);
    await writeFile(join(directory, "in/9.txt"), "good\nbad\n");
    const result = await run({ params: { fail: "bad" }, maxAttempts: 2 });
    expect(result.state).toBe("failed");
    expect(result.error).toMatchObject({
      code: "USER_CODE_THREW",
      message: expect.stringContaining("found bad"),
      stack: expect.stringContaining("word-count.ts"),
      task: expect.stringMatching(/^m\d+$/),
      source: { url: expect.stringMatching(/9\.txt$/), offset: 5 },
    });
    expect(await readdir(directory)).toEqual(["in", "scratch"]);
    expect(await leftovers()).toEqual([]);
  });

  test("that is cancelled while user code loops ends, and leaves nothing", async () => {
    await layWords(2, 600);
    await writeFile(join(directory, "in/9.txt"), "hang\n");
    const abort = new AbortController();
    const result = await run(
      { params: { hang: "hang" } },
      {
        signal: abort.signal,
        onProgress: ({ map }) => {
          if (map.done > 0) abort.abort();
        },
      },
    );
    expect(result.state).toBe("cancelled");
    expect(await readdir(directory)).toEqual(["in", "scratch"]);
    expect(await leftovers()).toEqual([]);
  });

  test("that can't start says why, and leaves nothing", async () => {
    await expect(run({ inputs: [join(directory, "in/none")] })).rejects.toMatchObject({
      code: "INPUT_NOT_FOUND",
    });
    await layWords(1, 10);
    await mkdir(join(directory, "out"));
    await writeFile(join(directory, "out/notes"), "");
    await expect(run()).rejects.toMatchObject({ code: "OUTPUT_EXISTS" });
    const abort = AbortSignal.abort(new Error("not now"));
    await expect(run({}, { signal: abort })).rejects.toThrow("not now");
    expect(await leftovers()).toEqual([]);
  });
});
