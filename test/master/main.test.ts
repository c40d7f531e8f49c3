// Owns the promises of a whole master to clients and workers that are scripted: answers, refusals, task messages, ends.

import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { stageJob } from "../../src/client/stage.ts";
import { submitJob } from "../../src/client/submit.ts";
import { MemoryJournal } from "../../src/master/journal/memory-journal.ts";
import { startMaster, type Master } from "../../src/master/main.ts";
import { MemoryBrokerServer } from "../../src/shared/broker/memory/memory-broker.ts";
import { mapQueue, masterQueue } from "../../src/shared/broker/topology.ts";
import type { HashedFile, JobDocument } from "../../src/shared/job/document.ts";
import { bundleFile } from "../../src/shared/job/places.ts";
import type { Message, WorkerHeartbeat } from "../../src/shared/messages/messages.ts";
import { FileStorage } from "../../src/shared/storage/files/file-storage.ts";
import { jobDocument } from "../job-document.ts";

const jobId = "019aa000-0000-7000-8000-000000000001";
const worker = "00000000-0000-4000-8000-00000000000a";
const storage = new FileStorage({ durability: "written" });

let directory = "";
let root = "";
let server = new MemoryBrokerServer();
let broker = server.connect();
let master: Master;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "master-"));
  root = pathToFileURL(join(directory, "store")).href;
  server = new MemoryBrokerServer();
  broker = server.connect();
  master = await startMaster({
    broker: server.connect(),
    storage,
    storageRoot: root,
    journal: new MemoryJournal(),
    onFailure: (error) => {
      throw error;
    },
  });
  await mkdir(join(directory, "in"));
});
afterEach(async () => {
  await master.stop();
  await rm(directory, { recursive: true });
});

async function stage(fields: Partial<JobDocument> = {}): Promise<HashedFile> {
  const code = new TextEncoder().encode("export {};");
  const document = jobDocument({
    jobId,
    name: "scripted",
    bundle: bundleFile(root, jobId, createHash("sha256").update(code).digest("hex")),
    inputs: [
      {
        url: pathToFileURL(join(directory, "in")).href,
        format: { name: "lines", options: { as: "string" } },
        mapper: "m",
      },
    ],
    output: pathToFileURL(join(directory, "out")).href,
    ...fields,
  });
  return await stageJob(storage, root, document, code);
}

async function submit(document: HashedFile): Promise<void> {
  await submitJob(broker, { jobId, document, brokerName: "test" });
}

/** Sends a question and gives its answer. */
async function ask(question: (replyTo: string) => Message): Promise<Message> {
  const answer = Promise.withResolvers<Message>();
  const mailbox = await broker.openMailbox(answer.resolve);
  await broker.send(masterQueue, question(mailbox.address));
  try {
    return await answer.promise;
  } finally {
    await mailbox.close();
  }
}

function queryJobs(id?: string): Promise<Message> {
  return ask((replyTo) => ({
    kind: "QueryJobs",
    protocol: 1,
    replyTo,
    ...(id === undefined ? {} : { jobId: id }),
  }));
}

const heartbeat: WorkerHeartbeat = {
  kind: "WorkerHeartbeat",
  protocol: 1,
  worker,
  sequence: 1,
  machine: "one",
  address: null,
  scratchDirectory: "/nowhere",
  slots: 1,
  freeSlots: 1,
  draining: false,
  unfit: null,
  executions: [],
  mapOutputs: [],
};

