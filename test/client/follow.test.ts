// Owns the promises of following a job, against a scripted master.

import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { JobFollower, type FollowOptions } from "../../src/client/follow.ts";
import { MemoryBrokerServer } from "../../src/shared/broker/memory/memory-broker.ts";
import { masterQueue } from "../../src/shared/broker/topology.ts";
import type { JobResult, Progress } from "../../src/shared/job/result.ts";
import type { Message } from "../../src/shared/messages/messages.ts";
import { FileStorage } from "../../src/shared/storage/files/file-storage.ts";

const jobId = "019aa000-0000-7000-8000-000000000001";
const times = { count: 1, startedMs: 0, endedMs: 1 };
const result: JobResult = {
  jobId,
  name: "n",
  state: "succeeded",
  outputs: [],
  counters: { words: 2 },
  elapsedMs: 1,
  tasks: { map: times, reduce: times },
  attempts: { succeeded: 2, failed: 0, cancelled: 0, backup: 0 },
  skippedRecords: [],
  largestGroups: [],
  workers: 1,
};

const broker = new MemoryBrokerServer().connect();
let directory = "";
let resultUrl = "";
let follower: JobFollower | undefined;
let stop = (): Promise<void> => Promise.resolve();

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "follow-"));
  await writeFile(join(directory, "result.json"), JSON.stringify(result));
  resultUrl = pathToFileURL(join(directory, "result.json")).href;
});
afterEach(async () => {
  await follower?.close(new Error("test over"));
  await stop();
  stop = () => Promise.resolve();
});
afterAll(() => rm(directory, { recursive: true }));

async function follow(options: FollowOptions = {}): Promise<JobFollower> {
  return (follower = await JobFollower.open(broker, new FileStorage(), jobId, options));
}

async function answering(answer: (message: Message) => Promise<void>): Promise<void> {
  const consumer = await broker.consume(masterQueue, 1, async (message) => {
    await answer(message);
    return "ack";
  });
  stop = () => consumer.stop();
}

function progressOf(done: number): Progress {
  const phase = { tasks: 4, done, running: 0, fraction: done / 4 };
  return {
    jobId,
    map: phase,
    shuffle: { bytes: 0, fraction: 0 },
    reduce: phase,
    inputBytes: 1,
    workers: 1,
    counters: {},
  };
}

async function announceProgress(done: number): Promise<void> {
  await broker.announce({ kind: "JobProgress", protocol: 1, epoch: 1, jobId, progress: progressOf(done) });
}

async function announceEnd(): Promise<void> {
  await broker.announce({ kind: "JobFinished", protocol: 1, epoch: 1, jobId, state: "succeeded", resultUrl });
}

describe("JobFollower", () => {
  test("gives every reader the latest progress, and ends with the job", async () => {
    const handle = await follow();
    const seen: number[] = [];
    const reading = (async () => {
      for await (const { map } of handle.progress()) {
        seen.push(map.done);
        await (map.done < 3 ? announceProgress(map.done + 1) : announceEnd());
      }
    })();
    await announceProgress(1);
    await reading;
    expect(seen).toEqual([1, 2, 3]);
    expect(await handle.result()).toEqual(result);
    for await (const { map } of handle.progress()) expect(map.done).toBe(3);
  });

  test("asks after a silence, and so finds the end of a job whose announcement was lost", async () => {
    await answering(async (message) => {
      if (message.kind !== "QueryJobs") throw new Error(`found ${message.kind}`);
      const job = { jobId, name: "n", state: "succeeded", progress: progressOf(4), resultUrl } as const;
      await broker.send(message.replyTo, { kind: "JobList", protocol: 1, epoch: 1, jobs: [job] });
    });
    const handle = await follow({ silenceMs: 10 });
    expect(await handle.result()).toEqual(result);
  });

  test("loses patience with a master that never answers", async () => {
    await answering(() => Promise.resolve());
    const handle = await follow({ silenceMs: 5, patienceMs: 20 });
    await expect(handle.result()).rejects.toMatchObject({ code: "BROKER_FAILED" });
  });

  test("cancels by asking the master, and waits until the job is over", async () => {
    await answering(async (message) => {
      expect(message).toMatchObject({ kind: "CancelJob", jobId });
      await announceEnd();
    });
    const handle = await follow();
    await handle.cancel();
    expect(await handle.result()).toEqual(result);
    await handle.cancel();
  });

  test("rejects the result with the reason for which following was given up", async () => {
    const handle = await follow();
    await handle.close(new Error("master gone"));
    await expect(handle.result()).rejects.toThrow("master gone");
  });
});
