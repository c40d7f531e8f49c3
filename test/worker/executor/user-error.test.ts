// Holds the telling of user errors to the user's own message, place and frames.

import { createContext, runInContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { MapReduceError } from "../../../src/shared/job/errors.ts";
import { userError, userStack } from "../../../src/worker/executor/user-error.ts";

const source = { url: "file:///data/a.txt", offset: 12 };

describe("what user code threw", () => {
  test("is told with its name, its message and the record's place", () => {
    const error = userError(new RangeError("too far"), source);
    expect(error).toMatchObject({
      code: "USER_CODE_THREW",
      message: "user code threw RangeError: too far",
      source,
    });
  });

  test("keeps its code where the engine threw it, and the place that the engine knew", () => {
    const thrown = new MapReduceError("KEY_INVALID", "key: NaN", { source: { url: "file:///b", offset: 1 } });
    expect(userError(thrown, source)).toMatchObject({
      code: "KEY_INVALID",
      message: "key: NaN",
      source: { offset: 1 },
    });
  });

  test.each([undefined, null, "text", 7n, Object.create(null), () => 1])("may be %o", (thrown) => {
    expect(userError(thrown).message).toMatch(/^user code threw /);
  });

  test("is an error also when it comes from another realm", () => {
    const thrown: unknown = runInContext(`new TypeError("elsewhere")`, createContext());
    expect(userError(thrown).message).toBe("user code threw TypeError: elsewhere");
  });

  test("is cut to a size that fits a message", () => {
    const error = userError(new Error("x".repeat(10 ** 6)));
    expect(error.message.length + (error.userStack ?? "").length).toBeLessThan(32 * 1024);
  });
});

describe("a user's stack", () => {
  test("has the user's frames and none of ours or of node", () => {
    const error = new Error("broken");
    const ours = new URL("../../../src/worker/map/execution.ts", import.meta.url).href;
    error.stack = [
      "Error: broken",
      "    at parse (/jobs/lib/parse.ts:3:9)",
      "    at Object.map (file:///jobs/job with (brackets).ts:10:5)",
      `    at run (${ours}:100:5)`,
      "    at async node:internal/process/task_queues:105:5",
      "    at process.processTicksAndRejections (node:internal/process/task_queues:105:5)",
    ].join("\n");
    expect(userStack(error).split("\n")).toEqual([
      "Error: broken",
      "    at parse (/jobs/lib/parse.ts:3:9)",
      "    at Object.map (file:///jobs/job with (brackets).ts:10:5)",
    ]);
  });

  test("ends, where causes go in a circle", () => {
    const first = new Error("first");
    first.cause = new Error("second", { cause: first });
    expect(userStack(first).split("caused by: ").length).toBeLessThan(10);
  });
});
