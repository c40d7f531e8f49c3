// Holds a whole worker, with real executors and files, to what a scripted master may expect of it.

import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, describe, expect, test, vi } from "vitest";
import { MemoryBrokerServer } from "../../src/shared/broker/memory/memory-broker.ts";
import { mapQueue } from "../../src/shared/broker/topology.ts";
import type { ReduceReport } from "../../src/shared/messages/messages.ts";
import { FileStorage } from "../../src/shared/storage/files/file-storage.ts";
import { startWorker, type UserOutput, type Worker, type WorkerOptions } from "../../src/worker/main.ts";
import { temporaryFolder } from "./executor/job-fixture.ts";
import { ScriptedMaster, stageJob } from "./scripted-master.ts";

let resources = new AsyncDisposableStack();
afterEach(async () => {
  await resources.disposeAsync();
  resources = new AsyncDisposableStack();
});

async function setUp() {
  const folder = resources.use(temporaryFolder()).path;
  const server = new MemoryBrokerServer();
  const connect = () => resources.adopt(server.connect(), (broker) => broker.close());
  const broker = connect();
  const master = await ScriptedMaster.start(broker);
  const output: UserOutput[] = [];
  const start = async (changes: Partial<WorkerOptions> = {}): Promise<Worker> => {
    const worker = await startWorker({
      broker: connect(),
      storage: new FileStorage(),
      scratchDirectory: join(folder, "scratch"),
      slots: 1,
      serve: null,
      onUserOutput: (line) => output.push(line),
      heartbeatMs: 200,
      memory: 256 * 2 ** 20,
      ...changes,
    });
    return resources.adopt(worker, (each) => each.stop());
  };
  return { broker, folder, master, output, scratch: join(folder, "scratch"), start };
}

const emitWords = `for (const word of record.split(" ")) emit(word, 1);`;
const loop = `console.log("looping"); for (;;);`;

