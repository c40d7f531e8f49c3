// Owns one reduce execution: merges its sources, calls the reducer for each group, and leaves one pending output. What
// happens for each record is in Merge.advance, Groups.take and the output's format; none makes a closure or a promise.

import { counterNames, type Counters } from "../../shared/job/counters.ts";
import { errorCodes, MapReduceError } from "../../shared/job/errors.ts";
import type { Emit } from "../../shared/registry/functions.ts";
import type { ReduceReport } from "../../shared/messages/messages.ts";
import { ExecutionContext } from "../executor/context.ts";
import { CounterSet } from "../executor/counters.ts";
import { SegmentLostError, type ExecutionHooks, type LoadedJob } from "../executor/execution.ts";
import { mergeBytes } from "../executor/memory.ts";
import type { ReduceRequest, SegmentSource } from "../executor/protocol.ts";
import { userError } from "../executor/user-error.ts";
import { SegmentFile } from "../shuffle/segment-file.ts";
import { asError } from "../executor/as-error.ts";
import { copyGroup, sumGroup, type ReduceGroup } from "./built-in.ts";
import { Groups } from "./groups.ts";
import { keyText } from "./key-text.ts";
import { LargestGroups } from "./largest-groups.ts";
import type { Merge } from "./merge.ts";
import { openMerge } from "./merge-passes.ts";
import { PendingFile } from "./pending-file.ts";
import type { Segment } from "./segment-reader.ts";
import { findReducer, openReducer } from "./user-reducer.ts";

/**
 * Runs a reduce execution and leaves its pending output.
 * @throws SegmentLostError naming the map execution whose segment can't be read or is corrupt
 * @throws MapReduceError with the user's stack and the group's key where user code is to blame
 */
export async function runReduce(
  request: ReduceRequest,
  job: LoadedJob,
  hooks: ExecutionHooks,
): Promise<ReduceReport> {
  return await new ReduceExecution(request, job, hooks).run();
}

class ReduceExecution {
  readonly #request: ReduceRequest;
  readonly #job: LoadedJob;
  readonly #hooks: ExecutionHooks;
  readonly #counters = new CounterSet();
  readonly #largest = new LargestGroups();
  #groups = 0;
  #inputRecords = 0;
  #outputRecords = 0;
  /** The first error of an emit: it fails the execution even where user code swallows it. */
  #emitFailure: Error | undefined;
  #ended = false;

  constructor(request: ReduceRequest, job: LoadedJob, hooks: ExecutionHooks) {
    this.#request = request;
    this.#job = job;
    this.#hooks = hooks;
  }

  async run(): Promise<ReduceReport> {
    const { document } = this.#job;
    const { sources, partition, scratchDirectory } = this.#request;
    const reducer = findReducer(document.reducer);
    const segments = sources.map((source) => findSegment(source, partition));
    const shuffleBytes = segments.reduce((sum, { length }) => sum + length, 0);
    const merge = openMerge(segments, {
      memoryBytes: mergeBytes(document.memory),
      directory: scratchDirectory,
      onProgress: (read, total) => this.#progress(read / total),
    });
    try {
      const output = new PendingFile(document, this.#request, partition, document.reduceTasks);
      try {
        if (reducer.builtIn === "sum") this.#reduceByEngine(sumGroup, merge, output);
        else if (reducer.builtIn === "identity") this.#reduceByEngine(copyGroup, merge, output);
        else await this.#reduceByUser(reducer, merge, output);
        this.#ended = true;
        return this.#report(shuffleBytes, output);
      } catch (error) {
        this.#ended = true;
        output.abandon();
        throw error;
      }
    } finally {
      merge?.close();
    }
  }

  #reduceByEngine(reduceGroup: ReduceGroup, merge: Merge | undefined, output: PendingFile): void {
    if (merge === undefined) return;
    const groups = new Groups(merge);
    try {
      while (groups.next()) {
        this.#outputRecords += reduceGroup(groups, merge, output.records);
        this.#countGroup(groups);
      }
    } catch (error) {
      throw blame(error, groups, merge);
    }
  }

