// Owns the worker's slots: a bounded number of executors, forked before they are needed, given to executions in the order
// in which they ask. It knows nothing of attempts and messages.

import type { JobId } from "../shared/job/ids.ts";
import type { ExecutorProcess } from "./executor/executor-process.ts";
import type { LoadRequest } from "./executor/protocol.ts";

/** An execution that waits for a slot. */
interface Waiting {
  readonly job: LoadRequest;
  readonly give: (executor: ExecutorProcess) => void;
}

export interface SlotsOptions {
  readonly count: number;
  /** Memory of the executors that are forked before a job is known: the default of a specification. */
  readonly memory: number;
  readonly fork: (memory: number) => ExecutorProcess;
}

/** The slots of a worker. Not more executions wait than the worker takes messages: twice as many as there are slots. */
export class Slots {
  readonly count: number;
  readonly #options: SlotsOptions;
  /** With the busy ones no more than slots, and fewer after a job was released. */
  #idle: ExecutorProcess[];
  readonly #busy = new Set<ExecutorProcess>();
  /** Executors that are being ended, until they are gone. */
  readonly #ending = new Set<Promise<void>>();
  readonly #waiting: Waiting[] = [];
  /** What generic executors are forked with: what the latest job asked for is what the next one most likely will. */
  #memory: number;
  #stopped = false;

  /** Forks one generic executor for each slot. */
  constructor(options: SlotsOptions) {
    this.#options = options;
    this.count = options.count;
    this.#memory = options.memory;
    this.#idle = Array.from({ length: options.count }, () => options.fork(options.memory));
  }

  get free(): number {
    return this.count - this.#busy.size;
  }

  /**
   * Waits for a slot and gives its executor, with this job loaded. Give it back with `release`.
   * @throws the signal's reason when it aborts before
   */
  async acquire(job: LoadRequest, signal: AbortSignal): Promise<ExecutorProcess> {
    signal.throwIfAborted();
    if (this.#stopped) throw new Error("slots: asked for one after they were stopped");
    if (this.free > 0) return this.#take(job);
    const { promise, resolve, reject } = Promise.withResolvers<ExecutorProcess>();
    const waiting: Waiting = { job, give: resolve };
    this.#waiting.push(waiting);
    const giveUp = (): void => {
      const at = this.#waiting.indexOf(waiting);
      if (at >= 0) this.#waiting.splice(at, 1);
      reject(signal.reason);
    };
    signal.addEventListener("abort", giveUp, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener("abort", giveUp);
    }
  }

  /** Frees a slot. An executor that has ended is replaced at once, so that the next execution finds one ready. */
  release(executor: ExecutorProcess): void {
    this.#busy.delete(executor);
    if (this.#stopped) return;
    this.#idle.push(executor.usable ? executor : this.#fork());
    const next = this.#waiting.shift();
    if (next !== undefined) next.give(this.#take(next.job));
  }

  /**
   * Ends the idle executors of a job that is over; the busy ones are whoever cancels their executions'. They are replaced
   * when a task asks for one: a worker that ends with its job would fork them for nothing.
   */
  releaseJob(jobId: JobId): void {
    const over = this.#idle.filter((executor) => executor.jobId === jobId);
    this.#idle = this.#idle.filter((executor) => executor.jobId !== jobId);
    for (const executor of over) this.#end(executor);
  }

  /** Ends every executor, whatever it runs; resolves when they are gone. Twice is fine. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const executor of [...this.#idle, ...this.#busy]) this.#end(executor);
    await Promise.all(this.#ending);
  }

  /** The best of the idle ones: one that serves the job already, else a generic one, else a new one, in place of another's. */
  #take(job: LoadRequest): ExecutorProcess {
    const { jobId, memory } = job.document;
    this.#memory = memory;
    const serving = this.#idle.findIndex((each) => each.usable && each.jobId === jobId);
    const generic = this.#idle.findIndex(
      (each) => each.usable && each.jobId === undefined && each.memory === memory,
    );
    const suitable = serving >= 0 ? serving : generic;
    if (suitable < 0 && this.#idle.length === this.free) {
      for (const executor of this.#idle.splice(0, 1)) this.#end(executor);
    }
    const executor = suitable < 0 ? this.#fork() : this.#idle.splice(suitable, 1)[0];
    if (executor.jobId === undefined) executor.load(job);
    this.#busy.add(executor);
    return executor;
  }

  #end(executor: ExecutorProcess): void {
    const ending = executor.stop().finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
  }

  #fork(): ExecutorProcess {
    return this.#options.fork(this.#memory);
  }
}
