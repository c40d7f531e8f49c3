// Holds what options of the command line do to a specification.

import { lines, mapper, MapReduceSpecification } from "mapreduce-fleet";
import { describe, expect, test } from "vitest";
import {
  checkedFields,
  type MapReduceSpecification as Specification,
} from "../../../src/shared/job/specification.ts";
import { withOverrides, type Overrides } from "../../../src/shared/job/specification-overrides.ts";

const each = mapper("overrides.each", (_line: string, _emit: (key: string, value: number) => void) => {});
const bytes = mapper(
  "overrides.bytes",
  (_line: Uint8Array, _emit: (key: string, value: number) => void) => {},
);

const plain = new MapReduceSpecification({
  name: "plain",
  inputs: ["in/a.txt", "in/b.txt"],
  mapper: each,
  params: { text: "t", number: 1, flag: false, list: [1], nothing: null },
});
const named = new MapReduceSpecification({
  name: "named",
  inputs: { left: { url: "l", format: lines({ as: "bytes" }), mapper: bytes }, right: "r" },
  mapper: each,
});

function apply(overrides: Overrides, specification: Specification = plain) {
  return checkedFields(withOverrides(specification, overrides, "/here"));
}

describe("options", () => {
  test("none leave the specification as it is", () => {
    expect(withOverrides(plain, {}, "/here")).toBe(plain);
  });

  test("beat the specification's fields, and leave the others", () => {
    const before = checkedFields(plain);
    expect(
      apply({
        output: "out",
        overwrite: true,
        reduceTasks: "3",
        splitSize: "32MiB",
        filesPerTask: "4",
        memory: "1GiB",
        maxAttempts: "2",
        taskTimeout: "10m",
        backupTasks: false,
        scheduling: "deal",
      }),
    ).toEqual({
      ...before,
      output: "file:///here/out",
      overwrite: true,
      reduceTasks: 3,
      splitSize: 32 * 2 ** 20,
      filesPerTask: 4,
      memory: 2 ** 30,
      maxAttempts: 2,
      taskTimeoutMs: 600_000,
      backupTasks: false,
      scheduling: "deal",
    });
  });

  test("are called by their own names where they are wrong, all together", () => {
    const wrong = (): unknown =>
      apply({ reduceTasks: "many", maxAttempts: "0", output: "", splitSize: "big" });
    expect(wrong).toThrow('--reduce-tasks: found "many"');
    expect(wrong).toThrow("--max-attempts: found 0");
    expect(wrong).toThrow('--output: found ""');
    expect(wrong).toThrow('--split-size: found "big"');
    expect(wrong).toThrow(expect.objectContaining({ code: "SPECIFICATION_INVALID" }));
  });

  test("of features that come later say so", () => {
    const skipping = (): unknown => apply({ skipBadRecords: true });
    expect(skipping).toThrow(expect.objectContaining({ code: "NOT_YET_AVAILABLE" }));
    expect(skipping).toThrow("--skip-bad-records: true comes later");
  });
});

describe("--input", () => {
  test("replaces all inputs, from the current directory", () => {
    const urls = apply({ input: ["x/*.txt", "/abs", "file:///u"] }).inputs.map(({ url }) => url);
    expect(urls).toEqual(["file:///here/x/*.txt", "file:///abs", "file:///u"]);
  });

  test("NAME=place replaces a named one, with its mapper and format", () => {
    const { inputs } = apply({ input: ["left=new"] }, named);
    expect(inputs).toEqual([
      { ...checkedFields(named).inputs[0], url: "file:///here/new" },
      checkedFields(named).inputs[1],
    ]);
  });

  test("without a name is a mistake where inputs differ in mapper or format", () => {
    expect(() => apply({ input: ["x"] }, named)).toThrow(/differ in mapper or format.*left=URL, right=URL/);
    expect(() => apply({ input: ["x", "left=y"] }, named)).toThrow(/all by name or all without/);
  });

  test("without a name keeps the mapper and the format that all inputs share", () => {
    const shared = new MapReduceSpecification({
      name: "shared",
      inputs: { a: { url: "a", format: lines({ as: "bytes" }), mapper: bytes } },
    });
    const [before] = checkedFields(shared).inputs;
    expect(apply({ input: ["x", "y"] }, shared).inputs).toEqual([
      { url: "file:///here/x", format: before.format, mapper: before.mapper },
      { url: "file:///here/y", format: before.format, mapper: before.mapper },
    ]);
  });

  test("may hold = where inputs have no names", () => {
    expect(apply({ input: ["a=b.txt"] }).inputs[0].url).toBe("file:///here/a=b.txt");
  });
});

describe("--param", () => {
  test("is read as the type of the value in the specification", () => {
    const param = ["text=5=6", "number=2.5", "flag=true", "list=[2,3]", "nothing={}"];
    expect(apply({ param }).params).toEqual({
      text: "5=6",
      number: 2.5,
      flag: true,
      list: [2, 3],
      nothing: {},
    });
    expect(apply({ param: ["text=", "nothing=words"] }).params).toMatchObject({ text: "", nothing: "words" });
  });

  test.each([
    ["other=1", '"other" is not a param of "plain", which has: text, number, flag, list, nothing'],
    ["text", "expected name=value"],
    ["number=two", 'number: found "two", expected a value like 1 (number)'],
    ["number=", "expected a value like 1"],
    ["flag=1", "expected a value like false (boolean)"],
    ["list={}", "expected a value like [1] (array)"],
    ["toString=1", "is not a param"],
  ])("%s is refused", (param, message) => {
    expect(() => apply({ param: [param] })).toThrow(message);
  });
});
