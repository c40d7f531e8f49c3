// Owns one map execution: reads the records of its splits, calls the mapper for each, and leaves one segment file.
// Everything that happens for each record is in the loop below and in Collector.add; neither makes an object or a promise.

import { dirname } from "node:path";
import { counterNames } from "../../shared/job/counters.ts";
import type { Split } from "../../shared/job/document.ts";
import { MapReduceError, type Source } from "../../shared/job/errors.ts";
import type { Awaitable, Emit, MapContext } from "../../shared/registry/functions.ts";
import { lookUp } from "../../shared/registry/registry.ts";
import type { MapReport } from "../../shared/messages/messages.ts";
import { asError } from "../executor/as-error.ts";
import { ExecutionContext } from "../executor/context.ts";
import { CounterSet } from "../executor/counters.ts";
import type { ExecutionHooks, LoadedJob } from "../executor/execution.ts";
import { collectorBytes } from "../executor/memory.ts";
import type { MapRequest } from "../executor/protocol.ts";
import { userError } from "../executor/user-error.ts";
import { GroupCollector, hashPartition, PairCollector, SumCollector, type Collector } from "./collector.ts";
import { LineBlocks } from "./lines.ts";
import { SpillingOutput } from "./spill.ts";
import { openMapper, userCombiner, userPartition, type OpenMapper } from "./user-functions.ts";
import { makeDirectorySync } from "../../shared/storage/files/make-directory.ts";

/**
 * Runs a map execution and leaves its segment file.
 * @throws MapReduceError with the user's stack where user code is to blame, and the record's place
 */
export async function runMap(request: MapRequest, job: LoadedJob, hooks: ExecutionHooks): Promise<MapReport> {
  return await new MapExecution(request, job, hooks).run();
}

class MapExecution {
  readonly #request: MapRequest;
  readonly #job: LoadedJob;
  readonly #hooks: ExecutionHooks;
  readonly #counters = new CounterSet();
  readonly #context: RecordContext;
  readonly #output: SpillingOutput;
  readonly #emit: Emit<unknown, unknown>;
  readonly #mappers = new Map<string, OpenMapper>();
  #emitted = 0;
  #read = 0;
  /** The first error of an emit: it fails the execution even where user code swallows it. */
  #emitFailure: unknown;
  #ended = false;

  constructor(request: MapRequest, job: LoadedJob, hooks: ExecutionHooks) {
    this.#request = request;
    this.#job = job;
    this.#hooks = hooks;
    this.#context = new RecordContext(request, job, hooks, this.#counters);
    this.#output = this.#openOutput();
    this.#emit = (key, value) => {
      if (this.#ended)
        throw new MapReduceError(
          "USER_CODE_THREW",
          `emit after the end of ${request.taskId}: its execution is over`,
        );
      try {
        this.#output.add(key, value);
        this.#emitted++;
      } catch (error) {
        this.#emitFailure ??= error;
        throw error;
      }
    };
  }

