// Holds jobs that must compile as a user writes them: record and emit are annotated, all else is inferred. Checked by
// tsc, never run.

import {
  csv,
  fixedLength,
  inputFormat,
  jsonl,
  lines,
  mapper,
  MapReduce,
  MapReduceSpecification,
  max,
  min,
  outputFormat,
  partitioner,
  reducer,
  runAll,
  sum,
  totalOrder,
  type Context,
  type Emit,
  type JobResult,
  type Json,
  type Key,
  type MapContext,
  type ReduceContext,
  type WholeFile,
} from "mapreduce-fleet";

const module = import.meta.url;
const inputs = ["books/**/*.txt"];

// ---- the paper's jobs ------------------------------------------------------------------------------

const wordCounter = mapper("word_counter", (line: string, emit: Emit<string, number>) => {
  for (const word of line.match(/\S+/g) ?? []) emit(word, 1);
});
const adder = reducer("adder", (word: string, counts: Iterable<number>, emit: Emit<string, number>) => {
  let total = 0;
  for (const count of counts) total += count;
  emit(word, total);
});

export const wordCount = new MapReduceSpecification({
  name: "word-count",
  module,
  inputs,
  mapper: wordCounter,
  combiner: sum,
  reducer: adder,
  reduceTasks: 4,
  output: "out/word-count",
});
export const wordCountBySum = new MapReduceSpecification({
  name: "n",
  inputs,
  mapper: wordCounter,
  combiner: sum,
  reducer: sum,
});
export const ownCombiner = new MapReduceSpecification({
  name: "n",
  inputs,
  mapper: wordCounter,
  combiner: adder,
  reducer: adder,
});

const grep = mapper("grep", (line: string, emit: Emit<string, null>, { params }: MapContext) => {
  if (line.includes(params["pattern"] as string)) emit(line, null);
});
export const grepWithoutReducer = new MapReduceSpecification({
  name: "grep",
  inputs,
  mapper: grep,
  params: { pattern: "Ahab" },
});
export const mapOnly = new MapReduceSpecification({ name: "grep", inputs, mapper: grep, reduceTasks: 0 });

const linkReverser = mapper("link_reverser", async (page: WholeFile, emit: Emit<string, string>) => {
  for (const [, target = ""] of page.text.matchAll(/href="([^"]*)"/g)) emit(target, page.url);
  await Promise.resolve();
});
const joiner = reducer("joiner", (target: string, urls: Iterable<string>, emit: Emit<string, string[]>) =>
  emit(target, [...urls]),
);
export const reverseLinks = new MapReduceSpecification({
  name: "links",
  inputs,
  format: "wholeFile",
  mapper: linkReverser,
  reducer: joiner,
});

// A tuple as the key, a number as the value, a partitioner on the tuple's first element.
const pairCounter = mapper("pair_counter", (line: string, emit: Emit<readonly [string, number], number>) =>
  emit([line, line.length], 1),
);
const byFirst = partitioner(
  "by_first",
  (key: readonly [string, number], reduceTasks: number) => key[1] % reduceTasks,
);
const pairAdder = reducer(
  "pair_adder",
  (key: readonly [string, number], values: Iterable<number>, emit: Emit<string, bigint>) => {
    for (const value of values) emit(key[0], BigInt(value));
  },
);
export const tuples = new MapReduceSpecification({
  name: "tuples",
  inputs,
  mapper: pairCounter,
  partitioner: byFirst,
  reducer: pairAdder,
});

// ---- classes, contexts -----------------------------------------------------------------------------

