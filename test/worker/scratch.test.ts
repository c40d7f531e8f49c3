// Holds scratch directories to their owners, live and dead, and to paths made of ids alone.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Scratch, segmentPath } from "../../src/worker/scratch.ts";
import { temporaryFolder } from "./executor/job-fixture.ts";

let resources = new DisposableStack();
afterEach(() => {
  resources.dispose();
  resources = new DisposableStack();
});

function folder(): string {
  return resources.use(temporaryFolder()).path;
}

const jobId = randomUUID();
const attempt = { jobId, taskId: "m3", attempt: 2 };

/** Opens a scratch directory in a process of its own, which leaves a segment file there and dies. */
async function dieIn(directory: string): Promise<string> {
  const incarnation = randomUUID();
  const code = `
    import { writeFileSync } from "node:fs";
    import { Scratch } from ${JSON.stringify(new URL("../../src/worker/scratch.ts", import.meta.url).href)};
    const scratch = new Scratch(${JSON.stringify(directory)}, ${JSON.stringify(incarnation)});
    await scratch.open();
    await scratch.makeExecution(${JSON.stringify(jobId)}, "${incarnation}.1");
    writeFileSync(scratch.segmentPath(${JSON.stringify(attempt)}), "segments");
    process.kill(process.pid, "SIGKILL");`;
  await once(spawn(process.execPath, ["--input-type=module", "-e", code], { stdio: "inherit" }), "exit");
  return incarnation;
}

test("what a dead owner left is swept by the next, and what live ones have stays", async () => {
  const directory = folder();
  const neighbour = new Scratch(directory, randomUUID());
  await neighbour.open();
  await neighbour.makeJob(jobId);
  writeFileSync(neighbour.segmentPath(attempt), "segments");
  const dead = await dieIn(directory);
  expect(existsSync(segmentPath(directory, attempt, dead))).toBe(true);
  const next = new Scratch(directory, randomUUID());
  await next.open();
  expect(existsSync(segmentPath(directory, attempt, dead))).toBe(false);
  expect(existsSync(neighbour.segmentPath(attempt))).toBe(true);
  expect(readdirSync(join(directory, "workers")).length).toBe(2);
  await next.close();
  await neighbour.close();
  expect(readdirSync(join(directory, "jobs"))).toEqual([]);
});

test("a job of dead owners alone goes with its bundle", async () => {
  const directory = folder();
  await dieIn(directory);
  writeFileSync(join(directory, "jobs", jobId, "bundle-0.mjs"), "");
  const next = new Scratch(directory, randomUUID());
  await next.open();
  expect(readdirSync(join(directory, "jobs"))).toEqual([]);
  await next.close();
});

test("what is not a job's is left alone", async () => {
  const directory = folder();
  mkdirSync(join(directory, "jobs", "notes"), { recursive: true });
  const scratch = new Scratch(directory, randomUUID());
  await scratch.open();
  await scratch.close();
  expect(existsSync(join(directory, "jobs", "notes"))).toBe(true);
});

test.each(["../../etc", "", "job", `${randomUUID()}/..`])("a job id %j never becomes a path", (id) => {
  expect(() => segmentPath("/scratch", { ...attempt, jobId: id }, randomUUID())).toThrow(/expected a UUID/);
  expect(() => segmentPath("/scratch", attempt, id)).toThrow(/expected a UUID/);
});

test("a file in the place of a job's folder is named", async () => {
  const directory = folder();
  const scratch = new Scratch(directory, randomUUID());
  await scratch.open();
  writeFileSync(join(directory, "jobs", jobId), "");
  await expect(scratch.makeJob(jobId)).rejects.toMatchObject({ code: "SCRATCH_UNUSABLE" });
  await scratch.close();
});

test("a healthy directory has no problem, one that is gone has", async () => {
  const scratch = new Scratch(join(folder(), "scratch"), randomUUID());
  expect(await scratch.problem()).toContain("ENOENT");
  await scratch.open();
  expect(await scratch.problem()).toBeNull();
  await scratch.close();
  await scratch.close();
});
