// Owns a simulated worker: the behaviour of src/worker towards master, queues and other workers, without processes and
// bytes. An execution takes time and succeeds or fails by the scenario; attempts are told apart as in src/worker/tasks.ts.

import type { ErrorCode } from "../shared/job/errors.ts";
import { taskId, type ExecutionId, type Incarnation, type JobId, type Phase } from "../shared/job/ids.ts";
import {
  protocolVersion,
  type AttemptFailed,
  type AttemptLeased,
  type AttemptSucceeded,
  type MapOutputLost,
  type WorkerHeartbeat,
} from "../shared/messages/messages.ts";
import { SimulatedGatherer } from "./gather.ts";
import { SimulatedMapOutputs, type AskForPage, type Batch, type Place } from "./map-outputs.ts";
import type { Delivery, SimulatedTask, TaskConsumer, TaskQueues } from "./task-queues.ts";
import type { World } from "./world.ts";

const heartbeatMs = 3_000;
const coalesceMs = 50;
/** From a report's sending until the broker has confirmed it. */
const confirmMs = 1;

export type WorkerReport = AttemptSucceeded | AttemptFailed | AttemptLeased | MapOutputLost;

export interface SimulatedWorkerOptions {
  readonly world: World;
  readonly incarnation: Incarnation;
  readonly machine: string;
  readonly slots: number;
  /** How many times longer than others it takes. */
  readonly slowness: number;
  readonly queues: TaskQueues;
  readonly toMaster: (message: WorkerReport | WorkerHeartbeat) => void;
  readonly askForPage: AskForPage;
  /** What all workers know of jobs' map outputs, where there are no faults: 2,000 lists of 200,000 maps are too many. */
  readonly shared: Map<JobId, SimulatedMapOutputs> | undefined;
  /** Whether a map output can be had from the worker that holds it. */
  readonly holds: (place: Place) => boolean;
}

interface SimulatedExecution {
  readonly task: SimulatedTask;
  readonly executionId: ExecutionId;
  readonly deliveries: Set<Delivery>;
  state: "waiting" | "fetching" | "running";
  gatherer: SimulatedGatherer | undefined;
  startedMs: number;
  durationMs: number;
  leased: boolean;
  over: boolean;
}

/** One incarnation of a worker. */
export class SimulatedWorker implements TaskConsumer {
  readonly incarnation: Incarnation;
  readonly machine: string;
  readonly #options: SimulatedWorkerOptions;
  readonly #executions = new Map<string, SimulatedExecution>();
  /** By attempt; undefined where it was cancelled. */
  readonly #reports = new Map<string, AttemptSucceeded | AttemptFailed | undefined>();
  readonly #released = new Set<JobId>();
  readonly #held = new Map<ExecutionId, JobId>();
  readonly #directories = new Map<JobId, SimulatedMapOutputs>();
  readonly #waiting: SimulatedExecution[] = [];
  #busy = 0;
  #serial = 0;
  #sequence = 0;
  #epoch = 0;
  #changed = false;
  #timer = 0;
  alive = true;
  /** Nothing reaches it and nothing comes from it until then; what it runs goes on. */
  #pausedUntilMs = 0;

  constructor(options: SimulatedWorkerOptions) {
    this.#options = options;
    this.incarnation = options.incarnation;
    this.machine = options.machine;
    this.#beat();
    options.queues.look(this);
  }

  get reachable(): boolean {
    return this.alive && this.#options.world.clock.nowMs >= this.#pausedUntilMs;
  }

  get idle(): boolean {
    return this.#executions.size === 0;
  }

  holds(executionId: ExecutionId): boolean {
    return this.reachable && this.#held.has(executionId);
  }

  follows(jobId: JobId): boolean {
    return this.#directories.has(jobId);
  }

  room(phase: Phase): number {
    let room = this.#options.slots;
    for (const { task, leased, state } of this.#executions.values()) {
      if (task.phase === phase ? leased : phase === "map" && state === "running") room--;
    }
    return this.alive ? Math.max(0, room) : 0;
  }

  /** A message of a shared queue. */
  take(delivery: Delivery): void {
    this.#receive(() => this.#handle(delivery.task, delivery));
  }

  /** A task in its own mailbox. */
  order(task: SimulatedTask): void {
    this.#receive(() => this.#handle(task, undefined));
  }