  async run(): Promise<MapReport> {
    const { splits } = this.#request;
    const totalBytes = splits.reduce((sum, split) => sum + split.end - split.start, 0);
    let doneBytes = 0;
    for (const split of splits) {
      await this.#mapSplit(split, doneBytes, totalBytes);
      doneBytes += split.end - split.start;
    }
    for (const mapper of this.#mappers.values())
      await this.#callUser(() => mapper.close(this.#emit, this.#context));
    this.#ended = true;
    return this.#finish(totalBytes);
  }

  #finish(inputBytes: number): MapReport {
    makeDirectorySync(dirname(this.#request.segmentFile));
    // A combiner runs while records are written: its errors are the user's.
    const output = this.#guard(() => this.#output.finish(this.#request.segmentFile));
    const counters = this.#counters;
    counters.add(counterNames.mapInputRecords, this.#read);
    counters.add(counterNames.mapInputBytes, inputBytes);
    counters.add(counterNames.mapOutputRecords, this.#emitted);
    counters.add(counterNames.mapOutputBytes, output.bytes);
    counters.add(counterNames.spills, output.spills);
    counters.add(counterNames.spilledRecords, output.spilledRecords);
    if (this.#job.document.combiner !== null) {
      counters.add(counterNames.combineInputRecords, this.#emitted);
      counters.add(counterNames.combineOutputRecords, output.records);
    }
    return { phase: "map", counters: counters.snapshot(), segmentBytes: output.bytes, skippedRecords: [] };
  }

  #openOutput(): SpillingOutput {
    const { document } = this.#job;
    const { reduceTasks, maxKeyBytes, combiner } = document;
    const choosePartition =
      document.partitioner === null
        ? hashPartition(reduceTasks)
        : userPartition(document.partitioner, reduceTasks, document.params);
    const registered = combiner === null ? undefined : lookUp(combiner);
    const sums = registered?.kind === "reducer" && registered.builtIn === "sum";
    let collector: Collector;
    if (combiner === null) collector = new PairCollector(maxKeyBytes, reduceTasks, choosePartition);
    else if (sums) collector = new SumCollector(maxKeyBytes, reduceTasks, choosePartition);
    else {
      const combine = userCombiner(combiner, this.#context);
      collector = new GroupCollector(maxKeyBytes, reduceTasks, choosePartition, combine);
    }
    return new SpillingOutput(collector, {
      budgetBytes: this.#request.collectorBytes ?? collectorBytes(document.memory),
      scratchDirectory: this.#request.scratchDirectory,
      reduceTasks,
      equalKeys: sums ? "sum" : "keep",
    });
  }

  async #mapSplit(split: Split, doneBytes: number, totalBytes: number): Promise<void> {
    const input = this.#job.document.inputs[split.input];
    let mapper = this.#mappers.get(input.mapper);
    if (mapper === undefined) {
      mapper = await this.#callUser(() => openMapper(input.mapper, this.#context));
      this.#mappers.set(input.mapper, mapper);
    }
    const blocks = new LineBlocks(split, this.#job.document.maxRecordBytes);
    this.#context.blocks = blocks;
    try {
      const asBytes = input.format.options["as"] === "bytes";
      while (blocks.advance()) {
        if (asBytes) await this.#mapBytes(blocks, mapper);
        else await this.#mapText(blocks, mapper);
        const done = doneBytes + blocks.bytesRead;
        this.#hooks.progress(totalBytes === 0 ? 1 : done / totalBytes, () => this.#progressCounters(done));
      }
    } finally {
      this.#context.blocks = undefined;
      blocks.close();
    }
  }

  async #mapText(blocks: LineBlocks, mapper: OpenMapper): Promise<void> {
    const text = blocks.text();
    const maxCharacters = Math.floor(this.#job.document.maxRecordBytes / 3);
    let line = 0;
    for (let start = 0; start <= text.length; line++) {
      let end = text.indexOf("\n", start);
      if (end < 0) end = text.length;
      const cr = blocks.crBytes(text.charCodeAt(end - 1), end === text.length);
      const record = text.slice(start, end - cr);
      start = end + 1;
      this.#context.line = line;
      if (record.length > maxCharacters) this.#checkRecordBytes(Buffer.byteLength(record));
      const returned = this.#map(mapper, record);
      if (returned !== undefined) await returned;
    }
    this.#read += line;
  }

  async #mapBytes(blocks: LineBlocks, mapper: OpenMapper): Promise<void> {
    const bytes = blocks.bytes();
    const { maxRecordBytes } = this.#job.document;
    let line = 0;
    for (let start = 0; start <= bytes.length; line++) {
      let end = bytes.indexOf(10, start);
      if (end < 0) end = bytes.length;
      const cr = end > 0 ? blocks.crBytes(bytes[end - 1], end === bytes.length) : 0;
      const record = new Uint8Array(bytes.buffer, bytes.byteOffset + start, end - cr - start);
      start = end + 1;
      this.#context.line = line;
      if (record.length > maxRecordBytes) this.#checkRecordBytes(record.length);
      const returned = this.#map(mapper, record);
      if (returned !== undefined) await returned;
    }
    this.#read += line;
  }

  /** Calls the mapper for one record; gives a promise only where it did. */
  #map(mapper: OpenMapper, record: unknown): Promise<void> | undefined {
    const context = this.#context;
    if (this.#request.noteRecords) this.#hooks.note(context.source);
    let returned: Awaitable;
    try {
      returned = mapper.map(record, this.#emit, context);
    } catch (error) {
      throw asUserError(error, context.source);
    }
    if (returned !== undefined) return this.#settle(returned);
    if (this.#emitFailure !== undefined) throw asUserError(this.#emitFailure, context.source);
    return undefined;
  }

  async #settle(returned: Promise<void>): Promise<void> {
    try {
      await returned;
    } catch (error) {
      throw asUserError(error, this.#context.source);
    }
    if (this.#emitFailure !== undefined) throw asUserError(this.#emitFailure, this.#context.source);
  }

  #checkRecordBytes(found: number): void {
    const { maxRecordBytes } = this.#job.document;
    if (found <= maxRecordBytes) return;
    const source = this.#context.source;
    throw new MapReduceError(
      "RECORD_INVALID",
      `input ${source.url}: a line of ${found} bytes, at most ${maxRecordBytes} expected (maxRecordBytes)`,
      { source },
    );
  }

  #progressCounters(doneBytes: number): Record<string, number> {
    return {
      ...this.#counters.snapshot(),
      [counterNames.mapInputBytes]: doneBytes,
      [counterNames.mapOutputRecords]: this.#emitted,
    };
  }

  async #callUser<T>(call: () => T | Promise<T>): Promise<T> {
    try {
      const result = await call();
      if (this.#emitFailure !== undefined) throw asError(this.#emitFailure);
      return result;
    } catch (error) {
      throw asUserError(error);
    }
  }

  #guard<T>(call: () => T): T {
    try {
      return call();
    } catch (error) {
      throw asUserError(error);
    }
  }
}

/** An infrastructure error keeps what it is; anything else came out of user code. */
function asUserError(error: unknown, source?: Source): unknown {
  return error instanceof MapReduceError && error.code === "SCRATCH_UNUSABLE"
    ? error
    : userError(error, source);
}

/** The context of a map call: `source` is worked out only when it is asked for. */
class RecordContext extends ExecutionContext implements MapContext {
  blocks: LineBlocks | undefined;
  line = 0;

  get source(): Source {
    if (this.blocks === undefined) throw new TypeError("source: there is no record outside of map calls");
    return { url: this.blocks.url, offset: this.blocks.offsetOf(this.line) };
  }
}
