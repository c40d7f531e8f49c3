// Owns a whole fleet in one process: broker, storage, journal, master, worker and client, put together for one job and
// taken apart when it is over. The same engine as a fleet's with other adapters; nothing of the engine is here.

import { availableParallelism } from "node:os";
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { v7 as newJobId } from "uuid";
import type { Bundle } from "../client/bundle.ts";
import type { ExecOptions } from "../client/exec-options.ts";
import { JobFollower, type JobHandle } from "../client/follow.ts";
import { stageJob } from "../client/stage.ts";
import { submitJob } from "../client/submit.ts";
import { MemoryJournal } from "../master/journal/memory-journal.ts";
import { startMaster, type Master } from "../master/main.ts";
import type { Broker } from "../shared/broker/broker.ts";
import { MemoryBrokerServer } from "../shared/broker/memory/memory-broker.ts";
import { MapReduceError } from "../shared/job/errors.ts";
import type { JobId } from "../shared/job/ids.ts";
import { bundleFile } from "../shared/job/places.ts";
import type { JobResult } from "../shared/job/result.ts";
import {
  checkedFields,
  resolveSpecification,
  type MapReduceSpecification,
} from "../shared/job/specification.ts";
import { FileStorage } from "../shared/storage/files/file-storage.ts";
import { startWorker, type UserOutput, type Worker } from "../worker/main.ts";
import { makeRunDirectory, type RunDirectory } from "./run-directory.ts";

const defaultScratchDirectory = "/tmp/mapreduce";

/** A worker of an embedded run. Those that claim different machines fetch each other's segments over HTTP. */
export interface EmbeddedWorker {
  readonly machine: string;
  readonly slots: number;
}

export interface EmbeddedOptions extends ExecOptions {
  /** The job's id, a UUID v7; a new one by default. */
  readonly id?: string;
  /** The job file's bundle, where the caller has made it already. */
  readonly bundle?: Bundle;
  /** Takes what user code prints and logs; by default its lines go to stderr. */
  readonly onUserOutput?: (output: UserOutput) => void;
  /** By default one, with all slots. */
  readonly workers?: readonly EmbeddedWorker[];
}

/**
 * Runs a specification on this machine: resolves once the job is accepted. Its module must be known, from the
 * specification or from `bundle`. By the time the result is there nothing is left of the run but its output.
 * @throws MapReduceError what stops the job before its first attempt; the reason of `signal` where it aborts before that
 */
export async function startEmbedded(
  specification: MapReduceSpecification,
  options: EmbeddedOptions = {},
): Promise<JobHandle> {
  const { signal, isolation = "process", id = newJobId() } = options;
  signal?.throwIfAborted();
  if (isolation === "none") {
    throw new MapReduceError("NOT_YET_AVAILABLE", `isolation "none": comes later, expected "process"`);
  }
  const run = new EmbeddedRun(specification, options, id);
  try {
    return await run.start();
  } catch (error) {
    await run.end();
    throw error;
  }
}

class EmbeddedRun {
  readonly #specification: MapReduceSpecification;
  readonly #options: EmbeddedOptions;
  readonly #id: JobId;
  readonly #scratchDirectory: string;
  readonly #server = new MemoryBrokerServer();
  /** A power cut ends an embedded job, whatever was on the disk by then. */
  readonly #storage = new FileStorage({ durability: "written" });
  readonly #undo = new AsyncDisposableStack();
  readonly #brokers: Broker[] = [];
  readonly #workers: Worker[] = [];
  #directory: RunDirectory | undefined;
  #master: Master | undefined;
  #follower: JobFollower | undefined;
  /** Aborts with the reason why the run can't go on. */
  readonly #failed = new AbortController();