  cancel(task: Omit<SimulatedTask, "mapTasks">): void {
    this.#receive(() => {
      const execution = this.#executions.get(keyOf(task));
      if (this.#accepts(task.epoch) && execution !== undefined) this.#abort(execution);
    });
  }

  release(jobId: JobId, epoch: number): void {
    this.#receive(() => {
      if (!this.#accepts(epoch)) return;
      this.#released.add(jobId);
      for (const execution of [...this.#executions.values()])
        if (execution.task.jobId === jobId) this.#abort(execution);
      for (const [executionId, owner] of this.#held) if (owner === jobId) this.#held.delete(executionId);
      this.#directories.get(jobId)?.stop();
      this.#directories.delete(jobId);
      this.#change();
    });
  }

  hear(jobId: JobId, batch: Batch): void {
    this.#receive(() => this.#directories.get(jobId)?.hear(batch));
  }

  /** Ends without a word. */
  die(): void {
    this.alive = false;
    for (const execution of this.#executions.values()) this.#end(execution);
    for (const directory of this.#directories.values()) directory.stop();
    this.#options.queues.giveBack(this, true);
  }

  /** Is cut off for a while; with its connection, what it has not settled goes to others. */
  pause(ms: number, losesConnection: boolean): void {
    this.#pausedUntilMs = this.#options.world.clock.nowMs + ms;
    if (losesConnection) this.#options.queues.giveBack(this, false);
  }

  #receive(act: () => void): void {
    const { clock } = this.#options.world;
    const waitMs = this.#pausedUntilMs - clock.nowMs;
    if (!this.alive) return;
    if (waitMs > 0) clock.after(waitMs, () => this.#receive(act));
    else act();
  }

  #send(message: WorkerReport | WorkerHeartbeat): void {
    const { world, toMaster } = this.#options;
    const waitMs = Math.max(0, this.#pausedUntilMs - world.clock.nowMs);
    // A lost output is reported until the broker has confirmed it; of all else, heartbeats tell.
    const carriage = message.kind === "MapOutputLost" ? "arrives" : "any";
    if (waitMs === 0) world.carry(carriage, () => toMaster(message));
    else world.clock.after(waitMs, () => this.alive && world.carry(carriage, () => toMaster(message)));
  }

  #accepts(epoch: number): boolean {
    if (epoch < this.#epoch) return false;
    this.#epoch = epoch;
    return true;
  }

  #handle(task: SimulatedTask, delivery: Delivery | undefined): void {
    const { queues } = this.#options;
    if (delivery?.settled === true) return;
    const settle = (): void => {
      if (delivery !== undefined) queues.settle(delivery, "ack");
    };
    if (!this.#accepts(task.epoch) || this.#released.has(task.jobId)) return settle();
    const key = keyOf(task);
    if (this.#reports.has(key) && !this.#executions.has(key)) {
      const report = this.#reports.get(key);
      if (report !== undefined) this.#send(report);
      return settle();
    }
    const execution = this.#executions.get(key) ?? this.#begin(key, task);
    if (delivery === undefined) return;
    execution.deliveries.add(delivery);
    this.#options.world.clock.after(this.#options.world.scenario.holdLimitMs, () =>
      this.#lease(execution, delivery),
    );
  }

  #lease(execution: SimulatedExecution, delivery: Delivery): void {
    if (execution.over || !this.alive || delivery.settled) return;
    this.#send({ kind: "AttemptLeased", ...this.#about(execution) });
    execution.leased = true;
    execution.deliveries.delete(delivery);
    this.#options.queues.settle(delivery, "ack");
    this.#change();
  }

  #begin(key: string, task: SimulatedTask): SimulatedExecution {
    const { world } = this.#options;
    const executionId = `${this.incarnation}.${++this.#serial}`;
    const { jobId, phase, number } = task;
    world.ledger.executions.set(executionId, { jobId, phase, number, outcome: "unknown", sources: [] });
    const execution: SimulatedExecution = {
      task,
      executionId,
      deliveries: new Set(),
      state: "waiting",
      gatherer: undefined,
      startedMs: 0,
      durationMs: 0,
      leased: false,
      over: false,
    };
    this.#executions.set(key, execution);
    if (phase === "map") this.#wantSlot(execution);
    else this.#gather(execution);
    this.#change();
    return execution;
  }

  #gather(execution: SimulatedExecution): void {
    const { world, holds } = this.#options;
    execution.state = "fetching";
    execution.gatherer = new SimulatedGatherer({
      world,
      outputs: this.#directory(execution.task.jobId),
      maps: execution.task.mapTasks,
      holds,
      onLost: ({ map, executionId }) =>
        this.#send({
          kind: "MapOutputLost",
          ...this.#about(execution),
          lost: { map, executionId, reason: "its worker does not answer" },
        }),
      onComplete: () => this.#wantSlot(execution),
    });
  }

  #directory(jobId: JobId): SimulatedMapOutputs {
    const { world, askForPage, shared } = this.#options;
    let directory = shared?.get(jobId) ?? this.#directories.get(jobId);
    if (directory === undefined) {
      directory = new SimulatedMapOutputs(world, jobId, (...asked) => {
        if (this.reachable) askForPage(...asked);
      });
      shared?.set(jobId, directory);
    }
    this.#directories.set(jobId, directory);
    return directory;
  }

  #wantSlot(execution: SimulatedExecution): void {
    if (this.#busy < this.#options.slots) this.#run(execution);
    else this.#waiting.push(execution);
  }

  #run(execution: SimulatedExecution): void {
    const { world, slowness } = this.#options;
    const { phase } = execution.task;
    const [shortest, longest] = phase === "map" ? world.scenario.mapMs : world.scenario.reduceMs;
    this.#busy++;
    execution.state = "running";
    execution.startedMs = world.clock.nowMs;
    execution.durationMs = world.random.between(shortest, longest) * slowness;
    world.clock.after(execution.durationMs, () => {
      if (!execution.over) this.#finish(execution);
    });
    this.#change();
  }

  #finish(execution: SimulatedExecution): void {
    const { world, queues } = this.#options;
    const key = keyOf(execution.task);
    const report = world.fails("userFailure") ? this.#failed(execution) : this.#succeeded(execution);
    this.#reports.set(key, report);
    this.#send(report);
    this.#end(execution);
    world.clock.after(confirmMs, () => {
      if (!this.alive) return;
      this.#executions.delete(key);
      for (const delivery of execution.deliveries) queues.settle(delivery, "ack");
      this.#change();
    });
  }

  #succeeded(execution: SimulatedExecution): AttemptSucceeded {
    const { ledger, scenario } = this.#options.world;
    const { faults } = scenario;
    const { task, executionId, gatherer } = execution;
    const made = ledger.executions.get(executionId);
    if (made !== undefined) {
      made.outcome = "succeeded";
      made.sources = gatherer?.sources ?? [];
    }
    // Each task's own, to see that it is counted once; without faults that is not in question, and the names are many.
    const counters = faults === null ? {} : { [taskId(task.phase, task.number)]: 1 };
    if (task.phase === "map") {
      this.#held.set(executionId, task.jobId);
      const report = { phase: "map", counters, segmentBytes: 1, skippedRecords: [] } as const;
      return { kind: "AttemptSucceeded", ...this.#about(execution), report };
    }
    const pendingOutputs = [ledger.write(executionId, task.jobId, task.number)];
    const report = { phase: "reduce", counters, pendingOutputs, largestGroups: [] } as const;
    return { kind: "AttemptSucceeded", ...this.#about(execution), report };
  }

  #failed(execution: SimulatedExecution): AttemptFailed {
    const made = this.#options.world.ledger.executions.get(execution.executionId);
    if (made !== undefined) made.outcome = "failed";
    const code: ErrorCode = "USER_CODE_THREW";
    return {
      kind: "AttemptFailed",
      ...this.#about(execution),
      failure: { code, message: "simulated: threw" },
    };
  }

  #abort(execution: SimulatedExecution): void {
    if (execution.over) return;
    const key = keyOf(execution.task);
    this.#reports.set(key, undefined);
    this.#executions.delete(key);
    this.#end(execution);
    for (const delivery of execution.deliveries) this.#options.queues.settle(delivery, "ack");
    this.#change();
  }

  /** Gives up its slot and its sources. */
  #end(execution: SimulatedExecution): void {
    if (execution.over) return;
    execution.over = true;
    execution.gatherer?.stop();
    if (execution.state === "running") this.#busy--;
    const at = this.#waiting.indexOf(execution);
    if (at >= 0) this.#waiting.splice(at, 1);
    if (!this.alive || this.#busy >= this.#options.slots) return;
    const next = this.#waiting.shift();
    if (next !== undefined) this.#run(next);
  }

  #change(): void {
    this.#options.queues.look(this);
    if (this.#changed) return;
    this.#changed = true;
    this.#beatAfter(coalesceMs);
  }

  #beatAfter(ms: number): void {
    const timer = ++this.#timer;
    this.#options.world.clock.after(ms, () => {
      if (this.alive && timer === this.#timer) this.#beat();
    });
  }

  #beat(): void {
    this.#changed = false;
    const { world, slots } = this.#options;
    this.#send({
      kind: "WorkerHeartbeat",
      protocol: protocolVersion,
      worker: this.incarnation,
      sequence: ++this.#sequence,
      machine: this.machine,
      address: `http://${this.machine}`,
      scratchDirectory: "/tmp/simulated",
      slots,
      freeSlots: slots - this.#busy,
      draining: false,
      unfit: null,
      executions: Array.from(this.#executions.values(), (execution) => ({
        ...attemptOf(execution.task),
        executionId: execution.executionId,
        state: execution.state,
        fraction:
          execution.state === "running"
            ? Math.min(1, (world.clock.nowMs - execution.startedMs) / execution.durationMs)
            : (execution.gatherer?.fraction ?? 0),
      })),
    });
    this.#beatAfter(heartbeatMs);
  }

  #about({ task, executionId }: SimulatedExecution) {
    const worker = this.incarnation;
    return { protocol: protocolVersion, ...attemptOf(task), executionId, worker } as const;
  }
}

function attemptOf({ jobId, phase, number, attempt }: Omit<SimulatedTask, "mapTasks">) {
  return { jobId, taskId: taskId(phase, number), attempt } as const;
}

function keyOf({ jobId, phase, number, attempt }: Omit<SimulatedTask, "mapTasks">): string {
  return `${jobId}/${taskId(phase, number)}/${attempt}`;
}
