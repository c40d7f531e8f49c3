// Holds what making a specification checks, how it says what is wrong, and the document that it becomes.

import {
  csv,
  fixedLength,
  inputFormat,
  lines,
  mapper,
  MapReduceSpecification,
  partitioner,
  reducer,
  sum,
  totalOrder,
} from "mapreduce-fleet";
import { describe, expect, test } from "vitest";
import { checkedFields, resolveSpecification } from "../../../src/shared/job/specification.ts";

const each = mapper("spec.each", (_line: string, _emit: (key: string, value: number) => void) => {});
const slow = mapper("spec.slow", async (_line: string) => {}, { concurrency: 4 });
const fold = reducer("spec.fold", (_key: string, _values: Iterable<number>) => {});
const spread = partitioner("spec.spread", () => 0);
const rows = inputFormat("spec.rows", { read: () => [] });

const good = { name: "job", inputs: ["in/*.txt"], mapper: each, reducer: fold };

/** Makes a specification of whatever a user of plain JavaScript may write. */
function make(fields: unknown): MapReduceSpecification {
  return new MapReduceSpecification(fields as typeof good);
}

function refusal(fields: unknown): { code: string; message: string } {
  try {
    make(fields);
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error("expected a refusal");
}

const places = { jobId: "j", bundle: { url: "file:///b", sha256: "00" }, baseDirectory: "/base/dir" };

describe("a specification becomes a document", () => {
  test("with every default", () => {
    expect(resolveSpecification(make(good), places)).toEqual({
      protocol: 1,
      jobId: "j",
      bundle: { url: "file:///b", sha256: "00" },
      name: "job",
      inputs: [
        {
          url: "file:///base/dir/in/*.txt",
          format: { name: "lines", options: { as: "string" } },
          mapper: "spec.each",
        },
      ],
      combiner: null,
      partitioner: null,
      reducer: "spec.fold",
      reduceTasks: 8,
      output: "file:///base/dir/job-output",
      outputFormat: { name: "text", options: {} },
      overwrite: false,
      params: {},
      secrets: [],
      splitSize: null,
      filesPerTask: null,
      maxAttempts: 4,
      backupTasks: true,
      taskTimeoutMs: null,
      memory: 512 * 2 ** 20,
      maxRecordBytes: 16 * 2 ** 20,
      maxKeyBytes: 2 ** 20,
      scheduling: "pull",
    });
  });

  test("with every field that works now", () => {
    const specification = make({
      ...good,
      module: "file:///jobs/job.ts",
      format: lines({ as: "bytes" }),
      combiner: sum,
      partitioner: spread,
      reduceTasks: 3,
      output: "out/",
      outputFormat: "text",
      overwrite: true,
      params: { pattern: "x", deep: [1, { a: null }] },
      secrets: ["TOKEN"],
      splitSize: "32MiB",
      filesPerTask: 7,
      maxAttempts: 1,
      backupTasks: false,
      taskTimeout: "10m",
      memory: "1GiB",
      maxRecordBytes: 100,
      maxKeyBytes: "1KiB",
      scheduling: "deal",
    });
    expect(checkedFields(specification).module).toBe("file:///jobs/job.ts");
    expect(resolveSpecification(specification, places)).toMatchObject({
      inputs: [{ format: { name: "lines", options: { as: "bytes" } } }],
      combiner: "mapreduce.sum",
      partitioner: "spec.spread",
      reduceTasks: 3,
      output: "file:///base/dir/out",
      overwrite: true,
      params: { pattern: "x", deep: [1, { a: null }] },
      secrets: ["TOKEN"],
      splitSize: 32 * 2 ** 20,
      filesPerTask: 7,
      maxAttempts: 1,
      backupTasks: false,
      taskTimeoutMs: 600_000,
      memory: 2 ** 30,
      maxRecordBytes: 100,
      maxKeyBytes: 1024,
      scheduling: "deal",
    });
  });

  test("without a reducer it gets the identity", () => {
    expect(checkedFields(make({ ...good, reducer: undefined })).reducer).toBe("mapreduce.identity");
  });

  test("each input takes from the specification what it does not say itself", () => {
    const specification = make({
      ...good,
      format: lines({ as: "bytes" }),
      inputs: {
        first: "a",
        second: { url: "../b", format: "lines" },
        third: { url: "file:///c%20d", mapper: "baked.in" },
      },
    });
    const asBytes = { name: "lines", options: { as: "bytes" } };
    expect(resolveSpecification(specification, places).inputs).toEqual([
      { name: "first", url: "file:///base/dir/a", format: asBytes, mapper: "spec.each" },
      {
        name: "second",
        url: "file:///base/b",
        format: { name: "lines", options: { as: "string" } },
        mapper: "spec.each",
      },
      { name: "third", url: "file:///c%20d", format: asBytes, mapper: "baked.in" },
    ]);
  });

  test("paths keep every character, globs included", () => {
    const { inputs } = resolveSpecification(make({ ...good, inputs: ["/a b/100%/é#?/[x]{y,z}/**"] }), places);
    expect(decodeURIComponent(inputs[0].url)).toBe("file:///a b/100%/é#?/[x]{y,z}/**");
  });

  test("later changes of what was given change nothing", () => {
    const params = { list: [1] };
    const inputs = ["a"];
    const specification = make({ ...good, params, inputs });
    params.list.push(2);
    inputs.push("b");
    expect(checkedFields(specification)).toMatchObject({ params: { list: [1] }, inputs: [{ url: "a" }] });
    expect(checkedFields(specification).inputs).toHaveLength(1);
  });
});

describe("what is wrong", () => {
  test("is named together, each with what was found and what was expected", () => {
    const { code, message } = refusal({
      ...good,
      reduceTask: 3,
      maxAttempts: 0,
      splitSize: "big",
      taskTimeout: -1,
      secrets: ["a-b"],
      backupTasks: "no",
      scheduling: "push",
    });
    expect(code).toBe("SPECIFICATION_INVALID");
    expect(message).toMatch(/^specification "job": /);
    for (const part of [
      "reduceTask: unknown, did you mean reduceTasks?",
      "maxAttempts: found 0, expected an integer from 1 to 100",
      'splitSize: found "big", expected bytes or a size such as "64MiB"',
      'taskTimeout: found -1, expected milliseconds or a time such as "10m"',
      'found "a-b", expected the name of an environment variable',
      'backupTasks: found "no", expected true or false',
      'scheduling: found "push", expected "pull" or "deal" or "pairwise"',
    ]) {
      expect(message).toContain(part);
    }
  });

  test.each([
    ["no object", 3, "found 3, expected an object"],
    ["no name", { ...good, name: undefined }, "name: found undefined"],
    ["a name that is a path", { ...good, name: "../job" }, 'without "/"'],
    ["no inputs", { ...good, inputs: undefined }, "inputs: found undefined, expected a list"],
    ["an empty list of inputs", { ...good, inputs: [] }, "inputs: found none"],
    ["one input without its list", { ...good, inputs: "a.txt" }, 'inputs: found "a.txt", expected a list'],
    ["an input that is a number", { ...good, inputs: ["a", 3] }, "inputs[1]: found 3, expected a path"],
    [
      "an unknown name in an input",
      { ...good, inputs: [{ url: "a", maper: each }] },
      "inputs[0].maper: unknown",
    ],
    ["an input of another scheme", { ...good, inputs: ["http://x/y"] }, 'inputs[0]: found "http://x/y"'],
    ["a file URL of another host", { ...good, inputs: ["file://host/a"] }, "inputs[0]: found"],
    ["a question mark in a file URL", { ...good, inputs: ["file:///a?b"] }, "%3F"],
    ["an empty output", { ...good, output: "" }, 'output: found "", expected a path'],
    ["no mapper", { ...good, mapper: undefined }, "mapper: left out"],
    ["a function for a handle", { ...good, mapper: () => {} }, "mapper: found a function, expected a mapper"],
    ["a class for a handle", { ...good, reducer: Date }, "reducer: found a function, expected a reducer"],
    [
      "a reducer as the mapper",
      { ...good, mapper: fold },
      '"spec.fold" is registered as reducer, expected a mapper',
    ],
    [
      "a mapper's name as the reducer",
      { ...good, reducer: "spec.each" },
      "registered as mapper, expected a reducer",
    ],
    [
      "a partitioner as the combiner",
      { ...good, combiner: spread },
      "registered as partitioner, expected a reducer",
    ],
    ["a format as the mapper", { ...good, mapper: rows }, "registered as input format, expected a mapper"],
    ["an unknown format", { ...good, format: "xml" }, 'format: found "xml", expected "lines"'],
    ["lines as numbers", { ...good, format: lines({ as: "numbers" as "bytes" }) }, 'expected "bytes"'],
    ["a module that is a path", { ...good, module: "/jobs/job.ts" }, "module: found"],
    ["half a reduce task", { ...good, reduceTasks: 0.5 }, "reduceTasks: found 0.5, expected an integer"],
    ["too little memory", { ...good, memory: "64MiB" }, 'memory: found "64MiB", expected bytes or a size'],
    [
      "a function in params",
      { ...good, params: { a: [{ b: () => {} }] } },
      "params: found a function at a.0.b",
    ],
    ["a date in params", { ...good, params: { at: new Date(0) } }, "at at, expected plain JSON"],
    ["NaN in params", { ...good, params: { x: Number.NaN } }, "params: found NaN at x"],
    ["null for a number", { ...good, maxAttempts: null }, "maxAttempts: found null"],
  ])("%s is refused", (_what, fields, message) => {
    const refused = refusal(fields);
    expect(refused.code).toBe("SPECIFICATION_INVALID");
    expect(refused.message).toContain(message);
  });

  test("params that hold themselves are refused", () => {
    const params: Record<string, unknown> = {};
    params["self"] = params;
    expect(refusal({ ...good, params }).message).toContain("expected plain JSON");
  });

  test("a name that nobody has registered may be known to a fleet", () => {
    expect(checkedFields(make({ ...good, mapper: "baked.in", combiner: "baked.too" }))).toMatchObject({
      combiner: "baked.too",
    });
  });

  test("something that is no specification is refused where one is wanted", () => {
    expect(() => checkedFields({ name: "job" } as MapReduceSpecification)).toThrow(
      /expected a MapReduceSpecification/,
    );
  });
});

describe("what comes later", () => {
  test.each([
    ["map-only", { reduceTasks: 0 }],
    ["csv", { format: csv() }],
    ["jsonl", { format: "jsonl" }],
    ["whole files", { inputs: [{ url: "a", format: "wholeFile" }] }],
    ["records of a length", { format: fixedLength(10) }],
    ["an input format of one's own", { format: rows }],
    ["an output format", { outputFormat: "pairs" }],
    ["total order", { partitioner: totalOrder() }],
    ["asynchronous maps at once", { mapper: slow }],
    ["files", { files: { a: "b" } }],
    ["descending keys", { keyOrder: "descending" }],
    ["sorted values", { valueOrder: "ascending" }],
    ["skipping", { skipBadRecords: true }],
    ["a bound of skipping", { maxSkippedRecords: 3 }],
    ["compressed segments", { segmentCompression: "zstd" }],
    ["S3", { inputs: ["s3://bucket/a"] }],
    ["a chain", { inputs: [make(good)] }],
  ])("%s is known, and said to come later", (_what, fields) => {
    const { code, message } = refusal({ ...good, ...fields });
    expect(code).toBe("NOT_YET_AVAILABLE");
    expect(message).toContain("comes later and is not yet available");
  });

  test("its default may be written out", () => {
    const writtenOut = make({
      ...good,
      format: "lines",
      outputFormat: "text",
      files: {},
      keyOrder: "ascending",
      skipBadRecords: false,
      maxSkippedRecords: 100,
      segmentCompression: "none",
    });
    expect(checkedFields(writtenOut)).toEqual(checkedFields(make(good)));
  });

  test("is named beside what is wrong, which then decides the code", () => {
    const { code, message } = refusal({ ...good, keyOrder: "descending", maxAttempts: 0, output: 3 });
    expect(code).toBe("SPECIFICATION_INVALID");
    expect(message).toContain("output: found 3");
    expect(message).toContain("maxAttempts: found 0");
  });
});
