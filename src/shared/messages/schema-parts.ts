// Owns the schemas of what messages are made of: ids, numbers, places, counters, progress. Ids that become file names
// are held to what a file name may safely be.

import * as v from "valibot";
import type { Counters } from "../job/counters.ts";
import { errorCodes, type ErrorCode } from "../job/errors.ts";

/** One path segment that cannot lead anywhere else. */
const nameInPath = v.pipe(v.string(), v.regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/));

export const jobId = nameInPath;
export const incarnation = nameInPath;
export const executionId = nameInPath;
export const taskId = v.pipe(v.string(), v.regex(/^[mr](0|[1-9][0-9]{0,8})$/));
export const sha256 = v.pipe(v.string(), v.regex(/^[0-9a-f]{64}$/));
export const url = v.pipe(v.string(), v.regex(/^[a-z][a-z0-9]*:\/\//));

/** A count, an index, a size in bytes: exact, from 0. */
export const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
/** A number that counts from 1. */
export const ordinal = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
export const fraction = v.pipe(v.number(), v.minValue(0), v.maxValue(1));

/** Checked by hand: valibot's record silently leaves out names such as "constructor", which a user may count. */
export const counters = v.pipe(
  v.custom<Counters>(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
    "an object",
  ),
  v.check((value) => Object.values(value).every((each) => typeof each === "number"), "numbers by name"),
);

export const hashedFile = v.strictObject({ url, sha256 });
export const source = v.strictObject({ url: v.string(), offset: count });

export const failure = v.strictObject({
  code: v.picklist(Object.keys(errorCodes) as ErrorCode[]),
  message: v.string(),
  stack: v.optional(v.string()),
  source: v.optional(source),
});

export const split = v.strictObject({ input: count, url, start: count, end: count, fileSize: count });

export const jobState = v.picklist(["succeeded", "failed", "cancelled"]);

const phaseProgress = v.strictObject({ tasks: count, done: count, running: count, fraction });

export const progress = v.strictObject({
  jobId,
  map: phaseProgress,
  shuffle: v.strictObject({ bytes: count, fraction }),
  reduce: phaseProgress,
  inputBytes: count,
  workers: count,
  counters,
});

export const pendingOutput = v.strictObject({ name: v.string(), url, records: count, bytes: count });
export const skippedRecord = v.strictObject({ url: v.string(), offset: count, error: v.string() });
export const largestGroup = v.strictObject({ key: v.string(), records: count });

const readyMapOutput = v.strictObject({ map: count, attempt: ordinal, executionId });
export const workerMapOutputs = v.strictObject({
  worker: incarnation,
  machine: v.string(),
  address: v.nullable(v.string()),
  scratchDirectory: v.string(),
  outputs: v.array(readyMapOutput),
});
