// Owns putting a worker together, and its starting and stopping. Nothing else of the worker knows all its parts.

import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { Broker, Consumer, Handler, Mailbox } from "../shared/broker/broker.ts";
import { mapQueue, ordersAddress, reduceQueue } from "../shared/broker/topology.ts";
import type { AttemptRef, Incarnation, JobId } from "../shared/job/ids.ts";
import { protocolVersion, type Message, type WorkerHeartbeat } from "../shared/messages/messages.ts";
import type { Storage } from "../shared/storage/storage.ts";
import { Executions } from "./executions.ts";
import { ExecutorProcess, type OutputStream } from "./executor/executor-process.ts";
import { OrphanGuard } from "./executor/guard.ts";
import { Heartbeat } from "./heartbeat.ts";
import { LocalJobs, type Secrets } from "./local-jobs.ts";
import { Scratch } from "./scratch.ts";
import type { SegmentServer, SegmentServerOptions } from "./shuffle/serve.ts";
import { Slots } from "./slots.ts";
import { Tasks } from "./tasks.ts";

/** A line that user code printed or logged, and the attempt that ran then, if any. */
export interface UserOutput {
  readonly line: string;
  readonly stream: OutputStream;
  readonly attempt: AttemptRef | undefined;
}

export interface WorkerOptions {
  readonly broker: Broker;
  readonly storage: Storage;
  /** Made where it is missing; several workers may share one. */
  readonly scratchDirectory: string;
  /** Executions that run at once, 1 or more. */
  readonly slots: number;
  /** What it advertises as its host, by default the host's name: workers of one machine read each other's files in place. */
  readonly machine?: string;
  /** How it serves its map outputs to other machines; null where there are none. */
  readonly serve: SegmentServerOptions | null;
  readonly onUserOutput: (output: UserOutput) => void;
  /** Values of jobs' secrets, by name; none by default. */
  readonly secrets?: Secrets;
  /** Milliseconds between heartbeats, 3 seconds by default. */
  readonly heartbeatMs?: number;
  /** How long a task message is held unacknowledged, in milliseconds; 10 minutes by default. */
  readonly holdLimitMs?: number;
  /** What a worker with an unusable scratch disk does: by default it takes no task; one that is alone goes on, and fails them. */
  readonly unfit?: "takes no task" | "goes on";
  /** Resident bytes of the executors that are forked before a job is known; 512 MiB by default, as in a specification. */
  readonly memory?: number;
}

/** A running worker. */
export interface Worker {
  readonly incarnation: Incarnation;
  /**
   * Takes no more tasks, finishes those it has, and serves its map outputs until their jobs are released; then stops.
   * What is not over after `deadlineMs` is given up. 30 seconds by default.
   */
  drain(deadlineMs?: number): Promise<void>;
  /** Gives up what runs, ends every executor, removes its scratch. The broker stays open. Twice is fine. */
  stop(): Promise<void>;
}

/** Two missed ones are what a master waits for until it takes an attempt for lost. */
const defaultHeartbeatMs = 3_000;
/** Far below every broker's acknowledgement time-out: 30 minutes by default. */
const defaultHoldLimitMs = 10 * 60_000;
const defaultMemory = 512 * 2 ** 20;
const defaultDrainMs = 30_000;

/**
 * Starts a worker; resolves when it takes tasks.
 * @throws MapReduceError SCRATCH_UNUSABLE, BROKER_FAILED
 */
export async function startWorker(options: WorkerOptions): Promise<Worker> {
  const worker = new RunningWorker(options);
  try {
    await worker.start();
  } catch (error) {
    await worker.stop();
    throw error;
  }
  return worker;
}

class RunningWorker implements Worker {
  readonly incarnation: Incarnation = randomUUID();
  readonly #options: WorkerOptions;
  readonly #machine: string;
  readonly #guard = new OrphanGuard();
  readonly #slots: Slots;
  readonly #heartbeat: Heartbeat;
  readonly #executions: Executions;
  readonly #tasks: Tasks;
  readonly #jobs: LocalJobs;
  readonly #scratch: Scratch;
  readonly #consumers: { phase: "map" | "reduce"; room: number; consumer: Consumer }[] = [];
  #server: SegmentServer | undefined;
  #address: string | null = null;
  #mailbox: Mailbox | undefined;
  #draining = false;
  #unfit: string | null = null;
  #probedAtMs = Number.NEGATIVE_INFINITY;
  /** Resolved at the next change. */
  #changed = Promise.withResolvers<void>();
  #stopped: Promise<void> | undefined;

