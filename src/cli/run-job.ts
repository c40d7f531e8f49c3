// Owns what `mapreduce run` does: job file, options, plan or job, result. Bundling, running and drawing are others' work.

import { mkdtemp, rm } from "node:fs/promises";
import { createReadStream } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleJob, type Bundle } from "../client/bundle.ts";
import { counterNames } from "../shared/job/counters.ts";
import { MapReduceError } from "../shared/job/errors.ts";
import type { JobResult, PhaseProgress, Progress, TaskTimes } from "../shared/job/result.ts";
import { MapReduceSpecification } from "../shared/job/specification.ts";
import { exitStatus, tellFailure } from "./errors.ts";
import { onInterrupt, type Interrupt } from "./interrupt.ts";
import { importJobFile } from "./job-file.ts";
import { applyJobOptions, type JobOptions } from "./job-options.ts";
import { createProgressDisplay, type ProgressDisplay, type ProgressMode } from "./progress.ts";
import { takeStdout, type WriteResult } from "./stdout.ts";
import { tellSummary } from "./summary.ts";
import { makeDirectory } from "../shared/storage/files/make-directory.ts";

/** What `run` takes beside the job's own options. */
export interface RunOptions extends JobOptions {
  readonly slots?: number;
  readonly scratch?: string;
  readonly isolation: "process" | "none";
  readonly plan?: true;
  readonly json?: true;
  readonly progress: ProgressMode;
}

/** What a run has at hand, from its job file to its result. */
interface Run {
  readonly specification: MapReduceSpecification;
  readonly bundle: Bundle;
  readonly options: RunOptions;
  readonly display: ProgressDisplay;
  readonly interrupt: Interrupt;
  readonly write: WriteResult;
}

/**
 * Runs a job file to its end.
 * @returns the exit status
 * @throws MapReduceError what stops the job before its first attempt
 */
export async function runJob(path: string, options: RunOptions): Promise<number> {
  if (options.output === "-" && options.json) {
    throw new MapReduceError(
      "SPECIFICATION_INVALID",
      "--output -: not together with --json, both write to stdout",
    );
  }
  const write = takeStdout();
  let display: ProgressDisplay | undefined;
  const tell = (text: string): void => {
    if (display === undefined) process.stderr.write(`${text}\n`);
    else display.line(text);
  };
  using interrupt = onInterrupt(tell, () => display?.stop());
  try {
    const { specification, bundle } = await loadJobFile(path, interrupt.signal);
    if (options.plan) {
      const planned = applyJobOptions(specification, withoutStdout(options), process.cwd());
      const { describePlan } = await import("./plan.ts");
      await write(await describePlan(planned, bundle));
      return exitStatus.done;
    }
    display = await createProgressDisplay(options.progress);
    const run = { specification, bundle, options, display, interrupt, write };
    return await (options.output === "-" ? runToStdout(run) : runToDirectory(run));
  } catch (error) {
    if (interrupt.status === undefined) throw error;
    return interrupt.status;
  } finally {
    display?.stop();
  }
}

async function loadJobFile(
  path: string,
  signal: AbortSignal,
): Promise<{ specification: MapReduceSpecification; bundle: Bundle }> {
  const bundle = await bundleJob(path);
  const file = fileURLToPath(bundle.moduleUrl);
  const specification = await importJobFile(bundle, file, signal);
  if (specification instanceof MapReduceSpecification) return { specification, bundle };
  if (Array.isArray(specification) && specification.some((each) => each instanceof MapReduceSpecification)) {
    throw new MapReduceError("NOT_YET_AVAILABLE", `job file ${file}: a chain of specifications comes later`);
  }
  throw new MapReduceError(
    "JOB_FILE_INVALID",
    specification === undefined
      ? `job file ${file}: no default export, expected a MapReduceSpecification (a file that calls exec() itself is run with node)`
      : `job file ${file}: its default export is ${kindOf(specification)}, expected a MapReduceSpecification`,
  );
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "an array without one" : `of type ${typeof value}`;
}

async function runToDirectory(run: Run): Promise<number> {
  const result = await execute(run, run.options);
  if (run.options.json) await run.write(`${JSON.stringify(result, null, 2)}\n`);
  else for (const { url } of result.outputs) await run.write(`${placeOf(url)}\n`);
  return endWith(run, result);
}

/** The output directory is one of its own, gone when its files have been written to stdout. */
async function runToStdout(run: Run): Promise<number> {
  const scratch = run.options.scratch ?? tmpdir();
  await makeDirectory(scratch);
  const directory = await mkdtemp(join(scratch, "mapreduce-output-"));
  try {
    const result = await execute(run, { ...run.options, output: join(directory, "output") });
    if (result.state === "succeeded") await copyOutputs(result, run.write);
    return endWith(run, result);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function copyOutputs(result: JobResult, write: WriteResult): Promise<void> {
  for (const { url } of result.outputs) {
    for await (const block of createReadStream(fileURLToPath(url)) as AsyncIterable<Uint8Array>) {
      if (!(await write(block))) return;
    }
  }
}

async function execute(run: Run, options: RunOptions): Promise<JobResult> {
  const { display, interrupt } = run;
  const specification = applyJobOptions(run.specification, options, process.cwd());
  const { startEmbedded } = await import("../embedded/run.ts");
  const handle = await startEmbedded(specification, {
    bundle: run.bundle,
    isolation: options.isolation,
    signal: interrupt.signal,
    onProgress: (progress) => display.update(progress),
    onUserOutput: ({ line }) => display.line(line),
    ...(options.slots === undefined ? {} : { slots: options.slots }),
    ...(options.scratch === undefined ? {} : { scratchDirectory: options.scratch }),
  });
  const result = await handle.result();
  if (result.state === "succeeded") display.update(progressAtEnd(result));
  // Results may go to the same terminal.
  display.stop();
  return result;
}

function endWith({ interrupt }: Run, result: JobResult): number {
  tellSummary(result);
  switch (result.state) {
    case "succeeded":
      return exitStatus.done;
    case "cancelled":
      return interrupt.status ?? exitStatus.cancelled;
    case "failed": {
      const { error, attempts } = result;
      if (error !== undefined) tellFailure(error, error.task);
      return attempts.succeeded + attempts.failed === 0 ? exitStatus.stoppedBefore : exitStatus.failed;
    }
    default:
      return result.state satisfies never;
  }
}

/** The last progress that came may be older than the end. */
function progressAtEnd({ jobId, tasks, counters, workers }: JobResult): Progress {
  const done = ({ count }: TaskTimes): PhaseProgress => ({
    tasks: count,
    done: count,
    running: 0,
    fraction: 1,
  });
  return {
    jobId,
    map: done(tasks.map),
    shuffle: { bytes: counters[counterNames.shuffleBytes] ?? 0, fraction: 1 },
    reduce: done(tasks.reduce),
    inputBytes: counters[counterNames.mapInputBytes] ?? 0,
    workers,
    counters,
  };
}

/** A plan of a result that goes to stdout has the specification's own output: nothing is written there. */
function withoutStdout({ output, ...options }: RunOptions): RunOptions {
  return output === undefined || output === "-" ? options : { ...options, output };
}

function placeOf(url: string): string {
  return url.startsWith("file:") ? fileURLToPath(url) : url;
}