describe("a worker", () => {
  test("runs a map and a reduce, reports each, and holds no message after its report", async () => {
    const { broker, folder, master, scratch, start } = await setUp();
    const worker = await start();
    const job = stageJob(folder, emitWords, { reduceTasks: 1 });
    await master.giveReduce(job);
    await master.giveMap(job);
    const mapped = await master.hear("AttemptSucceeded");
    expect(mapped).toMatchObject({
      taskId: "m0",
      executionId: `${worker.incarnation}.2`,
      report: { phase: "map" },
    });
    expect(readdirSync(join(scratch, "jobs", job.jobId, "map"))).toEqual([`m0-1-${worker.incarnation}`]);
    await master.announce(mapped);
    const reduced = await master.hear("AttemptSucceeded", 2);
    const { pendingOutputs } = reduced.report as ReduceReport;
    expect(pendingOutputs).toMatchObject([{ name: "part-00000", records: 3 }]);
    expect(readFileSync(fileURLToPath(pendingOutputs[0]?.url ?? ""), "utf8")).toBe(
      "one\t1\nthree\t1\ntwo\t1\n",
    );
    await master.hearHeartbeat(({ executions, freeSlots, sequence }) => {
      return sequence > 1 && executions.length === 0 && freeSlots === 1;
    });
    expect(await broker.depth(mapQueue)).toBe(0);
    expect(readdirSync(join(scratch, "jobs", job.jobId, "executions"))).toEqual([]);
  });

  test("tells who it is before anything else", async () => {
    const { master, scratch, start } = await setUp();
    const worker = await start({ machine: "desk", slots: 2 });
    expect((await master.hear("WorkerHeartbeat")) satisfies object).toMatchObject({
      worker: worker.incarnation,
      sequence: 1,
      machine: "desk",
      address: null,
      scratchDirectory: scratch,
      slots: 2,
      freeSlots: 2,
      draining: false,
      unfit: null,
      executions: [],
      mapOutputs: [],
    });
  });

  test("reports what user code threw, and goes on with the next task", async () => {
    const { folder, master, output, start } = await setUp();
    await start();
    const job = stageJob(
      folder,
      `console.log("saw", record); if (context.attempt === 1) throw new Error("bad line");`,
    );
    await master.giveMap(job);
    const failed = await master.hear("AttemptFailed");
    expect(failed.failure).toMatchObject({
      code: "USER_CODE_THREW",
      message: "user code threw Error: bad line",
      source: { url: job.split.url, offset: 0 },
    });
    await master.giveMap(job, { attempt: 2 });
    expect(await master.hear("AttemptSucceeded")).toMatchObject({ attempt: 2 });
    const line = output.find(({ line: text }) => text === "saw one two");
    expect(line).toMatchObject({ stream: "stdout", attempt: { taskId: "m0", attempt: 1 } });
  });

  test("brings a bundle anew that has changed on its disk", async () => {
    const { folder, master, scratch, start } = await setUp();
    await start({ slots: 1 });
    const job = stageJob(folder, `if (context.attempt === 1) throw new Error("first");`);
    await master.giveMap(job);
    await master.hear("AttemptFailed");
    const files = readdirSync(join(scratch, "jobs", job.jobId));
    const bundle = files.find((name) => name.startsWith("bundle-")) ?? "";
    writeFileSync(join(scratch, "jobs", job.jobId, bundle), "throw 'not ours'");
    await master.giveMap(job, { attempt: 2 });
    expect((await master.hear("AttemptFailed", 2)).failure.code).toBe("BUNDLE_INVALID");
    await master.giveMap(job, { attempt: 3 });
    expect(await master.hear("AttemptSucceeded")).toMatchObject({ attempt: 3 });
  });

  test("runs an attempt once, however often its message comes, and reports it again", async () => {
    const { folder, master, start } = await setUp();
    await start({ slots: 2 });
    const job = stageJob(folder, `const until = Date.now() + 200; while (Date.now() < until);`);
    await master.giveMap(job);
    await master.giveMap(job);
    const first = await master.hear("AttemptSucceeded");
    await master.giveMap(job);
    const second = await master.hear("AttemptSucceeded", 2);
    expect(second).toEqual(first);
  });

  test("leases an execution that outlasts the hold limit, and reports it all the same", async () => {
    const { folder, master, start } = await setUp();
    await start({ holdLimitMs: 50 });
    const job = stageJob(folder, `const until = Date.now() + 500; while (Date.now() < until);`);
    await master.giveMap(job);
    const leased = await master.hear("AttemptLeased");
    const succeeded = await master.hear("AttemptSucceeded");
    expect(succeeded.executionId).toBe(leased.executionId);
    expect(master.heard.indexOf(leased)).toBeLessThan(master.heard.indexOf(succeeded));
  });

  test("drops what a master of a lower epoch says", async () => {
    const { folder, master, start } = await setUp();
    await start();
    const job = stageJob(folder, emitWords);
    master.epoch = 2;
    await master.giveMap(job);
    await master.hear("AttemptSucceeded");
    master.epoch = 1;
    await master.giveMap(job, { taskId: "m1" });
    master.epoch = 2;
    await master.giveMap(job, { taskId: "m2" });
    expect(await master.hear("AttemptSucceeded", 2)).toMatchObject({ taskId: "m2" });
  });

  test("ends a cancelled attempt without a report, and its slot is free for the next", async () => {
    const { folder, master, output, start } = await setUp();
    const worker = await start();
    const job = stageJob(folder, `if (context.taskId === "m0") { ${loop} }`);
    const task = await master.giveMap(job);
    await vi.waitFor(() => expect(output.length).toBe(1), 10_000);
    await master.giveMap(job, { taskId: "m1" });
    await master.cancel(worker.incarnation, task);
    expect(await master.hear("AttemptSucceeded")).toMatchObject({ taskId: "m1" });
    expect(master.all("AttemptFailed")).toEqual([]);
  });

  test("ends and removes all that a released job has", async () => {
    const { folder, master, output, scratch, start } = await setUp();
    const worker = await start();
    const job = stageJob(folder, `if (context.taskId === "m1") { ${loop} }`);
    await master.giveMap(job);
    await master.hear("AttemptSucceeded");
    await master.giveMap(job, { taskId: "m1" });
    await vi.waitFor(() => expect(output.length).toBe(1), 10_000);
    await master.release(worker.incarnation, job.jobId);
    await vi.waitFor(() => expect(existsSync(join(scratch, "jobs", job.jobId))).toBe(false), 10_000);
    await master.giveMap(job, { taskId: "m2" });
    const other = stageJob(folder, emitWords);
    await master.giveMap(other);
    expect(await master.hear("AttemptSucceeded", 2)).toMatchObject({ jobId: other.jobId });
  });

  test("hands back what it runs when it stops, and leaves nothing on its disk", async () => {
    const { folder, master, output, scratch, start } = await setUp();
    const first = await start();
    const job = stageJob(folder, `if (context.taskId === "m0") { ${loop} }`);
    await master.giveMap(job);
    await vi.waitFor(() => expect(output.length).toBe(1), 10_000);
    await first.stop();
    await first.stop();
    expect(readdirSync(join(scratch, "jobs"))).toEqual([]);
    expect(readdirSync(join(scratch, "workers"))).toEqual([]);
    expect(master.all("AttemptFailed")).toEqual([]);
    await start();
    await vi.waitFor(() => expect(output.length).toBe(2), 10_000);
  });

  test("drains: finishes what it has, takes no more, and holds its map outputs until they are released", async () => {
    const { folder, master, start } = await setUp();
    const worker = await start();
    const job = stageJob(folder, `const until = Date.now() + 300; while (Date.now() < until);`);
    await master.giveMap(job);
    await master.hearHeartbeat(({ executions }) => executions.length === 1);
    const drained = worker.drain();
    await master.hearHeartbeat(({ draining }) => draining);
    await master.giveMap(job, { taskId: "m1" });
    await master.hear("AttemptSucceeded");
    await master.release(worker.incarnation, job.jobId);
    await drained;
    expect(master.all("AttemptSucceeded").length).toBe(1);
  });
});