class Sampler {
  #seen = 0;
  open(context: Context): void {
    context.log.info(context.jobId);
  }
  async map(line: string, emit: Emit<number, string>, context: MapContext): Promise<void> {
    context.counter("lines").add(1);
    emit(context.source.offset, line);
    this.#seen++;
    await Promise.resolve();
  }
  close(emit: Emit<number, string>): void {
    emit(-1, String(this.#seen));
  }
}
class First {
  reduce(key: number, values: Iterable<string>, emit: Emit<number, string>, context: ReduceContext): void {
    if (context.signal.aborted) return;
    for (const value of values) return emit(key, value);
  }
}
export const classes = new MapReduceSpecification({
  name: "classes",
  inputs,
  mapper: mapper("sampler", Sampler, { concurrency: 8 }),
  combiner: reducer("first", First),
  reducer: reducer("first_again", First),
});

// ---- formats ---------------------------------------------------------------------------------------

const byteLength = mapper("byte_length", (line: Uint8Array, emit: Emit<Uint8Array, number>) =>
  emit(line, line.length),
);
export const bytesOfLines = new MapReduceSpecification({
  name: "bytes",
  inputs,
  format: lines({ as: "bytes" }),
  mapper: byteLength,
  reducer: max,
});
export const bytesOfRecords = new MapReduceSpecification({
  name: "sort",
  inputs,
  format: fixedLength(100),
  mapper: byteLength,
  partitioner: totalOrder({ samples: 1000 }),
  reducer: min,
  outputFormat: "binary",
});

const byColumn = mapper("by_column", (row: Record<string, string>, emit: Emit<string, number>) =>
  emit(row["country"] ?? "", Number(row["amount"])),
);
const byPlace = mapper("by_place", (row: string[], emit: Emit<string, number>) =>
  emit(row[0] ?? "", Number(row[1])),
);
export const csvWithHeader = new MapReduceSpecification({
  name: "csv",
  inputs,
  format: csv({ header: true, delimiter: ";" }),
  mapper: byColumn,
  reducer: sum,
});
export const csvWithout = new MapReduceSpecification({
  name: "csv",
  inputs,
  format: csv(),
  mapper: byPlace,
  reducer: sum,
});
export const csvByName = new MapReduceSpecification({
  name: "csv",
  inputs,
  format: "csv",
  mapper: byPlace,
  reducer: sum,
});

interface Order {
  readonly customer: string;
  readonly total: number;
}
const orderTotals = mapper("order_totals", (order: Order, emit: Emit<string, number>) =>
  emit(order.customer, order.total),
);
export const jsonByName = new MapReduceSpecification({
  name: "jsonl",
  inputs,
  format: "jsonl",
  mapper: orderTotals,
  reducer: sum,
});
declare const orderSchema: { readonly "~standard": { readonly types?: { readonly output: Order } } };
export const jsonBySchema = new MapReduceSpecification({
  name: "jsonl",
  inputs,
  format: jsonl({ schema: orderSchema }),
  mapper: orderTotals,
  reducer: sum,
});

const swap = mapper("swap", ([word, count]: [string, number], emit: Emit<number, string>) =>
  emit(count, word),
);
export const pairs = new MapReduceSpecification({
  name: "pairs",
  inputs,
  format: "pairs",
  mapper: swap,
  outputFormat: "pairs",
});

const rows = inputFormat("rows", {
  async splits(url: string) {
    return await Promise.resolve([{ url, start: 0, end: 10 }]);
  },
  *read(split) {
    for (let id = split.start; id < split.end; id++) yield { record: { id }, offset: id };
  },
});
const upper = outputFormat("upper", {
  extension: ".txt",
  write: (key: string, value: number, out) => out(`${key.toUpperCase()} ${value}\n`),
});
export const ownFormats = new MapReduceSpecification({
  name: "rows",
  inputs,
  format: rows,
  mapper: mapper("row_ids", (row: { id: number }, emit: Emit<string, number>) => emit("ids", row.id)),
  reducer: sum,
  outputFormat: upper,
});

// ---- inputs ----------------------------------------------------------------------------------------

const users = mapper("users", (row: Record<string, string>, emit: Emit<string, string>) =>
  emit(row["id"] ?? "", "user"),
);
const events = mapper("events", (line: string, emit: Emit<string, string>) => emit(line, "event"));
const join = reducer("join", (id: string, kinds: Iterable<string>, emit: Emit<string, Json>) =>
  emit(id, [...kinds]),
);
export const joinOfTwo = new MapReduceSpecification({
  name: "join",
  inputs: [
    { url: "users.csv", format: csv({ header: true }), mapper: users },
    { url: "events/*.log", mapper: events },
  ],
  reducer: join,
});
export const joinByName = new MapReduceSpecification({
  name: "join",
  inputs: {
    users: { url: "users.csv", format: csv({ header: true }), mapper: users },
    events: { url: "events/*.log", format: "lines", mapper: events },
    more: "more/*.log",
  },
  mapper: events,
  reducer: join,
});
export const mixedDefaults = new MapReduceSpecification({
  name: "mixed",
  inputs: ["a.csv", { url: "b.log", format: "lines", mapper: events }],
  format: csv({ header: true }),
  mapper: users,
  reducer: join,
});
export const chained = new MapReduceSpecification({
  name: "chained",
  inputs: [wordCount, { url: wordCount, mapper: wordCounter }],
  mapper: wordCounter,
  reducer: sum,
});

// ---- bare names, every field -----------------------------------------------------------------------

export const bareNames = new MapReduceSpecification({
  name: "bare",
  inputs: [{ url: "a", mapper: "baked_in_mapper" }, "b"],
  mapper: "other_mapper",
  combiner: "baked_in_adder",
  partitioner: "baked_in_partitioner",
  reducer: "baked_in_adder",
});
export const everyField = new MapReduceSpecification({
  name: "every",
  module,
  inputs,
  format: "lines",
  mapper: wordCounter,
  combiner: sum,
  partitioner: partitioner("by_length", (key: string, reduceTasks) => key.length % reduceTasks),
  reducer: adder,
  reduceTasks: 4,
  output: "out",
  outputFormat: "text",
  overwrite: true,
  params: { deep: { list: [1, "two", null, true] } },
  files: { model: "model.bin" },
  secrets: ["TOKEN"],
  splitSize: "64MiB",
  filesPerTask: 10,
  keyOrder: "descending",
  valueOrder: "ascending",
  maxAttempts: 2,
  skipBadRecords: true,
  maxSkippedRecords: 3,
  backupTasks: false,
  taskTimeout: "10m",
  memory: 2 ** 30,
  maxRecordBytes: "1MiB",
  maxKeyBytes: 1024,
  segmentCompression: "zstd",
  scheduling: "deal",
});

// A mapper that emits less than the reducer takes fits it, and a partitioner of any key fits every job.
const anyKey = partitioner("any_key", (_key: Key, _reduceTasks, params) => Number(params["at"]));
const wide = reducer("wide", (key: string, values: Iterable<number | string>, emit: Emit<string, number>) =>
  emit(key, [...values].length),
);
export const narrowMapper = new MapReduceSpecification({
  name: "narrow",
  inputs,
  mapper: wordCounter,
  partitioner: anyKey,
  reducer: wide,
});

// ---- running ---------------------------------------------------------------------------------------

export async function run(): Promise<readonly JobResult[]> {
  const result = await new MapReduce(wordCount).exec({ slots: 2, onProgress: ({ map }) => map.fraction });
  const handle = await new MapReduce(wordCount).submit({ id: result.jobId });
  for await (const progress of handle.progress()) if (progress.map.done > 3) await handle.cancel();
  return await runAll([wordCount, chained], { scratchDirectory: "/tmp/mine" });
}