  constructor(options: WorkerOptions) {
    const { broker, storage, slots, scratchDirectory } = options;
    const { machine = hostname(), secrets = {}, memory = defaultMemory } = options;
    const { heartbeatMs = defaultHeartbeatMs, holdLimitMs = defaultHoldLimitMs } = options;
    const worker = this.incarnation;
    const onChange = (): void => this.#change();
    this.#options = options;
    this.#machine = machine;
    // First of all: they take longer to be ready than everything else.
    this.#slots = new Slots({ count: slots, memory, fork: (size) => this.#fork(size) });
    this.#scratch = new Scratch(scratchDirectory, worker);
    this.#jobs = new LocalJobs(storage, this.#scratch, secrets);
    this.#executions = new Executions({
      worker,
      machine,
      broker,
      storage,
      scratch: this.#scratch,
      jobs: this.#jobs,
      slots: this.#slots,
      onChange,
      onLost: (execution, lost, reason) => this.#tasks.reportLost(execution, lost, reason),
    });
    this.#tasks = new Tasks({
      worker,
      broker,
      holdLimitMs,
      run: (execution) => this.#executions.run(execution),
      onMapOutput: ({ task, executionId }) => {
        this.#server?.addJob(task.jobId, task.shuffleToken);
        this.#server?.addOutput(task.jobId, executionId, this.#scratch.segmentPath(task));
      },
      onRelease: (jobId) => this.#release(jobId),
      onScratchFailure: () => (this.#probedAtMs = Number.NEGATIVE_INFINITY),
      onChange,
    });
    this.#heartbeat = new Heartbeat({
      broker,
      intervalMs: heartbeatMs,
      state: (sequence) => this.#state(sequence, heartbeatMs),
    });
  }

  async start(): Promise<void> {
    await Promise.all([this.#scratch.open(), this.#serve()]);
    const { broker } = this.#options;
    this.#mailbox = await broker.openMailbox(this.#order, ordersAddress(this.incarnation));
    // Its first words, before any report: who it is.
    await this.#heartbeat.start();
    for (const [phase, queue] of [
      ["map", mapQueue],
      ["reduce", reduceQueue],
    ] as const) {
      const room = this.#room(phase);
      this.#consumers.push({ phase, room, consumer: await broker.consume(queue, room, this.#task) });
    }
    this.#change();
  }

  async drain(deadlineMs = defaultDrainMs): Promise<void> {
    this.#draining = true;
    this.#change();
    const deadline = Promise.withResolvers<"deadline">();
    const timer = setTimeout(() => deadline.resolve("deadline"), deadlineMs);
    try {
      await Promise.race([this.#unneeded(), deadline.promise]);
    } finally {
      clearTimeout(timer);
    }
    await this.stop();
  }

  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  async #stop(): Promise<void> {
    const consumed = this.#consumers.map(({ consumer }) => consumer.stop());
    const mailbox = this.#mailbox?.close();
    // Their executors are killed at once: nothing that they do counts any more.
    await Promise.all([this.#tasks.stop(), this.#slots.stop(), ...consumed, mailbox]);
    await Promise.all([this.#heartbeat.stop(), this.#executions.stop(), this.#server?.stop()]);
    this.#guard.stop();
    await this.#scratch.close();
  }

  /** Resolves when it runs nothing and holds no map output that a job may still need. */
  async #unneeded(): Promise<void> {
    while (this.#tasks.executions.length > 0 || this.#tasks.mapOutputs.length > 0)
      await this.#changed.promise;
  }

  readonly #task: Handler = async (message) => {
    if (message.kind === "MapTask" || message.kind === "ReduceTask") return await this.#tasks.handle(message);
    return {
      deadLetter: `worker: found a ${message.kind} among the tasks, expected a MapTask or ReduceTask`,
    };
  };

  /** What comes to this worker alone is not acknowledged: heartbeats tell the master what it has not heeded. */
  readonly #order = (message: Message): void => {
    void this.#obey(message).catch((error: unknown) => {
      this.#unfit = error instanceof Error ? error.message : String(error);
      this.#change();
    });
  };

  async #obey(message: Message): Promise<void> {
    switch (message.kind) {
      case "MapTask":
      case "ReduceTask":
        await this.#tasks.handle(message);
        return;
      case "CancelAttempt":
        this.#tasks.cancel(message);
        return;
      case "ReleaseJob":
        await this.#tasks.release(message);
        return;
      default:
        // Not an order, and nobody waits for an answer.
        return;
    }
  }

  async #release(jobId: JobId): Promise<void> {
    this.#slots.releaseJob(jobId);
    this.#jobs.release(jobId);
    this.#server?.removeJob(jobId);
    await this.#executions.releaseJob(jobId);
    await this.#scratch.removeJob(jobId);
  }

  async #serve(): Promise<void> {
    if (this.#options.serve === null) return;
    const { SegmentServer } = await import("./shuffle/serve.ts");
    this.#server = new SegmentServer(this.#options.serve);
    this.#address = await this.#server.start();
  }

  #fork(memory: number): ExecutorProcess {
    return new ExecutorProcess({
      memory,
      directory: "/",
      guard: this.#guard,
      onOutput: (line, stream, request) => this.#options.onUserOutput({ line, stream, attempt: request }),
    });
  }

  #change(): void {
    for (const each of this.#consumers) {
      const room = this.#room(each.phase);
      if (room !== each.room) each.consumer.setRoom(room);
      each.room = room;
    }
    this.#heartbeat.change();
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }

  /** How many messages of a phase it may hold: as many as it can run, besides those that it holds no message of. */
  #room(phase: "map" | "reduce"): number {
    const idle = this.#draining || (this.#unfit !== null && this.#options.unfit !== "goes on");
    if (idle) return 0;
    const reducing = phase === "map" ? this.#tasks.count("reduce", "running") : 0;
    return Math.max(0, this.#slots.count - this.#tasks.count(phase, "leased") - reducing);
  }

  async #state(sequence: number, heartbeatMs: number): Promise<WorkerHeartbeat> {
    if (performance.now() - this.#probedAtMs >= heartbeatMs) {
      this.#probedAtMs = performance.now();
      const unfit = await this.#scratch.problem();
      const changed = unfit !== this.#unfit;
      this.#unfit = unfit;
      if (changed) this.#change();
    }
    return {
      kind: "WorkerHeartbeat",
      protocol: protocolVersion,
      worker: this.incarnation,
      sequence,
      machine: this.#machine,
      address: this.#address,
      scratchDirectory: this.#scratch.directory,
      slots: this.#slots.count,
      freeSlots: this.#slots.free,
      draining: this.#draining,
      unfit: this.#unfit,
      executions: this.#tasks.executions,
      ...(sequence === 1 ? { mapOutputs: this.#tasks.mapOutputs } : {}),
    };
  }
}
