// Owns performing the core's effects: messages are composed and sent, jobs are planned, committed and finished in storage.
// What fails is tried again, then becomes an event of its own (JobRefused, CommitFailed) or ends the master: no effect is
// ever given up in silence. It never touches the core's state.

import type { Broker } from "../shared/broker/broker.ts";
import { mapQueue, ordersAddress, reduceQueue } from "../shared/broker/topology.ts";
import type { HashedFile, Split } from "../shared/job/document.ts";
import { toFailure } from "../shared/job/errors.ts";
import { taskId, type Incarnation, type JobId } from "../shared/job/ids.ts";
import { jobDirectory, resultUrl, splitsUrl } from "../shared/job/places.ts";
import type { JobResult } from "../shared/job/result.ts";
import { protocolVersion, type EventMessage, type Message } from "../shared/messages/messages.ts";
import type { Storage } from "../shared/storage/storage.ts";
import { commitJob, discardPending } from "./commit/commit.ts";
import { abandonOutput, type OutputPlace } from "./commit/place.ts";
import type { Effect } from "./decide/events.ts";
import type { Offered } from "./loop.ts";
import { planJob, type PlannedJob } from "./plan.ts";
import { retried } from "./retry.ts";

/** A task's splits travel inside its message up to this many bytes of JSON: a quarter of the largest message. */
const maxInlineSplitsBytes = 64 * 1024;

export interface PerformerOptions {
  readonly broker: Broker;
  readonly storage: Storage;
  readonly storageRoot: string;
  readonly epoch: number;
  /** Brings the outcome of what took long into the loop. */
  readonly offer: (event: Offered) => Promise<void>;
  /** Every worker that may hold something of a job. */
  readonly workers: () => Iterable<Incarnation>;
}

type PublishTask = Extract<Effect, { kind: "PublishTask" }>;
type CommitJob = Extract<Effect, { kind: "CommitJob" }>;

interface KnownJob {
  readonly document: HashedFile;
  /** Who waits for the answer to SubmitJob; none after a master has taken over. */
  replyTo: string | undefined;
  planned: Promise<PlannedJob> | undefined;
  /** Whether tasks may be running: from planning until the job is released. */
  live: boolean;
}

/** Performs effects. Each may be performed twice without harm. */
export class Performer {
  readonly #options: PerformerOptions;
  readonly #jobs = new Map<JobId, KnownJob>();
  /** Jobs that did not succeed: their executions may have been writing when their output place was cleared. */
  readonly #abandoned = new Map<JobId, OutputPlace>();
  readonly #background = new Set<Promise<void>>();
  readonly #stopped = new AbortController();
  /** Settles when the latest task message has begun to be sent. */
  #publishing: Promise<unknown> = Promise.resolve();

  constructor(options: PerformerOptions) {
    this.#options = options;
  }

  /** Makes a submitted job known, before its first effect. */
  know(jobId: JobId, document: HashedFile, replyTo: string | undefined): void {
    const known = this.#jobs.get(jobId);
    if (known === undefined) this.#jobs.set(jobId, { document, replyTo, planned: undefined, live: false });
    else known.replyTo = replyTo ?? known.replyTo;
  }

  /** Whether the job was submitted with this very document, or never before. */
  agrees(jobId: JobId, document: HashedFile): boolean {
    const known = this.#jobs.get(jobId);
    return known === undefined || known.document.sha256 === document.sha256;
  }

