// Holds how options replace fields of a specification, and what is said where they can't.

import { describe, expect, test } from "vitest";
import { applyJobOptions, type JobOptions } from "../../src/cli/job-options.ts";
import { mapper } from "../../src/shared/registry/handles.ts";
import { checkedFields, MapReduceSpecification } from "../../src/shared/job/specification.ts";

const none: JobOptions = { input: [], param: [], backupTasks: true };
const one = mapper("options.one", (line: string, emit: (key: string, value: number) => void) =>
  emit(line, 1),
);
const two = mapper("options.two", (line: string, emit: (key: string, value: number) => void) =>
  emit(line, 2),
);

/** The checked fields of a job with these fields, after options given in /here. */
function checked(fields: object, options: Partial<JobOptions>) {
  const specification = new MapReduceSpecification({
    name: "options",
    mapper: one,
    inputs: ["a"],
    ...fields,
  });
  return checkedFields(applyJobOptions(specification, { ...none, ...options }, "/here"));
}

describe("options in place of fields", () => {
  test("without options the specification is what it was", () => {
    const specification = new MapReduceSpecification({ name: "options", mapper: one, inputs: ["a"] });
    expect(applyJobOptions(specification, none, "/here")).toBe(specification);
  });

  test("numbers, sizes, times and switches are read like the specification's own", () => {
    const options = { reduceTasks: "3", splitSize: "32MiB", taskTimeout: "10m", memory: "268435456" };
    expect(checked({ overwrite: false }, { ...options, overwrite: true, maxAttempts: "2" })).toMatchObject({
      reduceTasks: 3,
      splitSize: 32 * 2 ** 20,
      taskTimeoutMs: 600_000,
      memory: 2 ** 28,
      overwrite: true,
      maxAttempts: 2,
    });
  });

  test("all wrong values are named together, by their options", () => {
    expect(() => checked({}, { reduceTasks: "x", splitSize: "3q" })).toThrow(
      /--reduce-tasks: found "x".*; --split-size: found "3q"/,
    );
  });

  test("relative places start from the current directory; URLs and absolute paths stay", () => {
    const { inputs, output } = checked({}, { input: ["b/*.txt", "/c", "file:///d"], output: "out" });
    expect(inputs.map(({ url }) => url)).toEqual(["/here/b/*.txt", "/c", "file:///d"]);
    expect(output).toBe("/here/out");
  });
});

describe("--input", () => {
  const named = { inputs: { left: { url: "l", mapper: two }, right: "r" } };

  test("NAME=URL replaces a named one, which keeps its mapper; the others stay", () => {
    const { inputs } = checked(named, { input: ["left=x=1/*.txt"] });
    expect(inputs).toMatchObject([
      { name: "left", url: "/here/x=1/*.txt", mapper: "options.two" },
      { name: "right", url: "r", mapper: "options.one" },
    ]);
  });

  test("a bare one replaces all, and takes the mapper that they share", () => {
    const shared = { inputs: { left: { url: "l", mapper: two }, right: { url: "r", mapper: two } } };
    expect(checked(shared, { input: ["x", "y"] }).inputs).toMatchObject([
      { url: "/here/x", mapper: "options.two" },
      { url: "/here/y", mapper: "options.two" },
    ]);
  });

  test("a bare one is a mistake where inputs differ in their mapper, or beside a named one", () => {
    expect(() => checked(named, { input: ["x"] })).toThrow(/--input x: the inputs differ.*left, right/);
    expect(() => checked(named, { input: ["x", "left=y"] })).toThrow(
      /--input x: .*can't stand beside NAME=URL/,
    );
  });

  test("an unknown name is told with the nearest one; a path with = in it is a path", () => {
    expect(() => checked(named, { input: ["lft=x"] })).toThrow(
      '--input lft: no input has that name, did you mean "left"?',
    );
    const same = { inputs: { left: "l", right: "r" } };
    expect(checked(same, { input: ["./dt=1"] }).inputs).toMatchObject([{ url: "/here/dt=1" }]);
    expect(checked({}, { input: ["dt=1"] }).inputs).toMatchObject([{ url: "/here/dt=1" }]);
  });
});

describe("--param", () => {
  const params = { text: "a", number: 1, flag: false, list: [1], object: { a: 1 }, nothing: null };

  test("is read as the type of the specification's own value", () => {
    const param = ["text=1", "number=-2.5", "flag=true", "list=[2,3]", 'object={"b":2}', "nothing=x"];
    expect(checked({ params }, { param }).params).toEqual({
      text: "1",
      number: -2.5,
      flag: true,
      list: [2, 3],
      object: { b: 2 },
      nothing: "x",
    });
  });

  test("may be empty, hold = and be given twice: the last one counts", () => {
    expect(checked({ params }, { param: ["text=", "text=a=b"] }).params["text"]).toBe("a=b");
    expect(checked({ params }, { param: ["text="] }).params["text"]).toBe("");
  });

  test.each([
    ["number=x", '--param number: found "x", expected a number'],
    ["flag=1", '--param flag: found "1", expected a boolean'],
    ["list={}", '--param list: found "{}", expected a JSON array'],
    ["nmber=1", '--param nmber: the specification has no such param, did you mean "number"?'],
    ["text", "--param text: expected NAME=VALUE"],
  ])("%s is refused", (param, message) => {
    expect(() => checked({ params }, { param: [param] })).toThrow(message);
  });

  test("of a specification without params is refused", () => {
    expect(() => checked({}, { param: ["a=1"] })).toThrow(
      "--param a: the specification has no such param, it has none",
    );
  });
});
