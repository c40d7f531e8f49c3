// Owns what becomes of task messages: one execution for each attempt, however often its message comes; a report that is
// confirmed before the message is acknowledged; a lease where that takes too long. It decides nothing about retries.
//
//   message --> execution --> outcome --> report confirmed --> ack
//                   `-- older than the hold limit --> AttemptLeased confirmed --> ack; the report follows
//   again, while it runs: adopted, settled with it        again, when it is over: its report is sent again
//   cancelled: ack without a report        the worker stops: requeue, for another worker

import type { Broker, Settlement } from "../shared/broker/broker.ts";
import { masterQueue } from "../shared/broker/topology.ts";
import { MapReduceError, toFailure } from "../shared/job/errors.ts";
import type { AttemptRef, Incarnation, JobId } from "../shared/job/ids.ts";
import {
  protocolVersion,
  type AttemptFailed,
  type AttemptSucceeded,
  type CancelAttempt,
  type HeldMapOutput,
  type MapOutputLost,
  type ReleaseJob,
  type RunningExecution,
  type TaskMessage,
} from "../shared/messages/messages.ts";
import { numberOf, phaseOf, type Execution } from "./executions.ts";
import type { ExecutionOutcome } from "./executor/executor-process.ts";
import type { LostSegment } from "./executor/protocol.ts";

/**
 * Reports kept for messages that come again, and released jobs remembered so that none of theirs begins one anew: many
 * times more than a worker can hold unacknowledged, and all that can come again are those.
 */
const maxRemembered = 1_000;

export interface TasksOptions {
  readonly worker: Incarnation;
  readonly broker: Broker;
  readonly holdLimitMs: number;
  readonly run: (execution: Execution) => Promise<ExecutionOutcome>;
  /** A map output is finished and held here. */
  readonly onMapOutput: (execution: Execution, output: HeldMapOutput) => void;
  /** Frees what the worker has of a job, whose executions are over. */
  readonly onRelease: (jobId: JobId) => Promise<void>;
  readonly onScratchFailure: () => void;
  readonly onChange: () => void;
}

type Report = AttemptSucceeded | AttemptFailed;

interface Attempt extends Execution {
  /** Resolves when its report is confirmed, or none is due; rejects where the broker did not take it. */
  readonly reported: Promise<void>;
  leased: boolean;
}

/** The tasks of a worker. */
export class Tasks {
  readonly #options: TasksOptions;
  readonly #attempts = new Map<string, Attempt>();
  /** By attempt; undefined where it was cancelled. In order of their end: a Map keeps the order of insertion. */
  readonly #reports = new Map<string, Report | undefined>();
  readonly #released = new Map<JobId, true>();
  readonly #mapOutputs = new Map<JobId, HeldMapOutput[]>();
  #serial = 0;
  #epoch = 0;
  #stopping = false;

  constructor(options: TasksOptions) {
    this.#options = options;
  }

