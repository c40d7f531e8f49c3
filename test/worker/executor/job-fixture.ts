// Makes a job on the local disk for tests of executors and workers: its bundle, its document, its input.

import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { JobDocument } from "../../../src/shared/job/document.ts";
import type { LoadRequest, MapRequest } from "../../../src/worker/executor/protocol.ts";
import { jobDocument } from "../../job-document.ts";

const registry = new URL("../../../src/shared/registry/registry.ts", import.meta.url).href;

/** A folder that is gone after the test. */
export function temporaryFolder(): { readonly path: string } & Disposable {
  const path = mkdtempSync(join(tmpdir(), "mapreduce-test-"));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A bundle that registers the mapper "user_mapper", whose body is given: it sees record, emit and context. */
export function mapperBundle(body: string, topLevel = ""): string {
  return [
    `import { register } from ${JSON.stringify(registry)};`,
    topLevel,
    `register({ kind: "mapper", name: "user_mapper", concurrency: 1, fn(record, emit, context) {`,
    body,
    `} }, "file:///jobs/job.ts:1:1");`,
  ].join("\n");
}

/** Writes a job into `folder`: one input of these lines, mapped by "user_mapper". */
export function writeJob(folder: string, bundle: string, changes: Partial<JobDocument> = {}) {
  const jobId = changes.jobId ?? "01a0b1c2-0000-7000-8000-000000000001";
  const bundlePath = join(folder, "bundle.mjs");
  const inputPath = join(folder, "input.txt");
  const input = "one two\nthree\n";
  writeFileSync(bundlePath, bundle);
  writeFileSync(inputPath, input);
  const inputUrl = pathToFileURL(inputPath).href;
  const document = jobDocument({
    jobId,
    name: "test-job",
    bundle: {
      url: pathToFileURL(bundlePath).href,
      sha256: createHash("sha256").update(bundle).digest("hex"),
    },
    inputs: [{ url: inputUrl, format: { name: "lines", options: {} }, mapper: "user_mapper" }],
    reduceTasks: 2,
    output: pathToFileURL(join(folder, "output")).href,
    memory: 256 * 2 ** 20,
    ...changes,
  });
  const split = { input: 0, url: inputUrl, start: 0, end: input.length, fileSize: input.length };
  const load: LoadRequest = { kind: "load", bundlePath, document, secrets: {} };
  return { document, split, load };
}

/** A request for one map execution of that job. */
export function mapRequest(folder: string, job: ReturnType<typeof writeJob>, serial = 1): MapRequest {
  const scratchDirectory = join(folder, "executions", String(serial));
  mkdirSync(scratchDirectory, { recursive: true });
  return {
    kind: "map",
    jobId: job.document.jobId,
    taskId: "m0",
    attempt: 1,
    executionId: `test.${serial}`,
    scratchDirectory,
    splits: [job.split],
    segmentFile: join(folder, "map", `m0-${serial}`),
    skip: [],
    noteRecords: false,
  };
}
