// Owns what the master does with each message that reaches it: which event it becomes, or which answer it gets. A message is
// settled only when what it led to has been done. It decides nothing about tasks.

import type { Broker, Delivery, Settlement } from "../shared/broker/broker.ts";
import { toFailure } from "../shared/job/errors.ts";
import { parseTaskId } from "../shared/job/ids.ts";
import { jobDirectory, resultUrl } from "../shared/job/places.ts";
import {
  protocolVersion,
  type JobSummary,
  type Message,
  type QueryJobs,
  type QueryMapOutputs,
  type SubmitJob,
  type TaskMessage,
} from "../shared/messages/messages.ts";
import { mapOutputsOf, summaryOf } from "./decide/queries.ts";
import type { MasterState } from "./decide/state.ts";
import type { Loop } from "./loop.ts";
import type { Performer } from "./perform.ts";

/** Maps that one MapOutputs reply covers: some 120 bytes each, half of the largest message. */
const mapsPerReply = 1_000;

/** Jobs of one JobList, the latest: each may have some hundred counters. */
const maxListedJobs = 20;

export interface ReceiverOptions {
  readonly broker: Broker;
  readonly storageRoot: string;
  readonly epoch: number;
  readonly state: MasterState;
  readonly loop: Loop;
  readonly performer: Performer;
}

/** Turns messages into events and answers. */
export class Receiver {
  readonly #options: ReceiverOptions;

  constructor(options: ReceiverOptions) {
    this.#options = options;
  }

  /** Handles one message of the master's queue. Rejects when the loop has failed: the message is for the next master. */
  async receive(message: Message, delivery: Delivery): Promise<Settlement> {
    const { loop } = this.#options;
    switch (message.kind) {
      case "SubmitJob":
        return await this.#submit(message);
      case "CancelJob":
        await loop.offer({ kind: "CancelRequested", jobId: message.jobId });
        return "ack";
      case "QueryJobs":
        return await this.#listJobs(message);
      case "WorkerHeartbeat":
        await loop.offer({ kind: "Heartbeat", heartbeat: message });
        return "ack";
      case "AttemptLeased":
      case "AttemptSucceeded":
      case "AttemptFailed":
      case "MapOutputLost":
        await loop.offer({ kind: "Reported", report: message });
        return "ack";
      case "QueryMapOutputs":
        return await this.#listMapOutputs(message);
      case "MapTask":
      case "ReduceTask":
        return await this.#bury(message, delivery.deathReason ?? "came back to the master");
      case "JobAccepted":
      case "JobRejected":
      case "JobList":
      case "MapOutputs":
      case "CancelAttempt":
      case "ReleaseJob":
      case "MapOutputReady":
      case "JobProgress":
      case "JobFinished":
        return { deadLetter: `master: found a ${message.kind}, which is not for a master` };
      default:
        return message satisfies never;
    }
  }

  async #submit({ jobId, document, replyTo }: SubmitJob): Promise<Settlement> {
    const { storageRoot, performer, loop } = this.#options;
    const directory = jobDirectory(storageRoot, jobId);
    if (!document.url.startsWith(`${directory}/`)) {
      return await this.#reject(
        jobId,
        replyTo,
        `found its document at ${document.url}, expected it below ${directory}: the storage of client and fleet must be one`,
      );
    }
    if (!performer.agrees(jobId, document)) {
      return await this.#reject(jobId, replyTo, "the same job id was submitted with another specification");
    }
    performer.know(jobId, document, replyTo);
    await loop.offer({ kind: "JobSubmitted", jobId, document });
    return "ack";
  }

  async #reject(jobId: string, replyTo: string, why: string): Promise<Settlement> {
    const failure = { code: "SPECIFICATION_INVALID", message: `submit job ${jobId}: ${why}` } as const;
    return await this.#reply(replyTo, { kind: "JobRejected", jobId, failure, ...this.#signature });
  }

  async #listJobs({ jobId, replyTo }: QueryJobs): Promise<Settlement> {
    const { state } = this.#options;
    const ids = jobId === undefined ? [...state.jobs.keys()].slice(-maxListedJobs) : [jobId];
    const jobs = ids.flatMap((id): JobSummary[] => {
      const summary = summaryOf(state, id);
      if (summary === undefined) return [];
      const over =
        summary.state === "succeeded" || summary.state === "failed" || summary.state === "cancelled";
      return [over ? { ...summary, resultUrl: resultUrl(this.#options.storageRoot, id) } : summary];
    });
    return await this.#reply(replyTo, { kind: "JobList", jobs, ...this.#signature });
  }

  async #listMapOutputs({ jobId, fromMap, replyTo }: QueryMapOutputs): Promise<Settlement> {
    const page = mapOutputsOf(this.#options.state, jobId, fromMap, mapsPerReply);
    if (page === undefined) return "ack";
    return await this.#reply(replyTo, { kind: "MapOutputs", jobId, ...page, ...this.#signature });
  }

  async #bury({ jobId, taskId, attempt }: TaskMessage, reason: string): Promise<Settlement> {
    const task = parseTaskId(taskId);
    if (task === undefined) return { deadLetter: `master: found task id ${taskId}` };
    await this.#options.loop.offer({ kind: "TaskDeadLettered", jobId, ...task, attempt, reason });
    return "ack";
  }

  /** Whoever asked asks again when no answer comes: one that can't be sent is not tried again. */
  async #reply(replyTo: string, message: Message): Promise<Settlement> {
    try {
      await this.#options.broker.send(replyTo, message);
      return "ack";
    } catch (error) {
      return { deadLetter: `master: answer to ${replyTo}: ${toFailure(error).message}` };
    }
  }

  get #signature(): { readonly protocol: typeof protocolVersion; readonly epoch: number } {
    return { protocol: protocolVersion, epoch: this.#options.epoch };
  }
}
