// Holds the table of functions to its promises: one name for one function over all kinds, and a module that is evaluated
// anew replaces what it registered before, in this process and in real ones.

import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { find, lookUp, register, registeredNames } from "../../../src/shared/registry/registry.ts";

const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

function registerMapper(name: string, place: string, fn = () => {}): typeof fn {
  register({ kind: "mapper", name, fn, concurrency: 1 }, place);
  return fn;
}

describe("the table", () => {
  test("finds a function by its name, whatever its kind", () => {
    const fn = registerMapper("found", "file:///jobs/found.ts:1:1");
    register({ kind: "partitioner", name: "found.too", fn: () => 0 }, "file:///jobs/found.ts:2:1");
    expect(lookUp("found")).toMatchObject({ kind: "mapper", fn });
    expect(lookUp("found.too").kind).toBe("partitioner");
    expect(registeredNames()).toEqual(expect.arrayContaining(["found", "found.too"]));
  });

  test("an unknown name is refused with the names that are known", () => {
    registerMapper("known", "file:///jobs/known.ts:1:1");
    const lookingUp = (): unknown => lookUp("unknown");
    expect(lookingUp).toThrow(expect.objectContaining({ code: "FUNCTION_UNKNOWN" }));
    expect(lookingUp).toThrow(/registered are: .*known/);
    expect(find("unknown")).toBeUndefined();
  });

  test.each(["mapreduce.sum", "mapreduce.min", "mapreduce.max", "mapreduce.identity"])(
    "%s is there without being registered, and is not among the user's names",
    (name) => {
      expect(lookUp(name)).toMatchObject({ kind: "reducer", builtIn: name.slice("mapreduce.".length) });
      expect(registeredNames()).not.toContain(name);
    },
  );

  test.each(["", "a b", "a/b", "wörter", "x".repeat(129)])("the name %j is refused", (name) => {
    const registering = (): unknown => registerMapper(name, "file:///jobs/a.ts:1:1");
    expect(registering).toThrow(expect.objectContaining({ code: "SPECIFICATION_INVALID" }));
    expect(registering).toThrow("expected 1 to 128 of A-Z a-z");
  });

  test("names of ours are refused, and 128 characters are not", () => {
    expect(() => registerMapper("mapreduce.mine", "file:///jobs/a.ts:1:1")).toThrow(/reserved/);
    expect(() => registerMapper("mapreduce.sum", "mapreduce-fleet")).toThrow(/reserved/);
    registerMapper("x".repeat(128), "file:///jobs/a.ts:1:1");
  });
});

describe("a name that is taken", () => {
  test.each([
    ["in another file", "file:///jobs/b.ts:3:5"],
    ["at another line of the file", "file:///jobs/a.ts:4:5"],
    ["at the same line, in a loop", "file:///jobs/a.ts:3:5"],
  ])("is refused %s, and both places are named", (where, place) => {
    const name = `taken.${where.replaceAll(/[ ,]/g, "_")}`;
    registerMapper(name, "file:///jobs/a.ts:3:5");
    const again = (): void => register({ kind: "reducer", name, fn: () => {} }, place);
    expect(again).toThrow(expect.objectContaining({ code: "FUNCTION_REGISTERED_TWICE" }));
    expect(again).toThrow(`reducer "${name}" registered at ${place}`);
    expect(again).toThrow("a mapper at file:///jobs/a.ts:3:5");
  });

  test("is no matter for the very same function", () => {
    const fn = registerMapper("same", "file:///jobs/a.ts:3:5");
    registerMapper("same", "file:///jobs/b.ts:3:5", fn);
    expect(lookUp("same").fn).toBe(fn);
  });

  test("is replaced by the same file under another query, also where its lines have moved", () => {
    registerMapper("moved", "file:///jobs/a.ts?t=1:3:5");
    const second = registerMapper("moved", "file:///jobs/a.ts?t=2:9:5");
    expect(lookUp("moved").fn).toBe(second);
    const third = registerMapper("moved", "file:///jobs/a.ts:9:5");
    expect(lookUp("moved").fn).toBe(third);
    expect(() => registerMapper("moved", "file:///jobs/a.ts:10:5")).toThrow(/taken/);
  });

  test("is replaced by the same line of the same file in a later turn, and by no other line", async () => {
    registerMapper("later", "file:///jobs/a.ts:3:5");
    await nextTurn();
    const second = registerMapper("later", "file:///jobs/a.ts:3:7");
    expect(lookUp("later").fn).toBe(second);
    await nextTurn();
    expect(() => registerMapper("later", "file:///jobs/a.ts:4:5")).toThrow(/taken/);
    expect(() => registerMapper("later", "file:///jobs/b.ts:3:5")).toThrow(/taken/);
  });
});

describe("a job file, in a process of its own", () => {
  let folder = "";
  const source = (path: string): string => new URL(`../../../src/${path}`, import.meta.url).href;
  const run = promisify(execFile);

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "mapreduce-test-"));
    const job = [
      "// a comment that moves the lines",
      `import { mapper } from "mapreduce-fleet";`,
      `type Line = string;`,
      `export const each = mapper("each", (line: Line) => {});`,
    ].join("\n");
    await writeFile(join(folder, "job.ts"), job);
    await writeFile(join(folder, "copy.ts"), job);
  });
  afterAll(() => rm(folder, { recursive: true, force: true }));

  async function runScript(script: string): Promise<string> {
    const prelude = `
      import { registerHooks } from "node:module";
      const ours = ${JSON.stringify(source("index.ts"))};
      registerHooks({ resolve: (name, context, next) => next(name === "mapreduce-fleet" ? ours : name, context) });
      process.setSourceMapsEnabled(true);
      const { lookUp } = await import(${JSON.stringify(source("shared/registry/registry.ts"))});
      const job = ${JSON.stringify(pathToFileURL(join(folder, "job.ts")).href)};`;
    const { stdout } = await run(process.execPath, ["--input-type=module", "-e", prelude + script]);
    return stdout.trim();
  }

  test("may be imported again through another URL", async () => {
    const script = `
      await import(job);
      const first = lookUp("each").fn;
      await import(job + "?v=2");
      const second = lookUp("each").fn;
      await import(job + "?v=2");
      console.log(first !== second, lookUp("each").fn === second);`;
    expect(await runScript(script)).toBe("true true");
  });

  test("may be loaded as its bundle beside its source: the map leads to the same line", async () => {
    const script = `
      import { writeFileSync } from "node:fs";
      import { fileURLToPath } from "node:url";
      await import(job);
      const first = lookUp("each").fn;
      const { bundleJob } = await import(${JSON.stringify(source("client/bundle.ts"))});
      const bundle = await bundleJob(job);
      const url = new URL("bundle.mjs", job);
      writeFileSync(fileURLToPath(url), bundle.code);
      await import(url.href);
      console.log(first !== lookUp("each").fn);`;
    expect(await runScript(script)).toBe("true");
  });

  test("is refused where a copy of it registered the same name, and the user's own lines are named", async () => {
    const script = `
      await import(job);
      await import(new URL("copy.ts", job).href).catch((error) => console.log(error.code, error.message));`;
    const said = await runScript(script);
    expect(said).toMatch(/^FUNCTION_REGISTERED_TWICE mapper "each"/);
    expect(said).toContain("copy.ts:4:21");
    expect(said).toContain("job.ts:4:21");
  });
});
