// Holds what bundleJob promises: one file that runs like the originals would, the same bytes each time, clear errors.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import { execFileSync } from "node:child_process";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bundleJob } from "../../src/client/bundle.ts";
import { MapReduceError } from "../../src/shared/job/errors.ts";

let folder: string;
beforeEach(() => {
  // A space and what means something in a URL: places must survive both.
  folder = mkdtempSync(join(tmpdir(), "bundle #1 "));
});
afterEach(() => rmSync(folder, { recursive: true }));

/** Writes files below the folder and gives the path of the first. */
function given(files: Readonly<Record<string, string>>): string {
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), text);
  }
  return join(folder, Object.keys(files)[0] ?? "");
}

/** Bundles a job file, removes all originals, and runs the bundle elsewhere; gives what it printed as JSON. */
async function runAway(job: string): Promise<unknown> {
  const { code } = await bundleJob(pathToFileURL(job).href);
  rmSync(folder, { recursive: true });
  mkdirSync(folder);
  const elsewhere = mkdtempSync(join(tmpdir(), "elsewhere-"));
  try {
    writeFileSync(join(elsewhere, "bundle.mjs"), code);
    const printed = execFileSync(process.execPath, ["--enable-source-maps", "bundle.mjs"], {
      cwd: elsewhere,
      encoding: "utf8",
    });
    return JSON.parse(printed);
  } finally {
    rmSync(elsewhere, { recursive: true });
  }
}

async function errorOf(job: string): Promise<MapReduceError> {
  const error: unknown = await bundleJob(job).catch((thrown: unknown) => thrown);
  expect(error).toBeInstanceOf(MapReduceError);
  return error as MapReduceError;
}

describe("what a bundle holds", () => {
  test("the job file's imports, its packages and CommonJS dependencies come along", async () => {
    const job = given({
      "job.ts": `import { add } from "./add.ts"; import pkg from "some-package"; console.log(JSON.stringify([add(1, 2), pkg.sep, pkg.kind]));`,
      "add.ts": `export const add = (a: number, b: number): number => a + b;`,
      "node_modules/some-package/package.json": `{ "main": "main.js" }`,
      "node_modules/some-package/main.js": `const { sep } = require("node:path"); module.exports = { sep, kind: typeof require };`,
    });
    expect(await runAway(job)).toEqual([3, "/", "function"]);
  });

  test("a job file's own `require` does not meet the one for CommonJS dependencies", async () => {
    const job = given({
      "job.ts": `import { createRequire } from "node:module"; import a from "./a.cjs";
        const require = createRequire(import.meta.url); console.log(JSON.stringify([require("node:path").sep, a]));`,
      "a.cjs": `module.exports = require("node:path").sep;`,
    });
    expect(await runAway(job)).toEqual(["/", "/"]);
  });

  test("TypeScript that Node alone does not run is compiled: enums, parameter properties, decorators", async () => {
    const job = given({
      "job.ts": `enum Color { Red = 3 } class Point { constructor(readonly x: number) {} }
        function twice(method: (n: number) => number, _: ClassMethodDecoratorContext) { return (n: number) => method(method(n)); }
        class Adder { @twice one(n: number) { return n + 1; } }
        console.log(JSON.stringify([Color.Red, new Point(4).x, new Adder().one(1)]));`,
    });
    expect(await runAway(job)).toEqual([3, 4, 3]);
  });

  test.each(["module", "commonjs"])("a folder of package type %s may hold the job", async (type) => {
    const job = given({
      "job.ts": `export default 1; console.log(JSON.stringify(import.meta.url.length > 0));`,
      "package.json": JSON.stringify({ type }),
    });
    expect(await runAway(job)).toBe(true);
  });

  test("mapreduce-fleet stays outside, whatever the user's tsconfig.json says of it", async () => {
    const job = given({
      "job.ts": `import { mapper } from "mapreduce-fleet"; import { runMapper } from "mapreduce-fleet/testing"; console.log(mapper, runMapper);`,
      "tsconfig.json": `{ "compilerOptions": { "paths": { "mapreduce-fleet": ["./other.ts"] } } }`,
      "other.ts": `export const mapper = 1;`,
    });
    const code = Buffer.from((await bundleJob(job)).code).toString();
    expect(code).toMatch(/from "mapreduce-fleet";/);
    expect(code).toMatch(/from "mapreduce-fleet\/testing";/);
  });

  test("the same sources give the same bytes, named by their SHA-256; other sources give others", async () => {
    const job = given({ "job.ts": `export default 1;` });
    const [first, second] = [await bundleJob(job), await bundleJob(pathToFileURL(job).href)];
    expect(second).toEqual(first);
    expect(first.sha256).toBe(createHash("sha256").update(first.code).digest("hex"));
    expect(first.moduleUrl).toBe(pathToFileURL(job).href);
    given({ "job.ts": `export default 2;` });
    expect((await bundleJob(job)).sha256).not.toBe(first.sha256);
  });
});

