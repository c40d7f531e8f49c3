// Holds executors, as real processes, to an outcome for every way in which user code can end, and to leaving nothing.

import { existsSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { JobDocument } from "../../../src/shared/job/document.ts";
import {
  ExecutorProcess,
  type ExecutionOutcome,
  type RunOptions,
} from "../../../src/worker/executor/executor-process.ts";
import { OrphanGuard } from "../../../src/worker/executor/guard.ts";
import type { MapRequest } from "../../../src/worker/executor/protocol.ts";
import { SegmentFile } from "../../../src/worker/shuffle/segment-file.ts";
import { mapperBundle, mapRequest, temporaryFolder, writeJob } from "./job-fixture.ts";

let resources = new AsyncDisposableStack();
afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

interface Setup {
  readonly document?: Partial<JobDocument>;
  readonly request?: Partial<MapRequest>;
  readonly options?: Partial<RunOptions>;
}

function start(body: string, setup: Setup = {}, topLevel = "") {
  const folder = resources.use(temporaryFolder()).path;
  const guard = resources.adopt(new OrphanGuard(), (each) => each.stop());
  const job = writeJob(folder, mapperBundle(body, topLevel), setup.document);
  const lines: string[] = [];
  const executor = resources.adopt(
    new ExecutorProcess({
      memory: job.document.memory,
      directory: folder,
      guard,
      onOutput: (line, stream) => lines.push(`${stream}: ${line}`),
    }),
    (each) => each.stop(),
  );
  executor.load(job.load);
  const run = (serial = 1): Promise<ExecutionOutcome> =>
    executor.run(
      { ...mapRequest(folder, job, serial), ...setup.request },
      { timeoutMs: null, onProgress: () => {}, ...setup.options },
    );
  return { executor, folder, job, lines, run };
}

function failureOf(outcome: ExecutionOutcome) {
  if (outcome.kind !== "failed") throw new Error(`found ${JSON.stringify(outcome)}, expected a failure`);
  return outcome.failure;
}

describe("an executor", () => {
  test("runs one execution after the other of its job, each in a folder of its own", async () => {
    const { executor, folder, job, lines, run } = start(`emit(record, 1); console.log(process.cwd());`);
    expect(await run(1)).toMatchObject({ kind: "succeeded", report: { phase: "map" } });
    expect(await run(2)).toMatchObject({ kind: "succeeded" });
    expect(executor.jobId).toBe(job.document.jobId);
    expect(executor.usable).toBe(true);
    const file = new SegmentFile(`${folder}/map/m0-2`);
    expect(file.partitions).toBe(2);
    expect(file.place(0).records + file.place(1).records).toBe(2);
    file.close();
    await vi.waitFor(() => expect(lines).toContain(`stdout: ${folder}/executions/2`));
    expect(lines).toContain(`stdout: ${folder}/executions/1`);
  });

  test("gives user code no environment but PATH, HOME, TZ and LANG, and no channel", async () => {
    process.env["MAPREDUCE_TEST_SECRET"] = "not for user code";
    const { lines, run } = start(
      `console.log(JSON.stringify([Object.keys(process.env), typeof process.send]));`,
    );
    expect(await run()).toMatchObject({ kind: "succeeded" });
    await vi.waitFor(() => expect(lines.length).toBeGreaterThan(0));
    const [names, send] = JSON.parse((lines[0] ?? "").slice("stdout: ".length)) as [string[], string];
    expect(["PATH", "HOME", "TZ", "LANG"]).toEqual(expect.arrayContaining(names));
    expect(send).toBe("undefined");
  });

  test("refuses a bundle that is not the document's", async () => {
    const { executor, job, run } = start("", {
      document: { bundle: { url: "file:///b", sha256: "0".repeat(64) } },
    });
    const failure = failureOf(await run());
    expect(failure.code).toBe("BUNDLE_INVALID");
    expect(failure.message).toContain(`expected ${job.document.bundle.sha256}`);
    await executor.ended;
  });

  test("that can't be started fails what it is asked to run", async () => {
    const guard = resources.adopt(new OrphanGuard(), (each) => each.stop());
    const executor = new ExecutorProcess({
      memory: 2 ** 28,
      directory: "/nowhere",
      guard,
      onOutput: () => {},
    });
    const folder = resources.use(temporaryFolder()).path;
    const job = writeJob(folder, mapperBundle(""));
    const outcome = executor.run(mapRequest(folder, job), { timeoutMs: null, onProgress: () => {} });
    expect(failureOf(await outcome).code).toBe("ATTEMPT_LOST");
    await executor.stop();
  });

  test("tells what top-level code of the bundle threw", async () => {
    const { run } = start("", {}, `throw new Error("no licence");`);
    expect(failureOf(await run())).toMatchObject({
      code: "USER_CODE_THREW",
      message: "user code threw Error: no licence",
    });
  });

  test("ends with its parent's stop, even in a busy loop", async () => {
    const { executor, lines, run } = start(`console.log("looping"); for (;;);`);
    const outcome = run();
    await vi.waitFor(() => expect(lines).toContain("stdout: looping"), 10_000);
    await executor.stop();
    await executor.stop();
    expect(await outcome).toEqual({ kind: "cancelled" });
    expect(isAlive(executor.pid)).toBe(false);
  });

  test("passes on what a long execution has done so far", async () => {
    const onProgress = vi.fn<RunOptions["onProgress"]>();
    const { lines, run } = start(
      `const until = Date.now() + 300; while (Date.now() < until); context.log.warn("slow");`,
      {
        options: { onProgress },
      },
    );
    expect(await run()).toMatchObject({ kind: "succeeded" });
    expect(onProgress).toHaveBeenCalled();
    await vi.waitFor(() => expect(lines).toContain("stderr: warn: slow"));
  });
});

describe("an execution fails with the code and the stack of its cause when user code", () => {
  test("throws", async () => {
    const { executor, job, run } = start(`null.field;`);
    const failure = failureOf(await run());
    expect(failure).toMatchObject({ code: "USER_CODE_THREW", source: { url: job.split.url, offset: 0 } });
    expect(failure.message).toMatch(/^user code threw TypeError: Cannot read properties of null/);
    expect(failure.stack).toMatch(/^TypeError: .*\n    at .*bundle\.mjs:4/);
    expect(failure.stack).not.toMatch(/node:|src\/worker/);
    await executor.ended;
    expect(executor.usable).toBe(false);
  });

  test("rejects", async () => {
    const { run } = start(
      `return Promise.reject(new RangeError("too far", { cause: new Error("the wind") }));`,
    );
    const failure = failureOf(await run());
    expect(failure).toMatchObject({
      code: "USER_CODE_THREW",
      message: "user code threw RangeError: too far",
    });
    expect(failure.stack).toMatch(/RangeError: too far\n[^]*caused by: Error: the wind/);
  });

  test("throws what is no error", async () => {
    const { run } = start(`throw { code: 7 };`);
    expect(failureOf(await run())).toMatchObject({
      code: "USER_CODE_THREW",
      message: "user code threw { code: 7 }",
    });
  });

  test("leaves a rejection unhandled", async () => {
    const { run } = start(`Promise.reject(new Error("forgotten")); return new Promise(() => {});`);
    expect(failureOf(await run())).toMatchObject({
      code: "USER_CODE_THREW",
      message: "user code threw Error: forgotten",
    });
  });

  test("throws where nobody catches", async () => {
    const { run } = start(`setImmediate(() => { throw new Error("later"); }); return new Promise(() => {});`);
    const failure = failureOf(await run());
    expect(failure).toMatchObject({ code: "USER_CODE_THREW", message: "user code threw Error: later" });
    expect(failure.stack).toMatch(/bundle\.mjs:4/);
  });

  test("calls process.exit, and the record is named where records are noted", async () => {
    const { job, run } = start(`if (record === "three") process.exit(3);`, {
      request: { noteRecords: true },
    });
    const failure = failureOf(await run());
    expect(failure).toMatchObject({
      code: "USER_CODE_EXITED",
      message: "user code called process.exit(3)",
      source: { url: job.split.url, offset: 8 },
    });
    expect(failure.stack).toMatch(/bundle\.mjs:4/);
  });

  test("kills its own process", async () => {
    const { run } = start(`process.kill(process.pid, "SIGSEGV"); for (;;);`, {
      request: { noteRecords: true },
    });
    const failure = failureOf(await run());
    expect(failure).toMatchObject({ code: "USER_CODE_EXITED", source: { offset: 0 } });
    expect(failure.message).toBe("map task m0 attempt 1: executor ended: SIGSEGV, expected an outcome");
  });

  test("loops past the task's time", async () => {
    const { executor, run } = start(`for (;;);`, {
      request: { noteRecords: true },
      options: { timeoutMs: 1_000 },
    });
    expect(failureOf(await run())).toMatchObject({
      code: "TASK_TIMEOUT",
      message: "map task m0 attempt 1: not done within taskTimeout, 1000 ms",
      source: { offset: 0 },
    });
    await executor.ended;
  });

  test("exhausts the heap", async () => {
    const { lines, run } = start(`
      console.error("before\\n\\nafter");
      const all = new Map(); for (let i = 0; ; i++) all.set(i, { i });`);
    expect(failureOf(await run())).toEqual({
      code: "OUT_OF_MEMORY",
      message: "map task m0 attempt 1: out of memory: heap of 96 MiB exhausted, with memory 256 MiB",
    });
    expect(lines).toEqual(["stderr: before", "stderr: ", "stderr: after"]);
  });

  test("exhausts memory outside the heap", async () => {
    const { run } = start(`const all = []; for (;;) all.push(Buffer.alloc(2 ** 20, 1));`, {
      document: { memory: 128 * 2 ** 20 },
    });
    const failure = failureOf(await run());
    expect(failure.code).toBe("OUT_OF_MEMORY");
    expect(failure.message).toMatch(/found \d+ MiB resident, expected at most memory 128 MiB$/);
  });
});

describe("a cancelled execution", () => {
  test("may end by itself when its signal aborts", async () => {
    const { executor, lines, run } = start(
      `console.log("waiting");
       return new Promise((_, reject) => context.signal.addEventListener("abort", () => { console.log("heard"); reject(new Error()); }));`,
    );
    const outcome = run();
    await vi.waitFor(() => expect(lines).toContain("stdout: waiting"), 10_000);
    executor.cancel();
    expect(await outcome).toEqual({ kind: "cancelled" });
    await executor.ended;
    expect(lines).toContain("stdout: heard");
  });

  test("is killed when it does not", async () => {
    const { executor, lines, run } = start(`console.log("looping"); for (;;);`);
    const outcome = run();
    await vi.waitFor(() => expect(lines).toContain("stdout: looping"), 10_000);
    executor.cancel();
    expect(await outcome).toEqual({ kind: "cancelled" });
    await executor.ended;
  });
});

test("what user code started ends with its executor", async () => {
  const { executor, folder, run } = start(`
    return import("node:child_process").then(({ spawn }) => {
      const child = spawn("sleep", ["1000"]);
      return import("node:fs").then((fs) => fs.writeFileSync("../../sleeper", String(child.pid)));
    });`);
  expect(await run()).toMatchObject({ kind: "succeeded" });
  const sleeper = Number(readFileSync(`${folder}/sleeper`, "utf8"));
  expect(isAlive(sleeper)).toBe(true);
  await executor.stop();
  await vi.waitFor(() => expect(isAlive(sleeper)).toBe(false));
});

/** Whether a process runs; one that has ended but was not waited for does not. */
function isAlive(pid: number | undefined): boolean {
  const status = `/proc/${pid}/status`;
  return existsSync(status) && !/^State:\s+[ZX]/m.test(readFileSync(status, "latin1"));
}
