// Holds the slots to their number, their order and the reuse of executors.

import { afterEach, expect, test, vi } from "vitest";
import { ExecutorProcess } from "../../src/worker/executor/executor-process.ts";
import { OrphanGuard } from "../../src/worker/executor/guard.ts";
import { Slots } from "../../src/worker/slots.ts";
import { mapperBundle, mapRequest, temporaryFolder, writeJob } from "./executor/job-fixture.ts";

let resources = new AsyncDisposableStack();
afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

const mebibyte = 2 ** 20;

function setUp(count: number) {
  const folder = resources.use(temporaryFolder()).path;
  const guard = resources.adopt(new OrphanGuard(), (each) => each.stop());
  const fork = vi.fn<(memory: number) => ExecutorProcess>(
    (memory) => new ExecutorProcess({ memory, directory: "/", guard, onOutput: () => {} }),
  );
  const slots = resources.adopt(new Slots({ count, memory: 256 * mebibyte, fork }), (each) => each.stop());
  const job = (number: number, memory = 256 * mebibyte) =>
    writeJob(folder, mapperBundle(""), { jobId: `01a0b1c2-0000-7000-8000-00000000000${number}`, memory });
  return { folder, fork, slots, job };
}

const never = new AbortController().signal;

test("executors are forked at the start, and the one that serves a job serves it again", async () => {
  const { fork, slots, job } = setUp(2);
  expect(fork).toHaveBeenCalledTimes(2);
  const first = await slots.acquire(job(1).load, never);
  slots.release(first);
  expect(await slots.acquire(job(1).load, never)).toBe(first);
  expect(await slots.acquire(job(2).load, never)).not.toBe(first);
  expect(fork).toHaveBeenCalledTimes(2);
  expect(slots.free).toBe(0);
});

test("never more executions have a slot than there are, and they get it in the order in which they asked", async () => {
  const { slots, job } = setUp(1);
  const first = await slots.acquire(job(1).load, never);
  const given: string[] = [];
  const second = slots.acquire(job(1).load, never).then(() => given.push("second"));
  const third = slots.acquire(job(1).load, never).then(() => given.push("third"));
  slots.release(first);
  await second;
  expect(given).toEqual(["second"]);
  slots.release(first);
  await third;
  expect(given).toEqual(["second", "third"]);
});

test("who gives up waiting gets no slot", async () => {
  const { slots, job } = setUp(1);
  const first = await slots.acquire(job(1).load, never);
  const abort = new AbortController();
  const second = slots.acquire(job(1).load, abort.signal);
  abort.abort(new Error("cancelled"));
  await expect(second).rejects.toThrow("cancelled");
  slots.release(first);
  expect(slots.free).toBe(1);
});

test("an executor of another job is replaced, not reused", async () => {
  const { slots, job } = setUp(1);
  const first = await slots.acquire(job(1).load, never);
  slots.release(first);
  const second = await slots.acquire(job(2).load, never);
  expect(second.jobId).toBe(job(2).document.jobId);
  await first.ended;
});

test("an executor whose execution failed is replaced", async () => {
  const { folder, slots, job } = setUp(1);
  const bad = writeJob(folder, mapperBundle("throw 1;"));
  const first = await slots.acquire(bad.load, never);
  expect(await first.run(mapRequest(folder, bad), { timeoutMs: null, onProgress: () => {} })).toMatchObject({
    kind: "failed",
  });
  slots.release(first);
  const second = await slots.acquire(job(1).load, never);
  expect(second).not.toBe(first);
  await first.ended;
});

test("a job gets executors of the memory that it asks for", async () => {
  const { slots, job } = setUp(1);
  const executor = await slots.acquire(job(1, 128 * mebibyte).load, never);
  expect(executor.memory).toBe(128 * mebibyte);
});

test("the executors of a released job end", async () => {
  const { slots, job } = setUp(1);
  const first = await slots.acquire(job(1).load, never);
  slots.release(first);
  slots.releaseJob(job(1).document.jobId);
  await first.ended;
  expect((await slots.acquire(job(2).load, never)).usable).toBe(true);
});
