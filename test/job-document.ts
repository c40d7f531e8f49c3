// Owns a small valid job document: tests say only what matters to them.

import type { JobDocument } from "../src/shared/job/document.ts";

/** A document with every default, one reduce task and no input, and the given fields in place of those. */
export function jobDocument(fields: Partial<JobDocument> = {}): JobDocument {
  return {
    protocol: 1,
    jobId: "01a0b1c2-0000-7000-8000-000000000001",
    name: "test",
    bundle: { url: "file:///bundle.mjs", sha256: "" },
    inputs: [],
    combiner: null,
    partitioner: null,
    reducer: "mapreduce.identity",
    reduceTasks: 1,
    output: "file:///out",
    outputFormat: { name: "text", options: {} },
    overwrite: false,
    params: {},
    secrets: [],
    splitSize: null,
    filesPerTask: null,
    maxAttempts: 4,
    backupTasks: true,
    taskTimeoutMs: null,
    memory: 2 ** 29,
    maxRecordBytes: 2 ** 24,
    maxKeyBytes: 2 ** 20,
    scheduling: "pull",
    ...fields,
  };
}
