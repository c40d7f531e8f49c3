// Owns a client's view of a running job: its progress, its result, its cancelling. Level-triggered: events are only
// hints, and after a silence the master is asked, so that no lost message can hang a client.

import type { Broker, Mailbox } from "../shared/broker/broker.ts";
import { masterQueue } from "../shared/broker/topology.ts";
import { MapReduceError } from "../shared/job/errors.ts";
import type { JobId } from "../shared/job/ids.ts";
import type { JobResult, Progress } from "../shared/job/result.ts";
import { protocolVersion, type EventMessage, type Message } from "../shared/messages/messages.ts";
import type { Storage } from "../shared/storage/storage.ts";

/** A job that runs or has run. */
export interface JobHandle {
  readonly id: JobId;
  /** The latest progress whenever there is a later one; ends with the job. What a slow reader misses it does not get. */
  progress(): AsyncIterable<Progress>;
  /** The result, of a failed or cancelled job too; rejects only when it can't be known. */
  result(): Promise<JobResult>;
  /** Asks for the end of the job and resolves when it is over, however it ended. */
  cancel(): Promise<void>;
}

export interface FollowOptions {
  /** After how many milliseconds without word of the job the master is asked; 5,000 by default. */
  readonly silenceMs?: number;
  /** How long a master may stay silent, in milliseconds: ten minutes by default, time for a standby to take over. */
  readonly patienceMs?: number;
}

/** Follows one job from the moment it was opened: before the job is submitted, so that nothing is missed. */
export class JobFollower implements JobHandle {
  readonly id: JobId;
  readonly #broker: Broker;
  readonly #storage: Storage;
  readonly #silenceMs: number;
  readonly #patienceMs: number;
  readonly #result = Promise.withResolvers<JobResult>();
  #changed = Promise.withResolvers<void>();
  #latest: Progress | undefined;
  #version = 0;
  #over = false;
  #reading = false;
  #silentMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #mailbox: Mailbox | undefined;
  #subscription: { stop(): Promise<void> } | undefined;

  private constructor(broker: Broker, storage: Storage, id: JobId, options: FollowOptions) {
    this.id = id;
    this.#broker = broker;
    this.#storage = storage;
    this.#silenceMs = options.silenceMs ?? 5_000;
    this.#patienceMs = options.patienceMs ?? 600_000;
    // Whoever never asks for the result must not be ended by its rejection.
    this.#result.promise.catch(() => {});
  }

  /** Starts to follow a job. `storage` is where its result will be read from. */
  static async open(
    broker: Broker,
    storage: Storage,
    jobId: JobId,
    options: FollowOptions = {},
  ): Promise<JobFollower> {
    const follower = new JobFollower(broker, storage, jobId, options);
    [follower.#subscription, follower.#mailbox] = await Promise.all([
      broker.follow(jobId, (event) => follower.#take(event)),
      broker.openMailbox((message) => follower.#takeReply(message)),
    ]);
    follower.#listen();
    return follower;
  }

  async *progress(): AsyncGenerator<Progress, void, undefined> {
    let seen = 0;
    for (;;) {
      if (this.#latest !== undefined && this.#version > seen) {
        seen = this.#version;
        yield this.#latest;
      } else if (this.#over) return;
      else await this.#changed.promise;
    }
  }

  result(): Promise<JobResult> {
    return this.#result.promise;
  }

  async cancel(): Promise<void> {
    if (!this.#over) {
      await this.#broker.send(masterQueue, { kind: "CancelJob", protocol: protocolVersion, jobId: this.id });
    }
    await this.#result.promise;
  }

  /** Gives up following: the result rejects with `reason` unless it is there. Twice is fine. */
  async close(reason: unknown): Promise<void> {
    this.#end(() => this.#result.reject(reason));
    await Promise.all([this.#subscription?.stop(), this.#mailbox?.close()]);
  }

  #take(event: EventMessage): void {
    if (event.kind === "JobProgress") this.#advance(event.progress);
    else if (event.kind === "JobFinished") void this.#finish(event.resultUrl);
  }

  #takeReply(message: Message): void {
    if (message.kind !== "JobList") return;
    const summary = message.jobs.find((job) => job.jobId === this.id);
    if (summary === undefined) return;
    if (summary.resultUrl !== undefined) void this.#finish(summary.resultUrl);
    else this.#advance(summary.progress);
  }

  #advance(progress: Progress): void {
    if (this.#over) return;
    this.#latest = progress;
    this.#version++;
    this.#wake();
    this.#silentMs = 0;
    this.#listen();
  }

  async #finish(resultUrl: string): Promise<void> {
    if (this.#over || this.#reading) return;
    this.#reading = true;
    try {
      const result = JSON.parse(new TextDecoder().decode(await this.#storage.read(resultUrl))) as JobResult;
      this.#end(() => this.#result.resolve(result));
    } catch (error) {
      this.#end(() => this.#result.reject(error));
    }
    await this.close(undefined);
  }

  #listen(): void {
    clearTimeout(this.#timer);
    if (!this.#over) this.#timer = setTimeout(() => this.#ask(), this.#silenceMs);
  }

  #ask(): void {
    this.#silentMs += this.#silenceMs;
    if (this.#mailbox === undefined) return;
    if (this.#silentMs > this.#patienceMs) {
      void this.close(
        new MapReduceError("BROKER_FAILED", `follow job ${this.id}: no word of it for ${this.#silentMs} ms`),
      );
      return;
    }
    this.#listen();
    this.#broker
      .send(masterQueue, {
        kind: "QueryJobs",
        protocol: protocolVersion,
        jobId: this.id,
        replyTo: this.#mailbox.address,
      })
      // An unanswered question counts as silence, whatever the reason; patience bounds it.
      .catch(() => {});
  }

  #end(settle: () => void): void {
    if (this.#over) return;
    this.#over = true;
    clearTimeout(this.#timer);
    settle();
    this.#wake();
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers<void>();
  }
}
