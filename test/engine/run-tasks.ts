// Owns running a job's tasks in this process, by the engine's own code: splits are cut, maps leave segment files, reduces
// merge them. What it leaves out is processes, the broker and the master.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { cutSplits } from "../../src/master/split/cut.ts";
import { addCounters, type Counters } from "../../src/shared/job/counters.ts";
import type { JobDocument } from "../../src/shared/job/document.ts";
import type { MapContext } from "../../src/shared/registry/functions.ts";
import { register } from "../../src/shared/registry/registry.ts";
import type { ExecutionHooks } from "../../src/worker/executor/execution.ts";
import type { SegmentSource } from "../../src/worker/executor/protocol.ts";
import { runMap } from "../../src/worker/map/execution.ts";
import { runReduce } from "../../src/worker/reduce/execution.ts";
import type { Computation } from "./reference.ts";

/** Everything about a run that must not change its output. */
export interface Arrangement {
  readonly splitSize: number;
  /** Bytes that a map holds before it spills. */
  readonly collectorBytes: number;
  readonly combine: "no combiner" | "combiner";
}

/** A computation and how the engine is told of it. */
export interface EngineJob extends Computation {
  /** The name of a built-in that does what `reduce` does; else `reduce` itself is registered. */
  readonly builtIn?: string;
  /** Whether `reduce` is also a combiner: associative, and giving what it takes. */
  readonly combines: boolean;
}

export interface EngineRun {
  /** The text of every part file, by partition. */
  readonly parts: readonly string[];
  readonly counters: Counters;
  readonly mapTasks: number;
}

const jobId = "01a0b1c2-0000-7000-8000-000000000001";

/** Runs all maps, then all reduces, one after the other, in a folder that is gone afterwards. */
export async function runTasks(
  job: EngineJob,
  inputs: readonly string[],
  reduceTasks: number,
  arrangement: Arrangement,
): Promise<EngineRun> {
  const folder = mkdtempSync(join(tmpdir(), "mapreduce-engine-"));
  try {
    return await runIn(folder, job, inputs, reduceTasks, arrangement);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function runIn(
  folder: string,
  job: EngineJob,
  inputs: readonly string[],
  reduceTasks: number,
  { splitSize, collectorBytes, combine }: Arrangement,
): Promise<EngineRun> {
  const reducer = registerFunctions(job);
  const files = inputs.map((text, number) => {
    const path = join(folder, `input-${number}`);
    writeFileSync(path, text);
    return { input: 0, url: pathToFileURL(path).href, size: Buffer.byteLength(text) };
  });
  const combiner = combine === "combiner" ? reducer : null;
  const loaded = { document: documentOf(folder, reducer, combiner, reduceTasks, splitSize), secrets: {} };
  const counters: Record<string, number> = {};
  const execution = (taskId: string) => {
    const scratchDirectory = join(folder, taskId);
    mkdirSync(scratchDirectory);
    return { jobId, taskId, attempt: 1, executionId: `test.${taskId}`, scratchDirectory };
  };

  const tasks = cutSplits(files, { splitSize, filesPerTask: null, mayShare: () => true });
  const sources: SegmentSource[] = [];
  for (const [map, splits] of tasks.entries()) {
    const base = execution(`m${map}`);
    const path = join(folder, "map", base.taskId);
    const request = {
      kind: "map",
      ...base,
      splits,
      segmentFile: path,
      skip: [],
      noteRecords: false,
      collectorBytes,
    } as const;
    addCounters(counters, (await runMap(request, loaded, hooks)).counters);
    sources.push({ kind: "mapOutput", map, executionId: base.executionId, path });
  }
  const parts: string[] = [];
  for (let partition = 0; partition < reduceTasks; partition++) {
    const report = await runReduce(
      { kind: "reduce", ...execution(`r${partition}`), partition, sources },
      loaded,
      hooks,
    );
    addCounters(counters, report.counters);
    parts.push(report.pendingOutputs.map(({ url }) => readFileSync(fileURLToPath(url), "utf8")).join(""));
  }
  return { parts, counters, mapTasks: tasks.length };
}

/** Registers the job's functions, in the place of those of the run before, and names its reducer. */
function registerFunctions(job: EngineJob): string {
  const fn = (record: unknown, emit: Parameters<Computation["map"]>[1], context: MapContext): void =>
    job.map(record as string, emit, context.source.offset);
  register(
    { kind: "mapper", name: "test_mapper", fn: fn as (...args: unknown[]) => void, concurrency: 1 },
    "file:///job.ts:1:1",
  );
  register(
    { kind: "reducer", name: "test_reducer", fn: job.reduce as (...args: unknown[]) => void },
    "file:///job.ts:2:1",
  );
  return job.builtIn ?? "test_reducer";
}

function documentOf(
  folder: string,
  reducer: string,
  combiner: string | null,
  reduceTasks: number,
  splitSize: number,
): JobDocument {
  return {
    protocol: 1,
    jobId,
    name: "engine-test",
    bundle: { url: "file:///none", sha256: "" },
    inputs: [
      { url: pathToFileURL(folder).href, format: { name: "lines", options: {} }, mapper: "test_mapper" },
    ],
    combiner,
    partitioner: null,
    reducer,
    reduceTasks,
    output: pathToFileURL(join(folder, "out")).href,
    outputFormat: { name: "text", options: {} },
    overwrite: false,
    params: {},
    secrets: [],
    splitSize,
    filesPerTask: null,
    maxAttempts: 1,
    backupTasks: false,
    taskTimeoutMs: null,
    memory: 128 * 2 ** 20,
    maxRecordBytes: 2 ** 24,
    maxKeyBytes: 2 ** 20,
    scheduling: "pull",
  };
}

const hooks: ExecutionHooks = {
  progress: () => undefined,
  note: () => undefined,
  log: () => undefined,
  signal: new AbortController().signal,
};
