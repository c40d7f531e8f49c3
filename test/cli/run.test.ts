// Holds what a run of a job leaves: results on stdout, everything else on stderr, an exit status, and nothing behind.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { JobResult } from "../../src/shared/job/result.ts";
import { Folder, wordCount } from "./command.ts";

let folder: Folder;
beforeEach(() => {
  folder = new Folder();
  folder.write("in.txt", "a b a\nc a b\n");
});
afterEach(() => folder.remove());

/** Lines of the part files, each in its order. */
const outputLines = (name = "out"): string[] =>
  readdirSync(`${folder.path}/${name}`)
    .filter((each) => each.startsWith("part-"))
    .sort()
    .flatMap((each) => readFileSync(`${folder.path}/${name}/${each}`, "utf8").trimEnd().split("\n"))
    .filter((line) => line !== "");

/** What lies in the scratch directory that belongs to a job. */
const leftovers = (): string[] =>
  existsSync(folder.scratch)
    ? readdirSync(folder.scratch, { recursive: true, encoding: "utf8" }).filter((name) =>
        /segment|bundle|part-|output/.test(name),
      )
    : [];

describe("a job that succeeds", () => {
  test("its part files are on stdout, its summary on stderr, its status is 0, and scratch is clean", async () => {
    folder.write("job.ts", wordCount());
    const { status, stdout, stderr } = await folder.run(["run", "job.ts"]);
    expect({ status, stderr: status === 0 ? "" : stderr }).toEqual({ status: 0, stderr: "" });
    expect(stdout).toBe(`${folder.path}/out/part-00000\n${folder.path}/out/part-00001\n`);
    expect(outputLines().sort()).toEqual(["a\t3", "b\t2", "c\t1"]);
    expect(stderr).toMatch(/^map 100% .*reduce 100% /m);
    expect(stderr).toMatch(/^count: succeeded in .* \(1 map and 2 reduce tasks\)$/m);
    expect(stderr).toMatch(/^ {2}input +2 records, 12 B$/m);
    expect(stderr).toMatch(/^ {2}groups +3 groups$/m);
    expect(stderr).toMatch(/MB\/s of input$/m);
    expect(leftovers()).toEqual([]);
  });

  test("--output - is the result alone, in partition order, and no file is left of it", async () => {
    folder.write("job.ts", wordCount());
    await folder.run(["run", "job.ts"]);
    const { status, stdout } = await folder.run(["run", "job.ts", "--output", "-", "--progress", "none"]);
    expect(status).toBe(0);
    expect(stdout.trimEnd().split("\n")).toEqual(outputLines());
    expect(leftovers()).toEqual([]);
  });

  test("--json is the result as one object; a stdout of a mapper does not touch it", async () => {
    folder.write("job.ts", wordCount("", 'console.log("seen " + word)'));
    const { status, stdout, stderr } = await folder.run(["run", "job.ts", "--json"]);
    expect(status).toBe(0);
    const result = JSON.parse(stdout) as JobResult;
    expect(result).toMatchObject({
      name: "count",
      state: "succeeded",
      attempts: { succeeded: 3, failed: 0 },
    });
    expect(result.counters["mapreduce.reduce.output.records"]).toBe(3);
    expect(result.outputs.map(({ records }) => records).reduce((a, b) => a + b)).toBe(3);
    expect(stderr).toContain("seen b\n");
  });

  test("options and paths on the command line count from the current directory", async () => {
    folder.write("jobs/job.ts", wordCount());
    folder.write("other/x.txt", "z z\n");
    const args = ["run", "jobs/job.ts", "--input", "other/*.txt", "--output", "there", "--reduce-tasks", "1"];
    expect(await folder.run(args)).toMatchObject({ status: 0, stdout: `${folder.path}/there/part-00000\n` });
    expect(outputLines("there")).toEqual(["z\t2"]);
  });

  test("--param reaches user code as its own type", async () => {
    folder.write(
      "job.ts",
      wordCount("params: { least: 1 }", 'if (word.length < (context.params["least"] as number)) continue'),
    );
    folder.write("in.txt", "a bb ccc\n");
    expect(await folder.run(["run", "job.ts", "--param", "least=2"])).toMatchObject({ status: 0 });
    expect(outputLines().sort()).toEqual(["bb\t1", "ccc\t1"]);
  });

  test("--slots 1 gives the same output", async () => {
    folder.write("job.ts", wordCount());
    expect(await folder.run(["run", "job.ts", "--slots", "1"])).toMatchObject({ status: 0 });
    expect(outputLines().sort()).toEqual(["a\t3", "b\t2", "c\t1"]);
  });
});