describe("a reduce", () => {
  test("reads the file of a worker on its machine in place, and fetches from another machine", async () => {
    const { folder, master, scratch, start } = await setUp();
    const job = stageJob(folder, emitWords, { reduceTasks: 1 });
    const server = { host: "127.0.0.1" };
    const far = await start({ machine: "far", scratchDirectory: join(folder, "far"), serve: server });
    await master.giveMap(job);
    await master.giveMap(job, { taskId: "m1" });
    const reports = [await master.hear("AttemptSucceeded"), await master.hear("AttemptSucceeded", 2)];
    expect(reports.map((report) => report.worker)).toEqual([far.incarnation, far.incarnation]);
    await master.giveReduce(job, { mapTasks: 2 });
    // The one that is drained takes no reduce: the other one must.
    const draining = far.drain();
    await master.hearHeartbeat(({ draining: says }) => says);
    await start({ machine: "near" });
    const [m0, m1] = reports.sort((a, b) => a.taskId.localeCompare(b.taskId));
    if (m0 === undefined || m1 === undefined) throw new Error("unreachable");
    await master.announce(m0);
    await master.announce(m1, { machine: "near" });
    const reduced = (await master.hear("AttemptSucceeded", 3)).report as ReduceReport;
    const part = reduced.pendingOutputs[0]?.url ?? "";
    expect(readFileSync(fileURLToPath(part), "utf8")).toBe(
      "one\t1\none\t1\nthree\t1\nthree\t1\ntwo\t1\ntwo\t1\n",
    );
    expect(existsSync(scratch)).toBe(true);
    await master.release(far.incarnation, job.jobId);
    await draining;
  });

  test("reports a source that is lost, and ends well with its replacement", async () => {
    const { folder, master, scratch, start } = await setUp();
    const worker = await start({ slots: 2 });
    const job = stageJob(folder, emitWords, { reduceTasks: 1 });
    await master.giveMap(job);
    const first = await master.hear("AttemptSucceeded");
    rmSync(join(scratch, "jobs", job.jobId, "map", `m0-1-${worker.incarnation}`));
    await master.giveReduce(job);
    await master.announce(first);
    const lost = await master.hear("MapOutputLost");
    expect(lost).toMatchObject({ taskId: "r0", lost: { map: 0, executionId: first.executionId } });
    await master.giveMap(job, { attempt: 2 });
    await master.announce(await master.hear("AttemptSucceeded", 2));
    expect(await master.hear("AttemptSucceeded", 3)).toMatchObject({ taskId: "r0", attempt: 1 });
  });

  test("learns what was announced before it came", async () => {
    const { folder, master, start } = await setUp();
    await start();
    const job = stageJob(folder, emitWords, { reduceTasks: 1 });
    await master.giveMap(job);
    await master.announce(await master.hear("AttemptSucceeded"));
    await master.giveReduce(job);
    expect(await master.hear("AttemptSucceeded", 2)).toMatchObject({ taskId: "r0" });
  });
});

describe("a scratch directory", () => {
  test("is the worker's own and closed to others, job by job", async () => {
    const { folder, master, scratch, start } = await setUp();
    await start();
    const job = stageJob(folder, emitWords);
    await master.giveMap(job);
    await master.hear("AttemptSucceeded");
    expect(statSync(join(scratch, "jobs")).mode & 0o7777).toBe(0o1777);
    expect(statSync(join(scratch, "jobs", job.jobId)).mode & 0o7777).toBe(0o700);
  });

  test("that can't be made keeps the worker from starting", async () => {
    const { start } = await setUp();
    const file = fileURLToPath(import.meta.url);
    await expect(start({ scratchDirectory: join(file, "scratch") })).rejects.toMatchObject({
      code: "SCRATCH_UNUSABLE",
    });
  });

  test("that has become unusable makes the worker unfit, and the attempt fails saying so", async () => {
    const { folder, master, scratch, start } = await setUp();
    await start();
    rmSync(join(scratch, "jobs"), { recursive: true });
    await master.giveMap(stageJob(folder, emitWords));
    const heartbeat = await master.hearHeartbeat(({ unfit }) => unfit !== null);
    expect(heartbeat.unfit).toContain(`scratch ${scratch}`);
  });
});
