// Owns the public way to run a specification: exec, submit, chains, and the error of a job that did not succeed. Where a
// job runs is decided here; how, in run.ts, which is loaded when a job is run: user code imports this file everywhere.

import type { ExecOptions } from "../client/exec-options.ts";
import type { JobHandle } from "../client/follow.ts";
import { MapReduceError } from "../shared/job/errors.ts";
import type { JobResult } from "../shared/job/result.ts";
import { checkedFields, type MapReduceSpecification } from "../shared/job/specification.ts";

/** A job that failed or was cancelled: `code` says why, `result` is all that it came to. */
export class JobFailedError extends Error {
  override readonly name = "JobFailedError";
  readonly code: string;
  readonly result: JobResult;

  constructor(result: JobResult) {
    const { code = "INTERNAL", message = result.state, task, stack } = result.error ?? {};
    super(`job "${result.name}" ${result.state}: ${task === undefined ? "" : `task ${task}: `}${message}`);
    this.code = code;
    this.result = result;
    // What a user has to read is where their own code threw.
    if (stack !== undefined) this.stack = `${this.name}: ${this.message}\n${stack}`;
  }
}

/** One specification, ready to run: any number of times, each a job of its own. */
export class MapReduce {
  readonly #specification: MapReduceSpecification;

  /** @throws MapReduceError SPECIFICATION_INVALID where it is not a MapReduceSpecification */
  constructor(specification: MapReduceSpecification) {
    checkedFields(specification);
    this.#specification = specification;
  }

  /**
   * Runs the job to its end.
   * @throws JobFailedError when it failed or was cancelled
   * @throws MapReduceError what stops it before its first attempt
   */
  async exec(options: ExecOptions = {}): Promise<JobResult> {
    const handle = await this.submit(options);
    const result = await handle.result();
    if (result.state !== "succeeded") throw new JobFailedError(result);
    return result;
  }

  /**
   * Starts the job and resolves once it is accepted: its inputs are listed and its output place is free.
   * @param options `id`: a UUID v7 of the caller's; the same id again is the same job
   * @throws MapReduceError what stops it before its first attempt
   */
  async submit(options: ExecOptions & { readonly id?: string } = {}): Promise<JobHandle> {
    const { slots } = options;
    if (slots !== undefined && (!Number.isInteger(slots) || slots < 1)) {
      throw new MapReduceError("SPECIFICATION_INVALID", `slots: found ${slots}, expected an integer from 1`);
    }
    if (options.broker !== undefined) {
      throw new MapReduceError("NOT_YET_AVAILABLE", "broker: running on a fleet comes later");
    }
    const { startEmbedded } = await import("./run.ts");
    return await startEmbedded(this.#specification, options);
  }
}

/**
 * Runs a chain, in order: an input may be an earlier specification.
 * @throws MapReduceError NOT_YET_AVAILABLE for more than one specification; else as `exec`
 */
export async function runAll(
  specifications: readonly MapReduceSpecification[],
  options: ExecOptions = {},
): Promise<readonly JobResult[]> {
  if (specifications.length > 1) {
    throw new MapReduceError(
      "NOT_YET_AVAILABLE",
      "runAll: a chain of more than one specification comes later",
    );
  }
  return await Promise.all(specifications.map((each) => new MapReduce(each).exec(options)));
}