  constructor(specification: MapReduceSpecification, options: EmbeddedOptions, id: JobId) {
    this.#specification = specification;
    this.#options = options;
    this.#id = id;
    this.#scratchDirectory = resolve(
      options.scratchDirectory ?? process.env["MAPREDUCE_SCRATCH_DIR"] ?? defaultScratchDirectory,
    );
    // Last first: executors end before the master clears what they may have written, and the folder goes last.
    this.#undo.defer(() => this.#directory?.remove());
    this.#undo.defer(() => eachOf(this.#brokers, (broker) => broker.close()));
    this.#undo.defer(() => this.#master?.stop());
    this.#undo.defer(() => eachOf(this.#workers, (worker) => worker.stop()));
    this.#undo.defer(() => this.#follower?.close(new Error("the run has ended")));
  }

  async start(): Promise<JobHandle> {
    // Everything here takes its time, and nothing waits for another: executors fork while esbuild runs.
    const [bundle, storageRoot] = await allOrNone([
      this.#bundle(),
      this.#startMaster(),
      ...this.#startWorkers(),
    ]);
    const document = resolveSpecification(this.#specification, {
      jobId: this.#id,
      bundle: bundleFile(storageRoot, this.#id, bundle.sha256),
      baseDirectory: dirname(fileURLToPath(checkedFields(this.#specification).module ?? bundle.moduleUrl)),
    });
    this.#options.signal?.throwIfAborted();
    const broker = this.#connect();
    const [follower, file] = await Promise.all([
      JobFollower.open(broker, this.#storage, this.#id),
      stageJob(this.#storage, storageRoot, document, bundle.code),
    ]);
    this.#follower = follower;
    this.#failed.signal.addEventListener("abort", () => void follower.close(this.#failed.signal.reason));
    const submission = { jobId: this.#id, document: file, brokerName: "this process" };
    await submitJob(broker, { ...submission, signal: this.#failed.signal });
    return this.#handle(follower);
  }

  /** Takes everything apart. Twice is fine. */
  end(): Promise<void> {
    return this.#undo.disposeAsync();
  }

  #handle(follower: JobFollower): JobHandle {
    const { signal, onProgress } = this.#options;
    const cancel = (): void => void follower.cancel().catch((error: unknown) => this.#failed.abort(error));
    if (signal?.aborted) cancel();
    signal?.addEventListener("abort", cancel);
    const report = async (): Promise<void> => {
      for await (const progress of follower.progress()) onProgress?.(progress);
    };
    const finish = async (): Promise<JobResult> => {
      try {
        const [result] = await Promise.all([follower.result(), report()]);
        return result;
      } finally {
        signal?.removeEventListener("abort", cancel);
        await this.end();
      }
    };
    const result = finish();
    // Whoever never asks for the result must not be ended by its rejection.
    result.catch(() => {});
    return {
      id: this.#id,
      progress: () => follower.progress(),
      result: () => result,
      cancel: async () => {
        await follower.cancel();
        await result;
      },
    };
  }

  async #bundle(): Promise<Bundle> {
    if (this.#options.bundle !== undefined) return this.#options.bundle;
    const { module } = checkedFields(this.#specification);
    if (module === undefined) {
      throw new MapReduceError(
        "SPECIFICATION_INVALID",
        `specification "${this.#specification.name}": module is left out, expected import.meta.url of its file`,
      );
    }
    const { bundleJob } = await import("../client/bundle.ts");
    return await bundleJob(module);
  }

  /** Starts the master; gives the URL below which the job's own files lie. */
  async #startMaster(): Promise<string> {
    this.#directory = await makeRunDirectory(this.#scratchDirectory, this.#id);
    const storageRoot = pathToFileURL(this.#directory.path).href;
    this.#master = await startMaster({
      broker: this.#connect(),
      storage: this.#storage,
      storageRoot,
      journal: new MemoryJournal(),
      onFailure: (error) => this.#failed.abort(error),
    });
    return storageRoot;
  }

  #startWorkers(): Promise<void>[] {
    const { slots = availableParallelism() } = this.#options;
    const { memory, secrets } = checkedFields(this.#specification);
    const { workers = [{ machine: "localhost", slots }], onUserOutput = printToStderr } = this.#options;
    return workers.map(async ({ machine, slots }) => {
      const worker = await startWorker({
        broker: this.#connect(),
        storage: this.#storage,
        scratchDirectory: this.#scratchDirectory,
        slots,
        machine,
        serve: workers.length > 1 ? {} : null,
        unfit: "goes on",
        memory,
        secrets: secretsOf(secrets),
        onUserOutput,
      });
      this.#workers.push(worker);
    });
  }

  #connect(): Broker {
    const broker = this.#server.connect();
    this.#brokers.push(broker);
    return broker;
  }
}

function secretsOf(names: readonly string[]): { readonly [name: string]: string } {
  const values = names.map((name) => {
    const value = process.env[name];
    if (value !== undefined) return [name, value] as const;
    throw new MapReduceError("SPECIFICATION_INVALID", `secret ${name}: not in the environment`);
  });
  return Object.fromEntries(values);
}

async function eachOf<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  await Promise.all(items.map(act));
}

function printToStderr({ line }: UserOutput): void {
  process.stderr.write(`${line}\n`);
}

/** Waits for all, so that nothing is still starting when the first error is thrown. */
async function allOrNone<T extends readonly unknown[]>(starting: {
  readonly [P in keyof T]: Promise<T[P]>;
}): Promise<T> {
  await Promise.allSettled(starting);
  return (await Promise.all(starting)) as T;
}