describe("where a module lies", () => {
  test("import.meta is each original's, and none of them is the main one", async () => {
    const job = given({
      "job.ts": `import { meta } from "./deep/other.ts"; const { url, filename, dirname, main } = import.meta;
        console.log(JSON.stringify([{ url, filename, dirname, main }, meta]));`,
      "deep/other.ts": `export const meta = { url: import.meta.url, filename: import.meta.filename, dirname: import.meta.dirname, main: import.meta.main };`,
    });
    const place = (name: string) => ({
      url: pathToFileURL(join(folder, name)).href,
      filename: join(folder, name),
      dirname: dirname(join(folder, name)),
    });
    expect(await runAway(job)).toEqual([place("job.ts"), { ...place("deep/other.ts"), main: false }]);
  });

  test("__filename and __dirname of a CommonJS dependency are the original's", async () => {
    const job = given({
      "job.ts": `import places from "./a.cjs"; console.log(JSON.stringify(places));`,
      "a.cjs": `module.exports = [__filename, __dirname];`,
    });
    expect(await runAway(job)).toEqual([join(folder, "a.cjs"), folder]);
  });

  test("a stack names the original file and line, also behind a hashbang, a banner and a rewritten import.meta", async () => {
    const job = given({
      "job.ts": `#!/usr/bin/env node
import "./a.cjs";
const url: string = import.meta.url;
function boom(): never {
  throw new Error(url);
}
try { boom(); } catch (error) { console.log(JSON.stringify((error as Error).stack)); }`,
      "a.cjs": `require("node:path");`,
    });
    expect(await runAway(job)).toMatch(/boom \((file:\/\/)?\/.*bundle(%20| )(%23|#)1(%20| ).*job\.ts:5:9\)/);
  });
});

describe("what can't be bundled", () => {
  test("a missing job file is named", async () => {
    const error = await errorOf(join(folder, "none.ts"));
    expect(error.code).toBe("JOB_FILE_INVALID");
    expect(error.message).toBe(`job file ${join(folder, "none.ts")}: no such file`);
  });

  test("a directory is no job file", async () => {
    expect((await errorOf(folder)).message).toBe(`job file ${folder}: not a file`);
  });

  test("a syntax error is told with file, line, column and the line", async () => {
    const job = given({ "job.ts": `const a = 1;\nconst b = ;\n` });
    const error = await errorOf(job);
    expect(error.code).toBe("JOB_FILE_INVALID");
    expect(error.message).toBe(`job file ${job}:2:11: Unexpected ";"`);
    expect(error.userStack).toBe(`    at ${job}:2:11\n      const b = ;\n                ^`);
  });

  test("a column is the original's on a first line that says where it lies", async () => {
    const job = given({ "job.ts": `console.log(import.meta.url); const b = ;\n` });
    expect((await errorOf(job)).message).toBe(`job file ${job}:1:41: Unexpected ";"`);
  });

  test("every import that can't be found is told, the first one in the message", async () => {
    const job = given({ "job.ts": `import "no-such-package";\nimport "./none.ts";\n` });
    const error = await errorOf(job);
    expect(error.message).toBe(`job file ${job}:1:8: Could not resolve "no-such-package" (and 1 more)`);
    expect(error.userStack).toContain(`${job}:2:8: Could not resolve "./none.ts"`);
  });

  test("a native add-on is refused by name", async () => {
    const job = given({ "job.ts": `import "./fast.node";`, "fast.node": "" });
    const error = await errorOf(job);
    expect(error.code).toBe("JOB_FILE_INVALID");
    expect(error.message).toContain(`native add-on ${join(folder, "fast.node")} cannot travel to workers`);
  });
});