  async #reduceByUser(
    reducer: ReturnType<typeof findReducer>,
    merge: Merge | undefined,
    output: PendingFile,
  ): Promise<void> {
    const context = new ExecutionContext(this.#request, this.#job, this.#hooks, this.#counters);
    const emit = this.#emitTo(output);
    const opened = await asUser(() => openReducer(reducer, context));
    if (merge !== undefined) {
      const groups = new Groups(merge);
      try {
        while (groups.next()) {
          const returned = opened.reduce(groups.decodeKey(), groups.values(), emit, context);
          if (returned !== undefined) await returned;
          groups.skip();
          if (groups.failure !== undefined) throw groups.failure;
          if (this.#emitFailure !== undefined) throw this.#emitFailure;
          this.#countGroup(groups);
        }
      } catch (error) {
        throw blame(groups.failure ?? error, groups, merge);
      }
    }
    await asUser(() => opened.close(emit, context));
    if (this.#emitFailure !== undefined) throw this.#emitFailure;
  }

  #countGroup({ key, keyLength, records }: Groups): void {
    this.#groups++;
    this.#inputRecords += records;
    this.#largest.add(key, keyLength, records);
  }

  #emitTo(output: PendingFile): Emit<unknown, unknown> {
    const { records } = output;
    return (key, value) => {
      if (this.#ended) {
        const { taskId } = this.#request;
        throw new MapReduceError("USER_CODE_THREW", `emit after the end of ${taskId}: its execution is over`);
      }
      try {
        records.write(key, value);
        this.#outputRecords++;
      } catch (error) {
        this.#emitFailure ??= asError(error);
        throw error;
      }
    };
  }

  #progress(fraction: number): void {
    this.#hooks.signal.throwIfAborted();
    this.#hooks.progress(fraction, () => this.#countersNow());
  }

  #countersNow(): Counters {
    return {
      ...this.#counters.snapshot(),
      [counterNames.reduceInputGroups]: this.#groups,
      [counterNames.reduceInputRecords]: this.#inputRecords,
      [counterNames.reduceOutputRecords]: this.#outputRecords,
    };
  }

  #report(shuffleBytes: number, output: PendingFile): ReduceReport {
    const pending = output.close(this.#outputRecords);
    const counters = {
      ...this.#countersNow(),
      [counterNames.reduceOutputBytes]: pending.bytes,
      [counterNames.shuffleBytes]: shuffleBytes,
    };
    return { phase: "reduce", counters, pendingOutputs: [pending], largestGroups: this.#largest.list() };
  }
}

/** Where a source's segment lies. @throws SegmentLostError */
function findSegment(source: SegmentSource, partition: number): Segment {
  const owner = { map: source.map, executionId: source.executionId };
  if (source.kind === "fetched") {
    const { path, offset, length, crc } = source;
    return { path, offset, length, crc, owner };
  }
  try {
    const file = new SegmentFile(source.path);
    try {
      if (partition >= file.partitions) {
        const found = `found ${file.partitions} partitions, expected partition ${partition}`;
        throw new MapReduceError("SEGMENT_CORRUPT", `segment file ${source.path}: ${found}`);
      }
      return { path: source.path, ...file.place(partition), owner };
    } finally {
      file.close();
    }
  } catch (error) {
    throw error instanceof MapReduceError ? new SegmentLostError(owner, error) : error;
  }
}

/** Calls user code outside of a group. */
async function asUser<T>(call: () => T | Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw isOurs(error) ? error : userError(error);
  }
}

/** Whose fault an error within a group is. Bytes that have changed may look like any error of the user's. */
function blame(error: unknown, groups: Groups, merge: Merge): unknown {
  // A codec that finds bytes which are none of its own does not know whose they are.
  const undecodable =
    error instanceof MapReduceError &&
    !(error instanceof SegmentLostError) &&
    error.code === "SEGMENT_CORRUPT";
  if (isOurs(error) && !undecodable) return error;
  try {
    merge.verify();
  } catch (corrupt) {
    return corrupt;
  }
  if (undecodable) return error;
  const { code, message, userStack } = userError(error);
  return new MapReduceError(code, `${message}, in the group of key ${keyText(groups.decodeKey())}`, {
    cause: error,
    ...(userStack === undefined ? {} : { userStack }),
  });
}

/** Whether an error keeps what it says, though it may have come through user code. */
function isOurs(error: unknown): boolean {
  if (!(error instanceof MapReduceError)) return false;
  return error.code === "JOB_CANCELLED" || errorCodes[error.code].blame === "infrastructure";
}