describe("a master", () => {
  test("accepts a job once it is planned, again when it comes again, and lists it", async () => {
    await writeFile(join(directory, "in/a"), "a\n");
    const document = await stage();
    await submit(document);
    await submit(document);
    const running = { jobId, name: "scripted", state: "running" };
    for (const list of [await queryJobs(jobId), await queryJobs()]) {
      expect(list).toMatchObject({ kind: "JobList", jobs: [running] });
    }
    expect(await queryJobs(worker)).toMatchObject({ jobs: [] });
  });

  test("rejects a job whose input is missing, naming it, and removes what was staged for it", async () => {
    await expect(submit(await stage())).rejects.toMatchObject({
      code: "INPUT_NOT_FOUND",
      message: expect.stringContaining(join(directory, "in")),
    });
    await vi.waitFor(async () => {
      expect(await readdir(join(directory, "store/jobs", jobId)).catch(() => [])).toEqual([]);
    });
  });

  test("rejects another specification under the same id, a document elsewhere, and one that is not what its hash says", async () => {
    await writeFile(join(directory, "in/a"), "a\n");
    const document = await stage();
    const elsewhere = { ...document, url: `${root}/../other/document.json` };
    await expect(submit(elsewhere)).rejects.toThrow(/must be one/);
    await submit(document);
    await expect(submit(await stage({ reduceTasks: 2 }))).rejects.toThrow(/another specification/);
    const id = "019aa000-0000-7000-8000-000000000002";
    const url = document.url.replaceAll(jobId, id);
    await storage.write(url, new TextEncoder().encode("{}"));
    const forged = { jobId: id, document: { ...document, url }, brokerName: "test" };
    await expect(submitJob(broker, forged)).rejects.toMatchObject({ code: "MESSAGE_INVALID" });
  });

  test("gives out tasks that carry all they need, long lists of splits by reference", async () => {
    for (let file = 0; file < 800; file++) await writeFile(join(directory, `in/${file}`), "x\n");
    const tasks: Message[] = [];
    await broker.send(masterQueue, heartbeat);
    await broker.consume(mapQueue, 1, async (message) => {
      tasks.push(message);
      return "ack";
    });
    const document = await stage();
    await submit(document);
    await vi.waitFor(() => expect(tasks).toHaveLength(1));
    const [task] = tasks;
    expect(task).toMatchObject({ kind: "MapTask", taskId: "m0", attempt: 1, document, backup: false });
    if (task?.kind !== "MapTask" || !("url" in task.splits)) throw new Error("expected splits by reference");
    expect(task.shuffleToken).toMatch(/^[\w-]{43}$/);
    const splits: unknown = JSON.parse(new TextDecoder().decode(await storage.read(task.splits.url)));
    expect(splits).toHaveLength(800);
  });

  test("cancels a running job: told to all who follow, its result stored, the place as it was", async () => {
    await writeFile(join(directory, "in/a"), "a\n");
    await submit(await stage());
    await storage.write(
      `${pathToFileURL(join(directory, "out")).href}/_temporary/${jobId}/part-00000.x`,
      new Uint8Array(1),
    );
    const finished = Promise.withResolvers<Message>();
    await broker.follow(jobId, (event) => {
      if (event.kind === "JobFinished") finished.resolve(event);
    });
    await broker.send(masterQueue, { kind: "CancelJob", protocol: 1, jobId });
    const event = await finished.promise;
    if (event.kind !== "JobFinished") throw new Error("expected JobFinished");
    expect(event.state).toBe("cancelled");
    const result: unknown = JSON.parse(new TextDecoder().decode(await storage.read(event.resultUrl)));
    expect(result).toMatchObject({ jobId, state: "cancelled", error: { code: "JOB_CANCELLED" } });
    expect(await readdir(directory)).toEqual(["in", "store"]);
    await vi.waitFor(async () => {
      expect(await readdir(join(directory, "store/jobs", jobId))).toEqual(["result.json"]);
    });
    expect(await queryJobs(jobId)).toMatchObject({
      jobs: [{ state: "cancelled", resultUrl: event.resultUrl }],
    });
  });

  test("puts what is not for a master among the dead letters and goes on", async () => {
    await broker.send(masterQueue, { kind: "JobAccepted", protocol: 1, epoch: 1, jobId });
    expect(await queryJobs()).toMatchObject({ kind: "JobList", jobs: [] });
    const reasons: string[] = [];
    await broker.visitDeadLetters(async ({ reason }) => {
      reasons.push(reason);
      return "drop";
    });
    expect(reasons).toEqual([expect.stringContaining("JobAccepted")]);
  });
});