describe("status 2: what stops a job before its first attempt", () => {
  test.each([
    [
      "an input that is not there",
      ["--input", "none/*.txt"],
      /^error: input .*none\/\*\.txt: no file matches$/m,
    ],
    ["a wrong option", ["--slots", "0"], /^error: option '--slots <N>' argument '0' is invalid/m],
    ["--output - with --json", ["--output", "-", "--json"], /^error: --output -: not together with --json/m],
    ["what comes later", ["--isolation", "none"], /^error: isolation "none": comes later/m],
  ])("%s", async (_, args, message) => {
    folder.write("job.ts", wordCount());
    const { status, stdout, stderr } = await folder.run(["run", "job.ts", ...args]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(message);
    expect(existsSync(`${folder.path}/out`)).toBe(false);
  });

  test("an output directory that holds anything, until --overwrite is said", async () => {
    folder.write("job.ts", wordCount());
    expect(await folder.run(["run", "job.ts"])).toMatchObject({ status: 0 });
    const again = await folder.run(["run", "job.ts"]);
    expect(again).toMatchObject({ status: 2, stdout: "" });
    expect(again.stderr).toMatch(/^error: output .*\/out/m);
    expect(await folder.run(["run", "job.ts", "--overwrite"])).toMatchObject({ status: 0 });
  });
});

test("--plan prints tasks and bytes, and runs nothing", async () => {
  folder.write("job.ts", wordCount());
  const { status, stdout } = await folder.run(["run", "job.ts", "--plan", "--split-size", "4"]);
  expect(status).toBe(0);
  expect(stdout).toMatch(/^count: 3 map tasks over 12 B in 1 files, 2 reduce tasks$/m);
  expect(stdout).toMatch(/ m2 │ +4 │ +1 │ .*in\.txt, bytes 8 to 12 /);
  expect(existsSync(`${folder.path}/out`)).toBe(false);
});

describe("a job that fails", () => {
  test("has status 1, the error with its task and record, the user's own stack, and no output", async () => {
    folder.write("job.ts", wordCount("maxAttempts: 1", 'if (word === "c") throw new RangeError("no c")'));
    const { status, stdout, stderr } = await folder.run(["run", "job.ts"]);
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^error: .*RangeError: no c.*\(task m0 at file:\/\/.*in\.txt, byte 6\)$/m);
    expect(stderr).toMatch(/^ {4}at .*job\.ts:3:\d+/m);
    expect(stderr).not.toMatch(/src\/(worker|cli|embedded)|node:internal/);
    expect(existsSync(`${folder.path}/out`)).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  test("--json prints its result too", async () => {
    folder.write("job.ts", wordCount("maxAttempts: 1", 'throw new RangeError("no")'));
    const { status, stdout } = await folder.run(["run", "job.ts", "--json"]);
    expect(status).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      state: "failed",
      error: { code: "USER_CODE_THREW", task: "m0" },
    });
  });
});

describe("Ctrl-C", () => {
  const waiting = 'console.log("mapping"); await new Promise((resolve) => setTimeout(resolve, 3_600_000))';

  test("cancels the job, cleans up and ends with 130", async () => {
    folder.write("job.ts", wordCount("", waiting).replace('"split", (', '"split", async ('));
    const run = folder.start(["run", "job.ts"]);
    await vi.waitUntil(() => run.stderr().includes("mapping"), { timeout: 20_000 });
    run.child.kill("SIGINT");
    const { status, stdout, stderr } = await run.ended;
    expect({ status, stdout }).toEqual({ status: 130, stdout: "" });
    expect(stderr).toMatch(/^cancelling/m);
    expect(existsSync(`${folder.path}/out`)).toBe(false);
    expect(leftovers()).toEqual([]);
  });

  test("a second one ends at once, also while user code never yields", async () => {
    folder.write("job.ts", wordCount("", 'console.log("mapping"); for (;;);'));
    const run = folder.start(["run", "job.ts"]);
    await vi.waitUntil(() => run.stderr().includes("mapping"), { timeout: 20_000 });
    run.child.kill("SIGINT");
    await vi.waitUntil(() => run.stderr().includes("cancelling"), { timeout: 20_000 });
    run.child.kill("SIGINT");
    expect((await run.ended).status).toBe(130);
  });
});
