// Holds what one reduce execution leaves and reports, and whom it blames when it fails.

import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { JobDocument } from "../../../src/shared/job/document.ts";
import { MapReduceError } from "../../../src/shared/job/errors.ts";
import type { ReduceReport } from "../../../src/shared/messages/messages.ts";
import type { Context, Emit } from "../../../src/shared/registry/functions.ts";
import { register, type Registered } from "../../../src/shared/registry/registry.ts";
import { SegmentLostError, type ExecutionHooks } from "../../../src/worker/executor/execution.ts";
import type { SegmentSource } from "../../../src/worker/executor/protocol.ts";
import { runReduce } from "../../../src/worker/reduce/execution.ts";
import { mapOutput, writeSegment, writeSegments, type Pair } from "../segments.ts";
import { jobDocument } from "../../job-document.ts";

type ReducerFunction = Extract<Registered, { kind: "reducer" }>["fn"];
type AnyEmit = Emit<unknown, unknown>;

let directory: string;
let serial = 0;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "reduce-"));
  mkdirSync(join(directory, "scratch"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const outputUrl = (): string => pathToFileURL(join(directory, "out")).href;

function document(fields: Partial<JobDocument>): JobDocument {
  return jobDocument({ jobId: "job", output: outputUrl(), memory: 128 * 1024 * 1024, ...fields });
}

const hooks: ExecutionHooks = {
  progress: () => undefined,
  note: () => undefined,
  log: () => undefined,
  signal: new AbortController().signal,
};

/** Runs partition 1 of two over one segment file for each list of pairs. */
async function reduce(
  lists: readonly (readonly Pair[])[],
  fields: Partial<JobDocument>,
  damage: (path: string) => void = () => undefined,
  more: readonly SegmentSource[] = [],
  signal: AbortSignal = hooks.signal,
): Promise<ReduceReport> {
  const sources = lists.map((pairs, map) => {
    const path = join(directory, `m${map}`);
    writeSegments(path, [[["of another partition", 1]], pairs]);
    damage(path);
    return mapOutput(map, path);
  });
  return await runReduce(
    {
      kind: "reduce",
      jobId: "job",
      taskId: "r1",
      attempt: 2,
      executionId: "w.9",
      scratchDirectory: join(directory, "scratch"),
      partition: 1,
      sources: [...sources, ...more],
    },
    { document: document({ reduceTasks: 2, ...fields }), secrets: {} },
    { ...hooks, signal },
  );
}

/** Registers a reducer under a name of its own. */
function named(fn: ReducerFunction): Partial<JobDocument> {
  const name = `reducer_${serial++}`;
  register({ kind: "reducer", name, fn }, `test:${name}`);
  return { reducer: name };
}

function textOf(report: ReduceReport): string {
  const [pending] = report.pendingOutputs;
  if (pending === undefined) throw new Error("no pending output");
  return readFileSync(fileURLToPath(pending.url), "utf8");
}

async function errorOf(running: Promise<unknown>): Promise<MapReduceError> {
  const error = await running.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MapReduceError);
  return error as MapReduceError;
}

const counts: Pair[][] = [
  [
    ["a", 1],
    ["b", 2],
    ["b", 3],
  ],
  [
    ["a", 10],
    ["c", 0.5],
  ],
];

function adder(key: unknown, values: Iterable<unknown>, emit: AnyEmit): void {
  let total = 0;
  for (const value of values) total += value as number;
  emit(key, total);
}

describe("reducing", () => {
  test("a function, a class and the built-in sum give the same", async () => {
    class Adder {
      #groups = 0;
      reduce(key: unknown, values: Iterable<unknown>, emit: AnyEmit): void {
        this.#groups++;
        adder(key, values, emit);
      }
      close(emit: AnyEmit, context: Context): void {
        emit(["groups", context.taskId], this.#groups);
      }
    }
    const text = "a\t11\nb\t5\nc\t0.5\n";
    expect(textOf(await reduce(counts, named(adder)))).toBe(text);
    expect(textOf(await reduce(counts, { reducer: "mapreduce.sum" }))).toBe(text);
    expect(textOf(await reduce(counts, named(Adder)))).toBe(`${text}["groups","r1"]\t3\n`);
  });

  test("an asynchronous reducer is awaited before the next group", async () => {
    const order: string[] = [];
    const fields = named(async (key, values, emit) => {
      order.push("begin");
      await new Promise(setImmediate);
      emit(key, [...values]);
      order.push("end");
    });
    expect(textOf(await reduce(counts, fields))).toBe("a\t[1,10]\nb\t[2,3]\nc\t[0.5]\n");
    expect(order).toEqual(["begin", "end", "begin", "end", "begin", "end"]);
  });

  test.each([
    ["mapreduce.identity", "a\t1\na\t10\nb\t2\nb\t3\nc\t0.5\n"],
    ["mapreduce.min", "a\t1\nb\t2\nc\t0.5\n"],
    ["mapreduce.max", "a\t10\nb\t3\nc\t0.5\n"],
  ])("%s", async (reducer, text) => {
    expect(textOf(await reduce(counts, { reducer }))).toBe(text);
  });

  test("reports its pending output, counters and largest groups", async () => {
    const report = await reduce(counts, { reducer: "mapreduce.sum" });
    expect(report.pendingOutputs).toEqual([
      {
        name: "part-00001",
        url: `${outputUrl()}/_temporary/job/r1-2-w.9`,
        records: 3,
        bytes: 15,
      },
    ]);
    expect(report.counters).toMatchObject({
      "mapreduce.reduce.input.groups": 3,
      "mapreduce.reduce.input.records": 5,
      "mapreduce.reduce.output.records": 3,
      "mapreduce.reduce.output.bytes": 15,
    });
    expect(report.largestGroups).toEqual([
      { key: "a", records: 2 },
      { key: "b", records: 2 },
      { key: "c", records: 1 },
    ]);
  });

  test("the ten largest groups are those of the most records, whatever was read of them", async () => {
    const pairs = Array.from({ length: 30 }, (_, key) =>
      Array.from({ length: ((key * 7) % 30) + 1 }, (): Pair => [key, 1]),
    );
    const report = await reduce(
      [pairs.flat()],
      named(() => undefined),
    );
    expect(report.largestGroups.map(({ records }) => records)).toEqual([
      30, 29, 28, 27, 26, 25, 24, 23, 22, 21,
    ]);
    expect(report.counters["mapreduce.reduce.input.records"]).toBe(pairs.flat().length);
  });

  test("of no records comes an empty file, from a class that is opened and closed", async () => {
    const calls: string[] = [];
    class Quiet {
      open(): void {
        calls.push("open");
      }
      reduce(): void {
        calls.push("reduce");
      }
      close(): void {
        calls.push("close");
      }
    }
    const report = await reduce([[], []], named(Quiet));
    expect(textOf(report)).toBe("");
    expect(calls).toEqual(["open", "close"]);
    expect(textOf(await reduce([], { reducer: "mapreduce.sum" }))).toBe("");
  });

  test("segments in run files and those of other maps' files are one input", async () => {
    const [first = [], second = []] = counts;
    const fetched = writeSegment(join(directory, "fetched-0"), second);
    const source = { kind: "fetched", map: 1, executionId: "e.1", ...fetched } as const;
    expect(textOf(await reduce([first], {}, undefined, [source]))).toBe("a\t1\na\t10\nb\t2\nb\t3\nc\t0.5\n");
  });

  test("300 sources are merged in passes to the same result", async () => {
    const lists = Array.from({ length: 300 }, (_, i): Pair[] => [
      [`every`, 1],
      [`key ${i % 7}`, i],
    ]);
    const text = textOf(await reduce(lists, { reducer: "mapreduce.identity" }));
    expect(text.split("\n").filter((line) => line === "every\t1")).toHaveLength(300);
    expect(text).toContain("key 3\t3\nkey 3\t10\nkey 3\t17\n");
    expect(readdirSync(join(directory, "scratch")).length).toBeLessThanOrEqual(1);
  });
});

describe("failing", () => {
  test("an unknown reducer, and a mapper in its place", async () => {
    const unknown = await errorOf(reduce(counts, { reducer: "nobody" }));
    expect(unknown.code).toBe("FUNCTION_UNKNOWN");
    register({ kind: "mapper", name: "a_mapper", fn: () => undefined, concurrency: 1 }, "test:a_mapper");
    const wrong = await errorOf(reduce(counts, { reducer: "a_mapper" }));
    expect(wrong).toMatchObject({
      code: "FUNCTION_UNKNOWN",
      message: 'function "a_mapper" is a mapper, expected a reducer',
    });
  });

  test("what user code throws names the group, keeps its stack, and leaves no pending output", async () => {
    const fields = named((key) => {
      if (key === "b") throw new RangeError("too much");
    });
    const error = await errorOf(reduce(counts, fields));
    expect(error.code).toBe("USER_CODE_THREW");
    expect(error.message).toBe("user code threw RangeError: too much, in the group of key b");
    expect(error.userStack).toContain("execution.test.ts");
    expect(readdirSync(join(directory, "out/_temporary/job"))).toEqual([]);
  });

  test("a rejected promise is an error of its group too", async () => {
    const error = await errorOf(
      reduce(
        counts,
        named(() => Promise.reject(new Error("later"))),
      ),
    );
    expect(error.message).toBe("user code threw Error: later, in the group of key a");
  });

  test("what can't be written is refused even where user code swallows the error", async () => {
    const fields = named((key, _values, emit) => {
      try {
        emit(key, () => 1);
      } catch {
        // as careless user code does
      }
    });
    expect((await errorOf(reduce(counts, fields))).code).toBe("VALUE_INVALID");
  });

  test("sum refuses what is no number", async () => {
    const error = await errorOf(reduce([[["a", "1"]]], { reducer: "mapreduce.sum" }));
    expect(error).toMatchObject({ code: "VALUE_INVALID" });
    expect(error.message).toContain("in the group of key a");
  });

  test("an emit after the end is an error where it is made", async () => {
    let late: AnyEmit | undefined;
    const fields = named((_key, _values, emit) => {
      late = emit;
    });
    const report = await reduce(counts, fields);
    expect(() => late?.("a", 1)).toThrow("emit after the end of r1");
    expect(textOf(report)).toBe("");
  });

  test("a corrupt segment is blamed on its map, even where it makes user code throw first", async () => {
    const many = Array.from({ length: 60_000 }, (_, i): Pair => [
      `key ${String(i).padStart(6, "0")}`,
      "value",
    ]);
    const damage = (path: string): void => {
      const bytes = readFileSync(path);
      const at = bytes.indexOf("value");
      bytes[at] = "V".charCodeAt(0);
      writeFileSync(path, bytes);
    };
    const fields = named((_key, values) => {
      for (const value of values) if (value !== "value") throw new Error("not what I emitted");
    });
    const error = await errorOf(reduce([[], many], fields, (path) => path.endsWith("m1") && damage(path)));
    expect(error).toBeInstanceOf(SegmentLostError);
    expect(error).toMatchObject({ code: "SEGMENT_CORRUPT", lost: { map: 1, executionId: "e.1" } });
  });

  test("a segment file that is gone is lost, and a reducer that swallows a failed read fails none the less", async () => {
    const gone = await errorOf(reduce(counts, { reducer: "mapreduce.sum" }, (path) => rmSync(path)));
    expect(gone).toMatchObject({ code: "SEGMENT_UNAVAILABLE", lost: { map: 0, executionId: "e.0" } });

    const many = Array.from({ length: 100_000 }, (): Pair => ["one group", "value"]);
    const damage = (path: string): void => {
      const bytes = readFileSync(path);
      bytes[bytes.length - 2_000] ^= 1;
      writeFileSync(path, bytes);
    };
    const fields = named((_key, values) => {
      try {
        for (const value of values) if (value === undefined) return;
      } catch {
        // as careless user code does
      }
    });
    expect(await errorOf(reduce([many], fields, damage))).toMatchObject({ code: "SEGMENT_CORRUPT" });
  });

  test("an output that can't be written is storage's failure and names the file", async () => {
    writeFileSync(join(directory, "out"), "a file in the way");
    const error = await errorOf(reduce(counts, named(adder)));
    expect(error.code).toBe("STORAGE_FAILED");
    expect(error.message).toContain(join(directory, "out/_temporary/job/r1-2-w.9"));
  });

  test.runIf(existsSync("/dev/full"))("a full disk is storage's failure too", async () => {
    const pending = join(directory, "out/_temporary/job");
    mkdirSync(pending, { recursive: true });
    symlinkSync("/dev/full", join(pending, "r1-2-w.9"));
    const error = await errorOf(reduce(counts, named(adder)));
    expect(error.code).toBe("STORAGE_FAILED");
    expect(error.message).toMatch(/r1-2-w\.9: can't be written: ENOSPC/);
    expect(readdirSync(pending)).toEqual([]);
  });

  test("an attempt that is cancelled ends at its next block, and says so", async () => {
    const abort = new AbortController();
    const many = Array.from({ length: 100_000 }, (_, i): Pair => [
      `key ${String(i).padStart(6, "0")}`,
      "value",
    ]);
    const cancelled = new MapReduceError("JOB_CANCELLED", "the attempt was cancelled");
    const fields = named(() => abort.abort(cancelled));
    expect(await errorOf(reduce([many], fields, undefined, [], abort.signal))).toBe(cancelled);
  });
});
