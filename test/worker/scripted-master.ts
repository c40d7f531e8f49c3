// A master as tests script it: it hears all that workers say, and says what the test tells it to.

import { vi } from "vitest";
import { createHash, randomUUID } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Broker } from "../../src/shared/broker/broker.ts";
import { mapQueue, masterQueue, ordersAddress, reduceQueue } from "../../src/shared/broker/topology.ts";
import type { HashedFile, JobDocument } from "../../src/shared/job/document.ts";
import type {
  AttemptSucceeded,
  MapTask,
  Message,
  ReadyMapOutput,
  ReduceTask,
  WorkerHeartbeat,
  WorkerMapOutputs,
} from "../../src/shared/messages/messages.ts";
import { mapperBundle, writeJob } from "./executor/job-fixture.ts";

const hash = (text: string): string => createHash("sha256").update(text).digest("hex");

/** A job in storage, of one input file of two lines, with the mapper body given. */
export function stageJob(folder: string, body: string, changes: Partial<JobDocument> = {}) {
  const jobId = randomUUID();
  const staging = join(folder, "storage", jobId);
  mkdirSync(staging, { recursive: true });
  const job = writeJob(staging, mapperBundle(body), { jobId, ...changes });
  const text = JSON.stringify(job.document);
  writeFileSync(join(staging, "document.json"), text);
  const document: HashedFile = {
    url: pathToFileURL(join(staging, "document.json")).href,
    sha256: hash(text),
  };
  return { jobId, document, split: job.split, output: job.document.output };
}

export type StagedJob = ReturnType<typeof stageJob>;

export class ScriptedMaster {
  readonly heard: Message[] = [];
  /** What it answers to QueryMapOutputs. */
  outputs: WorkerMapOutputs[] = [];
  sequence = 0;
  epoch = 1;
  readonly #broker: Broker;

  private constructor(broker: Broker) {
    this.#broker = broker;
  }

  static async start(broker: Broker): Promise<ScriptedMaster> {
    const master = new ScriptedMaster(broker);
    await broker.consume(masterQueue, 1_000, async (message) => {
      master.heard.push(message);
      if (message.kind === "QueryMapOutputs") {
        await broker.send(message.replyTo, {
          kind: "MapOutputs",
          ...master.#words(message.jobId),
          sequence: master.sequence,
          workers: master.outputs,
          nextMap: null,
        });
      }
      return "ack";
    });
    return master;
  }

  async giveMap(job: StagedJob, changes: Partial<MapTask> = {}): Promise<MapTask> {
    const task: MapTask = {
      kind: "MapTask",
      ...this.#words(job.jobId),
      taskId: "m0",
      attempt: 1,
      document: job.document,
      shuffleToken: "token-of-this-job",
      backup: false,
      splits: [job.split],
      skip: [],
      noteRecords: false,
      ...changes,
    };
    await this.#broker.send(mapQueue, task);
    return task;
  }

  async giveReduce(job: StagedJob, changes: Partial<ReduceTask> = {}): Promise<void> {
    await this.#broker.send(reduceQueue, {
      kind: "ReduceTask",
      ...this.#words(job.jobId),
      taskId: "r0",
      attempt: 1,
      document: job.document,
      shuffleToken: "token-of-this-job",
      backup: false,
      partition: 0,
      mapTasks: 1,
      ...changes,
    });
  }

  async cancel(worker: string, task: MapTask): Promise<void> {
    const { jobId, taskId, attempt } = task;
    const order = { kind: "CancelAttempt", ...this.#words(jobId), taskId, attempt } as const;
    await this.#broker.send(ordersAddress(worker), order);
  }

  async release(worker: string, jobId: string): Promise<void> {
    await this.#broker.send(ordersAddress(worker), { kind: "ReleaseJob", ...this.#words(jobId) });
  }

  /** Announces a map's output as its report named it. */
  async announce(report: AttemptSucceeded, changes: Partial<WorkerMapOutputs> = {}): Promise<void> {
    const heartbeat = this.all("WorkerHeartbeat").findLast(({ worker }) => worker === report.worker);
    if (heartbeat === undefined) throw new Error("announce: a report of a worker that was not heard");
    const { machine, address, scratchDirectory } = heartbeat;
    const { worker, taskId, attempt, executionId } = report;
    const output: ReadyMapOutput = { map: Number(taskId.slice(1)), attempt, executionId };
    const workers = [{ worker, machine, address, scratchDirectory, outputs: [output], ...changes }];
    this.outputs.push(...workers);
    const sequence = ++this.sequence;
    await this.#broker.announce({ kind: "MapOutputReady", ...this.#words(report.jobId), sequence, workers });
  }

  /** All that was heard of a kind. */
  all<K extends Message["kind"]>(kind: K): Extract<Message, { readonly kind: K }>[] {
    return this.heard.filter((message) => message.kind === kind) as Extract<Message, { readonly kind: K }>[];
  }

  /** Waits for the nth message of a kind. */
  async hear<K extends Message["kind"]>(kind: K, nth = 1): Promise<Extract<Message, { readonly kind: K }>> {
    return await vi.waitUntil(() => this.all(kind)[nth - 1], { timeout: 20_000, interval: 10 });
  }

  /** Waits for a heartbeat that says this. */
  async hearHeartbeat(says: (heartbeat: WorkerHeartbeat) => boolean): Promise<WorkerHeartbeat> {
    return await vi.waitUntil(() => this.all("WorkerHeartbeat").find(says), {
      timeout: 20_000,
      interval: 10,
    });
  }

  #words(jobId: string) {
    return { protocol: 1, epoch: this.epoch, jobId } as const;
  }
}
