// Holds how a job file comes in: from any folder, and every way in which its top-level code can go wrong.

import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { Folder, wordCount } from "./command.ts";

let folder: Folder;
beforeEach(() => {
  folder = new Folder();
  folder.write("in.txt", "a b\n");
});
afterEach(() => folder.remove());

test.each(["module", "commonjs"])(
  "a job file far from any project runs, in a folder of type %s",
  async (type) => {
    folder.write("package.json", JSON.stringify({ type }));
    folder.write("job.ts", wordCount());
    const plan = await folder.run(["run", "job.ts", "--plan"]);
    expect(plan).toMatchObject({ status: 0, stderr: "" });
    expect(plan.stdout).toContain(`${folder.path}/in.txt`);
  },
);

test("what a job file prints is on stderr: stdout is for results", async () => {
  folder.write("job.ts", `console.log("hello"); process.stdout.write("there\\n");\n${wordCount()}`);
  const plan = await folder.run(["run", "job.ts", "--plan"]);
  expect(plan.stderr).toBe("hello\nthere\n");
  expect(plan.stdout).toMatch(/^count: 1 map tasks/);
});

describe("status 2, one line, and the user's own stack", () => {
  test.each([
    [
      "throws",
      "\nfunction boom() { throw new TypeError('no luck'); }\nboom();",
      /user code threw \w*Error: no luck$/,
      /job\.ts:2:\d+/,
    ],
    [
      "rejects",
      "\nawait Promise.reject(new Error('too late'));",
      /user code threw \w*Error: too late$/,
      /job\.ts:2:\d+/,
    ],
    [
      "throws from a timer",
      "\nsetTimeout(() => { throw new Error('later'); });await new Promise(() => {});",
      /user code threw \w*Error: later$/,
      /job\.ts:2:\d+/,
    ],
    ["ends the process", "\nprocess.exit(0);", /called process\.exit\(0\)/, /job\.ts:2:\d+/],
    [
      "ends the process and catches it",
      "\ntry { process.exit(0); } catch {}",
      /called process\.exit\(0\)/,
      /job\.ts:2:\d+/,
    ],
  ])("for a file that %s", async (_, code, message, frame) => {
    folder.write("job.ts", `${code}\nexport default 1;`);
    const { status, stdout, stderr } = await folder.run(["run", "job.ts"]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    const [line = "", ...stack] = stderr.trimEnd().split("\n");
    expect(line).toMatch(/^error: job file \//);
    expect(line).toMatch(message);
    expect(stack.join("\n")).toMatch(frame);
    expect(stderr).not.toMatch(/src\/cli|node:internal/);
  });

  test.each([
    ["has no default export", "export const a = 1;", /no default export, expected a MapReduceSpecification/],
    ["exports something else", "export default 5;", /its default export is of type number/],
    ["waits for ever", "await new Promise(() => {}); export default 1;", /top-level await never settles/],
    ["has a syntax error", "export default ;", /job\.ts:1:16: Unexpected ";"/],
    [
      "makes a wrong specification",
      `import { MapReduceSpecification } from "mapreduce-fleet"; new MapReduceSpecification({} as never);`,
      /inputs: .*expected/,
    ],
  ])("for a file that %s", async (_, code, message) => {
    folder.write("job.ts", code);
    const { status, stdout, stderr } = await folder.run(["run", "job.ts"]);
    expect({ status, stdout }).toEqual({ status: 2, stdout: "" });
    expect(stderr).toMatch(/^error: job file \//);
    expect(stderr.split("\n")[0]).toMatch(message);
  });

  test("for a chain, which comes later", async () => {
    folder.write(
      "job.ts",
      wordCount().replace("export default new", "const one = new") + "export default [one, one];",
    );
    const { status, stderr } = await folder.run(["run", "job.ts"]);
    expect(status).toBe(2);
    expect(stderr).toMatch(/^error: .*a chain of specifications comes later\n$/);
  });
});
