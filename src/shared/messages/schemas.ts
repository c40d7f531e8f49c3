// Owns the schema of each message kind. messages.ts says what the fields mean; the compiler holds the two to each
// other, so that neither can change alone.

import * as v from "valibot";
import { protocolVersion, type Message } from "./messages.ts";
import {
  count,
  counters,
  executionId,
  failure,
  fraction,
  hashedFile,
  incarnation,
  jobId,
  jobState,
  largestGroup,
  ordinal,
  pendingOutput,
  progress,
  skippedRecord,
  source,
  split,
  taskId,
  url,
  workerMapOutputs,
} from "./schema-parts.ts";

const versioned = { protocol: v.literal(protocolVersion) };
const fromMaster = { ...versioned, epoch: count };
const asking = { replyTo: v.string() };
const attemptRef = { jobId, taskId, attempt: ordinal };
const report = { ...versioned, ...attemptRef, executionId, worker: incarnation };
const task = {
  ...fromMaster,
  ...attemptRef,
  document: hashedFile,
  shuffleToken: v.string(),
  backup: v.boolean(),
};

const jobSummary = v.strictObject({
  jobId,
  name: v.string(),
  state: v.picklist(["planning", "running", "committing", "succeeded", "failed", "cancelled"]),
  progress,
  resultUrl: v.optional(url),
});

const runningExecution = v.strictObject({
  ...attemptRef,
  executionId,
  state: v.picklist(["waiting", "fetching", "running"]),
  fraction,
});

const heldMapOutput = v.strictObject({ jobId, map: count, attempt: ordinal, executionId });

/** Chosen by sight rather than tried in turn, so that an error names what is wrong inside. */
const splitsInside = v.array(split);
const splitsInStorage = v.strictObject({ url });

const attemptReport = v.variant("phase", [
  v.strictObject({
    phase: v.literal("map"),
    counters,
    segmentBytes: count,
    skippedRecords: v.array(skippedRecord),
  }),
  v.strictObject({
    phase: v.literal("reduce"),
    counters,
    pendingOutputs: v.array(pendingOutput),
    largestGroups: v.array(largestGroup),
  }),
]);

/** The schema of each kind. Unknown fields are refused: who sends them is of another version. */
export const schemas = {
  SubmitJob: v.strictObject({
    kind: v.literal("SubmitJob"),
    ...versioned,
    ...asking,
    jobId,
    document: hashedFile,
  }),
  CancelJob: v.strictObject({ kind: v.literal("CancelJob"), ...versioned, jobId }),
  QueryJobs: v.strictObject({
    kind: v.literal("QueryJobs"),
    ...versioned,
    ...asking,
    jobId: v.optional(jobId),
  }),
  JobAccepted: v.strictObject({ kind: v.literal("JobAccepted"), ...fromMaster, jobId }),
  JobRejected: v.strictObject({ kind: v.literal("JobRejected"), ...fromMaster, jobId, failure }),
  JobList: v.strictObject({ kind: v.literal("JobList"), ...fromMaster, jobs: v.array(jobSummary) }),
  MapTask: v.strictObject({
    kind: v.literal("MapTask"),
    ...task,
    splits: v.lazy((value) => (Array.isArray(value) ? splitsInside : splitsInStorage)),
    skip: v.array(source),
    noteRecords: v.boolean(),
  }),
  ReduceTask: v.strictObject({ kind: v.literal("ReduceTask"), ...task, partition: count, mapTasks: count }),
  CancelAttempt: v.strictObject({ kind: v.literal("CancelAttempt"), ...fromMaster, ...attemptRef }),
  ReleaseJob: v.strictObject({ kind: v.literal("ReleaseJob"), ...fromMaster, jobId }),
  WorkerHeartbeat: v.strictObject({
    kind: v.literal("WorkerHeartbeat"),
    ...versioned,
    worker: incarnation,
    sequence: ordinal,
    machine: v.string(),
    address: v.nullable(v.string()),
    scratchDirectory: v.string(),
    slots: count,
    freeSlots: count,
    draining: v.boolean(),
    unfit: v.nullable(v.string()),
    executions: v.array(runningExecution),
    mapOutputs: v.optional(v.array(heldMapOutput)),
  }),
  AttemptLeased: v.strictObject({ kind: v.literal("AttemptLeased"), ...report }),
  AttemptSucceeded: v.strictObject({ kind: v.literal("AttemptSucceeded"), ...report, report: attemptReport }),
  AttemptFailed: v.strictObject({ kind: v.literal("AttemptFailed"), ...report, failure }),
  MapOutputLost: v.strictObject({
    kind: v.literal("MapOutputLost"),
    ...report,
    lost: v.strictObject({ map: count, executionId, reason: v.string() }),
  }),
  QueryMapOutputs: v.strictObject({
    kind: v.literal("QueryMapOutputs"),
    ...versioned,
    ...asking,
    jobId,
    fromMap: count,
  }),
  MapOutputReady: v.strictObject({
    kind: v.literal("MapOutputReady"),
    ...fromMaster,
    jobId,
    sequence: ordinal,
    workers: v.array(workerMapOutputs),
  }),
  MapOutputs: v.strictObject({
    kind: v.literal("MapOutputs"),
    ...fromMaster,
    jobId,
    sequence: count,
    workers: v.array(workerMapOutputs),
    nextMap: v.nullable(count),
  }),
  JobProgress: v.strictObject({ kind: v.literal("JobProgress"), ...fromMaster, jobId, progress }),
  JobFinished: v.strictObject({
    kind: v.literal("JobFinished"),
    ...fromMaster,
    jobId,
    state: jobState,
    resultUrl: url,
  }),
} satisfies { readonly [K in Message["kind"]]: v.GenericSchema<unknown, unknown> };

type Frozen<T> = T extends readonly (infer Item)[]
  ? readonly Frozen<Item>[]
  : T extends object
    ? { readonly [Name in keyof T]: Frozen<T[Name]> }
    : T;

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

type None<T extends never> = T;

/** The kinds whose schema and type differ: a compile error here names them. */
export type DriftedKinds = None<
  {
    [K in Message["kind"]]: Same<
      Frozen<v.InferOutput<(typeof schemas)[K]>>,
      Frozen<Extract<Message, { kind: K }>>
    > extends true
      ? never
      : K;
  }[Message["kind"]]
>;
