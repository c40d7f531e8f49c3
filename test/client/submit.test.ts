// Owns the promises of submitting, against a scripted master.

import { afterEach, describe, expect, test } from "vitest";
import { submitJob } from "../../src/client/submit.ts";
import type { Broker } from "../../src/shared/broker/broker.ts";
import { MemoryBrokerServer } from "../../src/shared/broker/memory/memory-broker.ts";
import { masterQueue } from "../../src/shared/broker/topology.ts";
import type { Message, SubmitJob } from "../../src/shared/messages/messages.ts";

const jobId = "019aa000-0000-7000-8000-000000000001";
const sha256 = "ab".repeat(32);
const submission = { jobId, document: { url: "file:///d.json", sha256 }, brokerName: "amqp://broker" };

const server = new MemoryBrokerServer();
const broker: Broker = server.connect();
let stop = (): Promise<void> => Promise.resolve();
afterEach(() => stop());

/** A master that answers each SubmitJob with what `answer` makes of it. */
async function answering(answer: (message: SubmitJob) => Message | undefined): Promise<void> {
  const consumer = await broker.consume(masterQueue, 1, async (message) => {
    const reply = message.kind === "SubmitJob" ? answer(message) : undefined;
    if (reply !== undefined && message.kind === "SubmitJob") await broker.send(message.replyTo, reply);
    return "ack";
  });
  stop = () => consumer.stop();
}

describe("submitJob", () => {
  test("resolves when the master has accepted this very job", async () => {
    await answering((message) => {
      expect(message.document).toEqual(submission.document);
      return { kind: "JobAccepted", protocol: 1, epoch: 1, jobId };
    });
    await submitJob(broker, submission);
  });

  test("throws what the master rejected the job for", async () => {
    const failure = { code: "INPUT_NOT_FOUND", message: "input x: no file matches" } as const;
    await answering(() => ({ kind: "JobRejected", protocol: 1, epoch: 1, jobId, failure }));
    await expect(submitJob(broker, submission)).rejects.toMatchObject(failure);
  });

  test("names the broker when no master answers", async () => {
    await answering(() => undefined);
    await expect(submitJob(broker, { ...submission, timeoutMs: 20 })).rejects.toMatchObject({
      code: "BROKER_FAILED",
      message: expect.stringContaining("amqp://broker"),
    });
  });

  test("gives up with the reason of its signal", async () => {
    await answering(() => undefined);
    const abort = new AbortController();
    const submitted = submitJob(broker, { ...submission, signal: abort.signal });
    abort.abort(new Error("enough"));
    await expect(submitted).rejects.toThrow("enough");
  });
});