  /** Resolves when the effect is performed, or has been begun where it answers with an event. */
  async perform(effect: Effect): Promise<void> {
    switch (effect.kind) {
      case "Propose":
        return await this.#options.offer(effect.event);
      case "PlanJob":
        return this.#begin(this.#plan(effect.jobId));
      case "AcceptJob":
        return await this.#answer(effect.jobId, {
          kind: "JobAccepted",
          jobId: effect.jobId,
          ...this.#signature,
        });
      case "RejectJob":
        return await this.#answer(effect.jobId, {
          kind: "JobRejected",
          jobId: effect.jobId,
          failure: effect.failure,
          ...this.#signature,
        });
      case "PublishTask":
        return await this.#publish(effect);
      case "CancelAttempt": {
        const { kind, jobId, phase, number, attempt, worker } = effect;
        const task = { jobId, taskId: taskId(phase, number), attempt };
        return await this.#order(worker, { kind, ...task, ...this.#signature });
      }
      case "AnnounceMapOutputs": {
        const { jobId, sequence, workers } = effect;
        return await this.#announce({ kind: "MapOutputReady", jobId, sequence, workers, ...this.#signature });
      }
      case "AnnounceProgress": {
        const { jobId, progress } = effect;
        return await this.#announce({ kind: "JobProgress", jobId, progress, ...this.#signature });
      }
      case "DiscardPending":
        return await this.#retried(() => discardPending(this.#options.storage, effect.pending));
      case "CommitJob":
        return this.#begin(this.#commit(effect));
      case "FinishJob":
        return await this.#finish(effect.jobId, effect.result);
      case "ReleaseJob":
        return await this.#release(effect.jobId);
      default:
        effect satisfies never;
    }
  }

  /** Waits for what was begun, and clears the output places of jobs that did not succeed once more: nothing runs now. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    await Promise.allSettled(this.#background);
    for (const [jobId, place] of this.#abandoned) await abandonOutput(this.#options.storage, place, jobId);
  }

  get #signature(): { readonly protocol: typeof protocolVersion; readonly epoch: number } {
    return { protocol: protocolVersion, epoch: this.#options.epoch };
  }

  async #plan(jobId: JobId): Promise<void> {
    try {
      const { document, plan } = await this.#planned(jobId);
      await this.#options.offer({
        kind: "JobPlanned",
        jobId,
        settings: document,
        mapTasks: plan.splits.length,
        reduceTasks: document.reduceTasks,
        inputBytes: plan.inputBytes,
      });
    } catch (error) {
      await this.#options.offer({ kind: "JobRefused", jobId, failure: toFailure(error) });
    }
  }

  #planned(jobId: JobId): Promise<PlannedJob> {
    const { storage, storageRoot } = this.#options;
    const job = this.#known(jobId);
    if (job.planned === undefined) {
      job.live = true;
      const isLive = (other: JobId): boolean => other !== jobId && this.#jobs.get(other)?.live === true;
      job.planned = planJob(storage, storageRoot, job.document, jobId, isLive);
      job.planned.catch(() => (job.planned = undefined));
    }
    return job.planned;
  }

  /**
   * Sends begin in the order in which they were asked for, however long each message takes to compose: the core makes
   * something of a queue's order. They need not end in it.
   */
  async #publish(effect: PublishTask): Promise<void> {
    const begun = Promise.all([this.#compose(effect), this.#publishing]).then(([message]) => {
      const queue = effect.phase === "map" ? mapQueue : reduceQueue;
      return { sent: effect.to === null ? this.#send(queue, message) : this.#order(effect.to, message) };
    });
    // Who asked for the one before is told of its failure; this one has its own.
    this.#publishing = begun.catch(() => {});
    await (
      await begun
    ).sent;
  }

  async #compose({ jobId, phase, number, attempt, backup }: PublishTask): Promise<Message> {
    const { document, plan } = await this.#planned(jobId);
    const task = {
      jobId,
      taskId: taskId(phase, number),
      attempt,
      document: this.#known(jobId).document,
      shuffleToken: plan.shuffleToken,
      backup,
      ...this.#signature,
    };
    if (phase === "reduce") {
      return { kind: "ReduceTask", ...task, partition: number, mapTasks: plan.splits.length };
    }
    return {
      kind: "MapTask",
      ...task,
      splits: await this.#splitsFor(document.jobId, number, plan.splits[number] ?? []),
      skip: [],
      // What an attempt before this one died of may be a record: its place is worth a write for each.
      noteRecords: attempt > 1,
    };
  }

  async #splitsFor(
    jobId: JobId,
    map: number,
    splits: readonly Split[],
  ): Promise<readonly Split[] | { readonly url: string }> {
    const text = JSON.stringify(splits);
    if (text.length <= maxInlineSplitsBytes) return splits;
    const url = splitsUrl(this.#options.storageRoot, jobId, map);
    await this.#retried(() => this.#options.storage.write(url, new TextEncoder().encode(text)));
    return { url };
  }

  async #commit({ jobId, pending, result }: CommitJob): Promise<void> {
    const { storage } = this.#options;
    try {
      const { document } = await this.#planned(jobId);
      const { name, counters } = result;
      await this.#retried(() =>
        commitJob(storage, { output: document.output, jobId, name, counters, pending }),
      );
      await this.#options.offer({ kind: "Committed", jobId });
    } catch (error) {
      await this.#options.offer({ kind: "CommitFailed", jobId, failure: toFailure(error) });
    }
  }

  async #finish(jobId: JobId, result: JobResult): Promise<void> {
    const { storage, storageRoot } = this.#options;
    const { state } = result;
    const url = resultUrl(storageRoot, jobId);
    const finished: EventMessage = { kind: "JobFinished", jobId, state, resultUrl: url, ...this.#signature };
    // Asked for at once: the job's release, which is under way too, waits for it, and removes what it is read from.
    const planned = this.#planned(jobId);
    const tried = planned.catch(() => undefined);
    // By the master before this one, which had cleared what there was to clear.
    if ((await this.#retried(() => storage.size(url))) !== undefined) return await this.#announce(finished);
    // A job that could not be planned has written nothing.
    const place = state === "succeeded" ? undefined : (await tried)?.plan.place;
    if (place !== undefined) {
      this.#abandoned.set(jobId, place);
      await this.#retried(() => abandonOutput(storage, place, jobId));
    }
    const placed = { ...result, outputs: await placeOutputs(planned, result) };
    await this.#retried(() => storage.write(url, new TextEncoder().encode(JSON.stringify(placed))));
    await this.#announce(finished);
  }

  async #release(jobId: JobId): Promise<void> {
    const { storage, storageRoot, workers } = this.#options;
    const job = this.#known(jobId);
    const { planned } = job;
    job.live = false;
    job.planned = undefined;
    const message: Message = { kind: "ReleaseJob", jobId, ...this.#signature };
    await Promise.all(Array.from(workers(), (worker) => this.#order(worker, message)));
    // A job that is cancelled while it is planned: its plan must not come after what is removed here.
    await planned?.catch(() => {});
    const kept = resultUrl(storageRoot, jobId);
    await this.#retried(async () => {
      for await (const { url } of storage.list(jobDirectory(storageRoot, jobId))) {
        if (url !== kept) await storage.remove(url);
      }
    });
  }

  async #answer(jobId: JobId, message: Message): Promise<void> {
    const { replyTo } = this.#known(jobId);
    // A client that has gone, its mailbox with it, needs no answer: it submits again if it wants one.
    if (replyTo !== undefined) await this.#options.broker.send(replyTo, message).catch(() => {});
  }

  /** What is for one worker alone is repeated by the core until its heartbeats show it; a worker that has gone needs none. */
  async #order(worker: Incarnation, message: Message): Promise<void> {
    await this.#options.broker.send(ordersAddress(worker), message).catch(() => {});
  }

  async #send(queue: string, message: Message): Promise<void> {
    await this.#retried(() => this.#options.broker.send(queue, message));
  }

  async #announce(event: EventMessage): Promise<void> {
    await this.#retried(() => this.#options.broker.announce(event));
  }

  #retried<T>(act: () => Promise<T>): Promise<T> {
    return retried(act, this.#stopped.signal);
  }

  #begin(work: Promise<void>): void {
    // What it throws can only be the loop's own failure, which the loop has told already.
    const done = work.catch(() => {}).finally(() => this.#background.delete(done));
    this.#background.add(done);
  }

  #known(jobId: JobId): KnownJob {
    const job = this.#jobs.get(jobId);
    if (job === undefined) throw new Error(`job ${jobId}: an effect for it came before it was submitted`);
    return job;
  }
}

/** The core knows outputs by their names; the output place is the document's. */
async function placeOutputs(
  planned: Promise<PlannedJob>,
  { outputs }: JobResult,
): Promise<JobResult["outputs"]> {
  if (outputs.length === 0) return outputs;
  const { document } = await planned;
  return outputs.map((output) => ({ ...output, url: `${document.output}/${output.url}` }));
}
