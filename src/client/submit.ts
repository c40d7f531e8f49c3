// Owns handing a job to a master: SubmitJob, and the wait for its answer. What happens to the job from there is
// follow.ts's business.

import type { Broker } from "../shared/broker/broker.ts";
import { masterQueue } from "../shared/broker/topology.ts";
import type { HashedFile } from "../shared/job/document.ts";
import { fromFailure, MapReduceError } from "../shared/job/errors.ts";
import type { JobId } from "../shared/job/ids.ts";
import { protocolVersion, type SubmitJob } from "../shared/messages/messages.ts";

/** Listing a large input on S3 takes the master this long at most; without a master nothing answers at all. */
const defaultTimeoutMs = 60_000;

/** A master that died with the message gets it again; the same job id is the same job, so more is not harmful. */
const repeatMs = 10_000;

export interface Submission {
  readonly jobId: JobId;
  readonly document: HashedFile;
  /** How errors name the broker; without its password. */
  readonly brokerName: string;
  /** Milliseconds to wait for an answer, a minute by default. */
  readonly timeoutMs?: number;
  /** Ends the wait with its reason; what the master does with the job it does. */
  readonly signal?: AbortSignal;
}

/**
 * Submits a staged job; resolves when a master has accepted it, which it does once its inputs are listed and its
 * output place is checked.
 * @throws MapReduceError what the master rejected it for; BROKER_FAILED naming the broker when nobody answers
 */
export async function submitJob(broker: Broker, submission: Submission): Promise<void> {
  const { jobId, document, brokerName, timeoutMs = defaultTimeoutMs, signal } = submission;
  const answer = Promise.withResolvers<void>();
  const mailbox = await broker.openMailbox((message) => {
    if (message.kind === "JobAccepted" && message.jobId === jobId) answer.resolve();
    if (message.kind === "JobRejected" && message.jobId === jobId)
      answer.reject(fromFailure(message.failure));
  });
  const message: SubmitJob = {
    kind: "SubmitJob",
    protocol: protocolVersion,
    jobId,
    document,
    replyTo: mailbox.address,
  };
  const submit = (): void => void broker.send(masterQueue, message).catch(answer.reject);
  const repeat = setInterval(submit, repeatMs);
  const timeout = setTimeout(() => {
    answer.reject(
      new MapReduceError(
        "BROKER_FAILED",
        `submit job ${jobId}: no master answered at ${brokerName} within ${timeoutMs} ms`,
      ),
    );
  }, timeoutMs);
  const giveUp = (): void => answer.reject(signal?.reason);
  signal?.addEventListener("abort", giveUp);
  if (signal?.aborted) giveUp();
  submit();
  try {
    await answer.promise;
  } finally {
    signal?.removeEventListener("abort", giveUp);
    clearInterval(repeat);
    clearTimeout(timeout);
    await mailbox.close();
  }
}
