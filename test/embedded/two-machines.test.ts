// Owns the promise that a job's output does not depend on where its tasks ran: two workers that claim to be different
// machines send every segment over HTTP.

import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { startEmbedded, type EmbeddedWorker } from "../../src/embedded/run.ts";
import { MapReduceSpecification } from "../../src/shared/job/specification.ts";
import { adder, wordCounter } from "./jobs/word-count.ts";

test("two machines give byte for byte the output of one", async () => {
  const directory = await mkdtemp(join(tmpdir(), "machines-"));
  onTestFinished(() => rm(directory, { recursive: true }));
  await mkdir(join(directory, "in"));
  const line = Array.from({ length: 500 }, (_, index) => `word${index % 97}`).join(" ");
  for (let file = 0; file < 12; file++) {
    await writeFile(join(directory, `in/${file}`), `file${file} ${line}\n`.repeat(20));
  }
  const outputs = new Map<string, string[]>();
  const fleets: { readonly [name: string]: readonly EmbeddedWorker[] } = {
    one: [{ machine: "one", slots: 2 }],
    two: [
      { machine: "one", slots: 1 },
      { machine: "two", slots: 1 },
    ],
  };
  for (const [name, workers] of Object.entries(fleets)) {
    const specification = new MapReduceSpecification({
      name,
      module: new URL("./jobs/word-count.ts", import.meta.url).href,
      inputs: [join(directory, "in")],
      filesPerTask: 1,
      mapper: wordCounter,
      reducer: adder,
      reduceTasks: 4,
      output: join(directory, name),
    });
    const handle = await startEmbedded(specification, {
      scratchDirectory: join(directory, "scratch"),
      workers,
    });
    const result = await handle.result();
    expect(result.error).toBeUndefined();
    expect(result.workers).toBe(workers.length);
    expect(result.attempts.failed).toBe(0);
    const parts = ["part-00000", "part-00001", "part-00002", "part-00003"];
    outputs.set(name, await Promise.all(parts.map((part) => readFile(join(directory, name, part), "utf8"))));
  }
  expect(outputs.get("two")).toEqual(outputs.get("one"));
  expect(outputs.get("one")?.join("")).toContain("file7\t20\n");
});
