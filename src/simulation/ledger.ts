// Owns the truth that a simulation is held to: which executions there were and what they made, what lies in storage, what
// jobs came to. It takes no part in anything; what breaks a promise is noted as a problem.

import type { ExecutionId, JobId, Phase } from "../shared/job/ids.ts";
import type { JobResult } from "../shared/job/result.ts";
import type { PendingOutput } from "../shared/storage/storage.ts";

export interface MadeExecution {
  readonly jobId: JobId;
  readonly phase: Phase;
  readonly number: number;
  outcome: "unknown" | "succeeded" | "failed";
  /** Of a reduce: the execution that it read, by map. */
  sources: readonly ExecutionId[];
}

export interface JobRecord {
  readonly jobId: JobId;
  readonly maps: number;
  readonly reduces: number;
  accepted: boolean;
  rejected: boolean;
  cancelAsked: boolean;
  commitRefused: boolean;
  result: JobResult | undefined;
  finishedMs: number;
  /** Whether its outputs are in place, and by which executions they were made, by partition. */
  committed: readonly ExecutionId[] | undefined;
  deadLetters: number;
}

export class Ledger {
  readonly problems: string[] = [];
  readonly jobs = new Map<JobId, JobRecord>();
  readonly executions = new Map<ExecutionId, MadeExecution>();
  /** Pending outputs that lie in storage, by URL. */
  readonly pending = new Map<string, JobId>();
  /** Pending outputs that the master was told of. */
  readonly told = new Set<string>();

  problem(text: string): void {
    this.problems.push(text);
  }

  addJob(jobId: JobId, maps: number, reduces: number): void {
    this.jobs.set(jobId, {
      jobId,
      maps,
      reduces,
      accepted: false,
      rejected: false,
      cancelAsked: false,
      commitRefused: false,
      result: undefined,
      finishedMs: 0,
      committed: undefined,
      deadLetters: 0,
    });
  }

  job(jobId: JobId): JobRecord {
    const job = this.jobs.get(jobId);
    if (job === undefined) throw new Error(`simulation: no job ${jobId}`);
    return job;
  }

  isOver(job: JobRecord): boolean {
    return job.result !== undefined || job.rejected;
  }

  /** A reduce has written its output. */
  write(executionId: ExecutionId, jobId: JobId, partition: number): PendingOutput {
    const url = `pending/${executionId}`;
    this.pending.set(url, jobId);
    return { name: `part-${partition}`, url, records: 1, bytes: 1 };
  }

  discard(pending: readonly PendingOutput[]): void {
    for (const { url } of pending) this.pending.delete(url);
  }

  /** Puts outputs in place; done already is done. */
  commit(jobId: JobId, pending: readonly PendingOutput[]): void {
    const job = this.job(jobId);
    const made = pending.map(({ url }) => url.replace("pending/", ""));
    if (job.committed !== undefined) {
      if (made.join() !== job.committed.join()) this.problem(`${jobId}: committed two different results`);
      return;
    }
    for (const { name, url } of pending) {
      if (!this.pending.has(url)) this.problem(`${jobId}: ${name} was gone when it was to be committed`);
    }
    job.committed = made;
    this.clear(jobId);
  }

  /** Removes whatever a job has left at its output place. */
  clear(jobId: JobId): void {
    for (const [url, owner] of this.pending) if (owner === jobId) this.pending.delete(url);
  }

  /** A job's end is told. */
  finish(jobId: JobId, result: JobResult, nowMs: number): void {
    const job = this.job(jobId);
    if (job.result === undefined) {
      job.result = result;
      job.finishedMs = nowMs;
    } else if (job.result.state !== result.state) {
      this.problem(`${jobId}: ended as ${job.result.state}, then as ${result.state}`);
    }
    if (result.state !== "succeeded") this.clear(jobId);
  }
}
