// Owns one valid message of each kind, with every field that a kind may have, for tests of whatever carries them.

import type {
  AttemptSucceeded,
  CancelJob,
  JobProgress,
  MapTask,
  Message,
  ReduceTask,
  WorkerHeartbeat,
} from "../../../src/shared/messages/messages.ts";

const protocol = 1;
const epoch = 3;
const jobId = "0192f0c1-7a51-7c3e-8c52-3f1c1a2b3c4d";
const worker = "5b0c9d4e-1111-4222-8333-444455556666";
const executionId = `${worker}.7`;
const document = { url: "file:///storage/jobs/1/document.json", sha256: "0123456789abcdef".repeat(4) };
const counters = { "mapreduce.map.input.records": 3, constructor: 1, "words with spaces": -2.5 };
const source = { url: "file:///in/a.txt", offset: 12 };
const failure = { code: "USER_CODE_THREW", message: "boom", stack: "Error: boom\n at f", source } as const;
const progress = {
  jobId,
  map: { tasks: 4, done: 1, running: 2, fraction: 0.5 },
  shuffle: { bytes: 0, fraction: 0 },
  reduce: { tasks: 2, done: 0, running: 0, fraction: 0 },
  inputBytes: 1000,
  workers: 1,
  counters,
};
const task = { protocol, epoch, jobId, attempt: 1, document, shuffleToken: "s3cret", backup: false } as const;
const split = { input: 0, url: "file:///in/a.txt", start: 0, end: 10, fileSize: 20 };
const report = { protocol, jobId, taskId: "m12", attempt: 2, executionId, worker } as const;
const workers = [
  {
    worker,
    machine: "host-1",
    address: null,
    scratchDirectory: "/tmp/mapreduce",
    outputs: [{ map: 3, attempt: 1, executionId }],
  },
];

/** A map task whose attempt number tells it from others. */
export function mapTask(attempt = 1): MapTask {
  return {
    kind: "MapTask",
    ...task,
    attempt,
    taskId: "m12",
    splits: [split],
    skip: [source],
    noteRecords: true,
  };
}

/** A message to the master whose job id tells it from others. */
export function cancelJob(id: string = jobId): CancelJob {
  return { kind: "CancelJob", protocol, jobId: id };
}

/** An event of a job; `done` tells it from others. */
export function jobProgress(id: string, done = 0): JobProgress {
  return {
    kind: "JobProgress",
    protocol,
    epoch,
    jobId: id,
    progress: { ...progress, map: { ...progress.map, done } },
  };
}

const reduceTask: ReduceTask = { kind: "ReduceTask", ...task, taskId: "r0", partition: 0, mapTasks: 4 };

const heartbeat: WorkerHeartbeat = {
  kind: "WorkerHeartbeat",
  protocol,
  worker,
  sequence: 1,
  machine: "host-1",
  address: "http://host-1:7337",
  scratchDirectory: "/tmp/mapreduce",
  slots: 2,
  freeSlots: 1,
  draining: false,
  unfit: "disk full",
  executions: [{ jobId, taskId: "r1", attempt: 1, executionId, state: "fetching", fraction: 0.25 }],
  mapOutputs: [{ jobId, map: 3, attempt: 1, executionId }],
};

const reduced: AttemptSucceeded = {
  kind: "AttemptSucceeded",
  ...report,
  taskId: "r0",
  report: {
    phase: "reduce",
    counters,
    pendingOutputs: [{ name: "part-00000", url: "file:///out/_temporary/1/x", records: 3, bytes: 30 }],
    largestGroups: [{ key: "the", records: 3 }],
  },
};

/** One of each kind; of kinds with alternatives, one of each alternative. */
export const messages: readonly Message[] = [
  { kind: "SubmitJob", protocol, replyTo: "mr.mailbox.1", jobId, document },
  cancelJob(),
  { kind: "QueryJobs", protocol, replyTo: "mr.mailbox.1" },
  { kind: "QueryJobs", protocol, replyTo: "mr.mailbox.1", jobId },
  { kind: "JobAccepted", protocol, epoch, jobId },
  { kind: "JobRejected", protocol, epoch, jobId, failure },
  {
    kind: "JobList",
    protocol,
    epoch,
    jobs: [{ jobId, name: "word-count", state: "succeeded", progress, resultUrl: "s3://bucket/result.json" }],
  },
  mapTask(),
  { ...mapTask(), splits: { url: "file:///storage/splits.json" } },
  reduceTask,
  { kind: "CancelAttempt", protocol, epoch, jobId, taskId: "m0", attempt: 1 },
  { kind: "ReleaseJob", protocol, epoch, jobId },
  heartbeat,
  { kind: "AttemptLeased", ...report },
  {
    kind: "AttemptSucceeded",
    ...report,
    report: {
      phase: "map",
      counters,
      segmentBytes: 100,
      skippedRecords: [{ url: "file:///in/a.txt", offset: 1, error: "bad" }],
    },
  },
  reduced,
  { kind: "AttemptFailed", ...report, failure },
  { kind: "MapOutputLost", ...report, lost: { map: 3, executionId, reason: "checksum" } },
  { kind: "QueryMapOutputs", protocol, replyTo: "mr.mailbox.1", jobId, fromMap: 0 },
  { kind: "MapOutputReady", protocol, epoch, jobId, sequence: 1, workers },
  { kind: "MapOutputs", protocol, epoch, jobId, sequence: 0, workers, nextMap: null },
  jobProgress(jobId),
  { kind: "JobFinished", protocol, epoch, jobId, state: "succeeded", resultUrl: "file:///r.json" },
];
