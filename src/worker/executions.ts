// Owns one execution from its task message to its outcome: the job brought here, the sources of a reduce gathered, a slot,
// a folder of its own, and what is left of it afterwards. It reports nothing, except map outputs that are lost.

import type { Broker } from "../shared/broker/broker.ts";
import type { Split } from "../shared/job/document.ts";
import { MapReduceError } from "../shared/job/errors.ts";
import { parseTaskId, type ExecutionId, type Incarnation, type JobId } from "../shared/job/ids.ts";
import type { MapTask, ReduceTask, RunningExecution, TaskMessage } from "../shared/messages/messages.ts";
import type { Storage } from "../shared/storage/storage.ts";
import type { ExecutionOutcome } from "./executor/executor-process.ts";
import type { ExecutionRequest, LoadRequest, LostSegment } from "./executor/protocol.ts";
import type { LocalJobs } from "./local-jobs.ts";
import { MapOutputDirectory } from "./map-outputs.ts";
import type { Scratch } from "./scratch.ts";
import type { SegmentFetcher } from "./shuffle/fetch.ts";
import type { Slots } from "./slots.ts";
import { SourceGatherer } from "./source-gatherer.ts";

/** One execution, as long as it lasts. */
export interface Execution {
  readonly task: TaskMessage;
  readonly executionId: ExecutionId;
  /** Aborts when it is cancelled. */
  readonly abort: AbortController;
  state: RunningExecution["state"];
  /** How far it is in its state, 0 to 1. */
  fraction: number;
}

export interface ExecutionsOptions {
  readonly worker: Incarnation;
  readonly machine: string;
  readonly broker: Broker;
  readonly storage: Storage;
  readonly scratch: Scratch;
  readonly jobs: LocalJobs;
  readonly slots: Slots;
  readonly onChange: () => void;
  readonly onLost: (execution: Execution, lost: LostSegment, reason: string) => Promise<void>;
}

/** Runs executions of a worker. */
export class Executions {
  readonly #options: ExecutionsOptions;
  readonly #directories = new Map<JobId, MapOutputDirectory>();
  #fetcher: Promise<SegmentFetcher> | undefined;

  constructor(options: ExecutionsOptions) {
    this.#options = options;
  }

  /** Runs one execution; it never rejects with what user code or an executor did, only with what kept it from running. */
  async run(execution: Execution): Promise<ExecutionOutcome> {
    const { scratch, jobs } = this.#options;
    const { task, executionId } = execution;
    const job = await jobs.get(task.jobId, task.document);
    const folder = await scratch.makeExecution(task.jobId, executionId);
    try {
      const outcome = await (task.kind === "MapTask"
        ? this.#map(execution, task, job, folder)
        : this.#reduce(execution, task, job, folder));
      // Changed on this disk since it was brought: the next execution brings it anew.
      if (outcome.kind === "failed" && outcome.failure.code === "BUNDLE_INVALID") jobs.release(task.jobId);
      return outcome;
    } finally {
      await scratch.removeExecution(task.jobId, executionId);
    }
  }

  /** Forgets a job that is over. */
  async releaseJob(jobId: JobId): Promise<void> {
    const directory = this.#directories.get(jobId);
    this.#directories.delete(jobId);
    await directory?.stop();
  }

  /** Stops listening and fetching. Twice is fine. */
  async stop(): Promise<void> {
    await Promise.all([...this.#directories.keys()].map((jobId) => this.releaseJob(jobId)));
    const fetcher = this.#fetcher;
    this.#fetcher = undefined;
    await (await fetcher)?.close();
  }

  async #map(
    execution: Execution,
    task: MapTask,
    job: LoadRequest,
    folder: string,
  ): Promise<ExecutionOutcome> {
    const request: ExecutionRequest = {
      kind: "map",
      ...identity(execution, folder),
      splits: await this.#splits(task),
      segmentFile: this.#options.scratch.segmentPath(task),
      skip: task.skip,
      noteRecords: task.noteRecords,
    };
    return await this.#inSlot(execution, job, request);
  }

  async #splits({ splits, taskId }: MapTask): Promise<readonly Split[]> {
    if (!("url" in splits)) return splits;
    const bytes = await this.#options.storage.read(splits.url);
    const read: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (Array.isArray(read)) return read as readonly Split[];
    throw new MapReduceError(
      "MESSAGE_INVALID",
      `splits of map task ${taskId} at ${splits.url}: expected a list`,
    );
  }

  async #reduce(
    execution: Execution,
    task: ReduceTask,
    job: LoadRequest,
    folder: string,
  ): Promise<ExecutionOutcome> {
    const { worker, machine, onLost } = this.#options;
    const gatherer = new SourceGatherer({
      task,
      outputs: this.#directory(task),
      fetcher: () => this.#openFetcher(),
      worker,
      machine,
      folder,
      onFraction: (fraction) => (execution.fraction = fraction),
      onLost: (lost, reason) => onLost(execution, lost, reason),
    });
    for (;;) {
      this.#enter(execution, "fetching");
      const sources = await gatherer.gather(execution.abort.signal);
      const { partition } = task;
      const request: ExecutionRequest = {
        kind: "reduce",
        ...identity(execution, folder),
        partition,
        sources,
      };
      const outcome = await this.#inSlot(execution, job, request);
      if (outcome.kind !== "failed" || outcome.lost === undefined) return outcome;
      // Not the reduce has failed: it waits for that map to be run anew, and keeps all else.
      await gatherer.lose(outcome.lost, outcome.failure.message);
    }
  }

  async #inSlot(
    execution: Execution,
    job: LoadRequest,
    request: ExecutionRequest,
  ): Promise<ExecutionOutcome> {
    const { slots } = this.#options;
    const { signal } = execution.abort;
    const executor = await slots.acquire(job, signal);
    try {
      if (signal.aborted) return { kind: "cancelled" };
      this.#enter(execution, "running");
      const outcome = executor.run(request, {
        timeoutMs: job.document.taskTimeoutMs,
        onProgress: (fraction) => (execution.fraction = fraction),
      });
      const cancel = (): void => executor.cancel();
      signal.addEventListener("abort", cancel, { once: true });
      try {
        return await outcome;
      } finally {
        signal.removeEventListener("abort", cancel);
      }
    } finally {
      slots.release(executor);
    }
  }

  #enter(execution: Execution, state: RunningExecution["state"]): void {
    execution.state = state;
    execution.fraction = 0;
    this.#options.onChange();
  }

  #directory({ jobId, mapTasks }: ReduceTask): MapOutputDirectory {
    let directory = this.#directories.get(jobId);
    if (directory === undefined) {
      directory = new MapOutputDirectory(this.#options.broker, jobId, mapTasks);
      this.#directories.set(jobId, directory);
    }
    return directory;
  }

  #openFetcher(): Promise<SegmentFetcher> {
    this.#fetcher ??= import("./shuffle/fetch.ts").then(({ SegmentFetcher }) => new SegmentFetcher());
    return this.#fetcher;
  }
}

/** "reduce" for a reduce task's message; by its kind, which its id says too. */
export function phaseOf(task: TaskMessage): "map" | "reduce" {
  return task.kind === "MapTask" ? "map" : "reduce";
}

/** The number of a task whose id was decoded already. */
export function numberOf({ taskId }: TaskMessage): number {
  return parseTaskId(taskId)?.number ?? 0;
}

function identity({ task, executionId }: Execution, scratchDirectory: string) {
  const { jobId, taskId, attempt } = task;
  return { jobId, taskId, attempt, executionId, scratchDirectory };
}