  /** Handles one task message; resolves when it is settled. */
  async handle(task: TaskMessage): Promise<Settlement> {
    if (this.#stopping) return "requeue";
    if (!this.#accepts(task.epoch) || this.#released.has(task.jobId)) return "ack";
    const key = keyOf(task);
    if (this.#reports.has(key)) {
      const report = this.#reports.get(key);
      if (report !== undefined) await this.#options.broker.send(masterQueue, report);
      return "ack";
    }
    return await this.#hold(this.#attempts.get(key) ?? this.#begin(key, task));
  }

  /** Ends an execution that is not wanted any more. */
  cancel(order: CancelAttempt): void {
    if (this.#accepts(order.epoch)) this.#attempts.get(keyOf(order))?.abort.abort();
  }

  /** Ends what runs of a job and frees what there is of it. */
  async release({ epoch, jobId }: ReleaseJob): Promise<void> {
    if (!this.#accepts(epoch)) return;
    remember(this.#released, jobId, true);
    const attempts = [...this.#attempts.values()].filter((attempt) => attempt.task.jobId === jobId);
    attempts.forEach((attempt) => attempt.abort.abort());
    await Promise.allSettled(attempts.map((attempt) => attempt.reported));
    this.#mapOutputs.delete(jobId);
    await this.#options.onRelease(jobId);
    this.#options.onChange();
  }

  get executions(): readonly RunningExecution[] {
    return [...this.#attempts.values()].map(({ task, executionId, state, fraction }) => {
      const { jobId, taskId, attempt } = task;
      return { jobId, taskId, attempt, executionId, state, fraction };
    });
  }

  get mapOutputs(): readonly HeldMapOutput[] {
    return [...this.#mapOutputs.values()].flat();
  }

  /** Executions of a phase that hold no message any more, and those that hold a slot. */
  count(phase: "map" | "reduce", what: "leased" | "running"): number {
    const counts = (attempt: Attempt): boolean =>
      phaseOf(attempt.task) === phase && (what === "leased" ? attempt.leased : attempt.state === "running");
    return [...this.#attempts.values()].filter(counts).length;
  }

  /** Resolves when no execution is left. */
  async idle(): Promise<void> {
    while (this.#attempts.size > 0) {
      await Promise.allSettled([...this.#attempts.values()].map((attempt) => attempt.reported));
    }
  }

  /** Gives up every execution; their messages go back to their queue. Twice is fine. */
  async stop(): Promise<void> {
    this.#stopping = true;
    for (const attempt of this.#attempts.values()) attempt.abort.abort();
    await this.idle();
  }

  /** Whether an order or task of this epoch counts: it does not once a later master has spoken. */
  #accepts(epoch: number): boolean {
    if (epoch < this.#epoch) return false;
    this.#epoch = epoch;
    return true;
  }

  #begin(key: string, task: TaskMessage): Attempt {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const attempt: Attempt = {
      task,
      executionId: `${this.#options.worker}.${++this.#serial}`,
      abort: new AbortController(),
      state: "waiting",
      fraction: 0,
      leased: false,
      reported: promise,
    };
    // Whoever holds its message hears of it. Where nobody does, heartbeats say that it is over without a report.
    promise.catch(() => {});
    this.#attempts.set(key, attempt);
    this.#options.onChange();
    this.#finish(key, attempt).then(resolve, reject);
    return attempt;
  }

  async #finish(key: string, attempt: Attempt): Promise<void> {
    try {
      const report = this.#reportOf(attempt, await this.#outcome(attempt));
      remember(this.#reports, key, report);
      if (report !== undefined) await this.#send(attempt, report);
    } finally {
      this.#attempts.delete(key);
      this.#options.onChange();
    }
  }

  async #outcome(attempt: Attempt): Promise<ExecutionOutcome> {
    try {
      return await this.#options.run(attempt);
    } catch (error) {
      if (attempt.abort.signal.aborted) return { kind: "cancelled" };
      return { kind: "failed", failure: toFailure(error) };
    }
  }

  #reportOf(attempt: Attempt, outcome: ExecutionOutcome): Report | undefined {
    switch (outcome.kind) {
      case "succeeded": {
        if (outcome.report.phase === "map") this.#keepMapOutput(attempt);
        return { kind: "AttemptSucceeded", ...this.#about(attempt), report: outcome.report };
      }
      case "failed":
        if (outcome.failure.code === "SCRATCH_UNUSABLE") this.#options.onScratchFailure();
        return { kind: "AttemptFailed", ...this.#about(attempt), failure: outcome.failure };
      case "cancelled":
        return undefined;
      default:
        return outcome satisfies never;
    }
  }

  async #send(attempt: Attempt, report: Report): Promise<void> {
    const { broker } = this.#options;
    try {
      await broker.send(masterQueue, report);
    } catch (error) {
      if (!(error instanceof MapReduceError && error.code === "MESSAGE_INVALID")) throw error;
      // Too large to be sent, and it would be again: that is what the attempt has failed with.
      const failed: Report = { kind: "AttemptFailed", ...this.#about(attempt), failure: toFailure(error) };
      remember(this.#reports, keyOf(attempt.task), failed);
      await broker.send(masterQueue, failed);
    }
  }

  /** Waits for an attempt's report, at most for the hold limit; from there on it is leased. */
  async #hold(attempt: Attempt): Promise<Settlement> {
    const limit = Promise.withResolvers<"limit">();
    const timer = setTimeout(() => limit.resolve("limit"), this.#options.holdLimitMs);
    try {
      const first = await Promise.race([attempt.reported, limit.promise]);
      if (this.#stopping && !this.#reports.get(keyOf(attempt.task))) return "requeue";
      if (first !== "limit") return "ack";
    } finally {
      clearTimeout(timer);
    }
    await this.#options.broker.send(masterQueue, { kind: "AttemptLeased", ...this.#about(attempt) });
    attempt.leased = true;
    this.#options.onChange();
    return "ack";
  }

  #keepMapOutput(attempt: Attempt): void {
    const { task, executionId } = attempt;
    const output = { jobId: task.jobId, map: numberOf(task), attempt: task.attempt, executionId };
    const outputs = this.#mapOutputs.get(task.jobId) ?? [];
    outputs.push(output);
    this.#mapOutputs.set(task.jobId, outputs);
    this.#options.onMapOutput(attempt, output);
  }

  /** Tells the master of a map output that a reduce could not read. */
  async reportLost(execution: Execution, lost: LostSegment, reason: string): Promise<void> {
    const message: MapOutputLost = {
      kind: "MapOutputLost",
      ...this.#about(execution),
      lost: { ...lost, reason },
    };
    await this.#options.broker.send(masterQueue, message);
  }

  #about({ task, executionId }: Execution) {
    const { jobId, taskId, attempt } = task;
    return {
      protocol: protocolVersion,
      jobId,
      taskId,
      attempt,
      executionId,
      worker: this.#options.worker,
    } as const;
  }
}

function keyOf({ jobId, taskId, attempt }: AttemptRef): string {
  return `${jobId}/${taskId}/${attempt}`;
}

/** Sets an entry, and forgets the oldest where there are too many. */
function remember<V>(entries: Map<string, V>, key: string, value: V): void {
  entries.set(key, value);
  const [oldest] = entries.keys();
  if (entries.size > maxRemembered && oldest !== undefined) entries.delete(oldest);
}
