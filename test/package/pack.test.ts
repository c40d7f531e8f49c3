// Holds the package to what a user gets: packed, laid into an empty folder, it runs a job and types check. Its
// dependencies are links to this clone's, those that its package.json names and no other.

import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("../../", import.meta.url));
const env = { ...process.env, PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"]}` };
let folder: string;

const run = (command: string, args: readonly string[], cwd = folder): string =>
  execFileSync(command, args, { cwd, env, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

/** Links a package of the clone's node_modules into the folder's. */
function link(name: string): void {
  const target = join(folder, "node_modules", name);
  mkdirSync(dirname(target), { recursive: true });
  symlinkSync(join(root, "node_modules", name), target);
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "mapreduce-package-"));
  const [tarball = ""] = run("npm", ["pack", "--silent", "--pack-destination", folder], root)
    .trim()
    .split("\n")
    .slice(-1);
  const installed = join(folder, "node_modules/mapreduce-fleet");
  mkdirSync(installed, { recursive: true });
  run("tar", ["-xzf", tarball, "-C", installed, "--strip-components", "1"]);
  const manifest = JSON.parse(readFileSync(join(installed, "package.json"), "utf8")) as {
    readonly bin: { readonly mapreduce: string };
    readonly dependencies: Record<string, string>;
  };
  Object.keys(manifest.dependencies).forEach(link);
  mkdirSync(join(folder, "node_modules/.bin"));
  chmodSync(join(installed, manifest.bin.mapreduce), 0o755);
  symlinkSync(
    join("../mapreduce-fleet", manifest.bin.mapreduce),
    join(folder, "node_modules/.bin/mapreduce"),
  );

  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "user", private: true }));
  writeFileSync(join(folder, "in.txt"), "a b a\n");
  writeFileSync(
    join(folder, "job.ts"),
    `import { MapReduce, MapReduceSpecification, mapper, sum, type Emit, type JobResult } from "mapreduce-fleet";
const words = mapper("words", (line: string, emit: Emit<string, number>) => {
  for (const word of line.split(" ")) emit(word, 1);
});
const specification = new MapReduceSpecification({
  name: "packed", module: import.meta.url, inputs: ["in.txt"], mapper: words, reducer: sum, reduceTasks: 1,
});
export default specification;
export const exec = async (): Promise<JobResult> => await new MapReduce(specification).exec({ slots: 1 });
`,
  );
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("npx mapreduce run job.ts works in a folder that has nothing but the package", () => {
  expect(run("npx", ["mapreduce", "run", "job.ts", "--output", "-", "--progress", "none"])).toBe(
    "a\t2\nb\t1\n",
  );
});

test("a program that imports the package runs its own job with node", () => {
  writeFileSync(
    join(folder, "program.mts"),
    `import { exec } from "./job.ts"; console.log((await exec()).state);`,
  );
  writeFileSync(
    join(folder, "package.json"),
    JSON.stringify({ name: "user", private: true, type: "module" }),
  );
  expect(run(process.execPath, ["program.mts"])).toBe("succeeded\n");
});

test("types of both entries resolve, and refuse what does not fit", () => {
  writeFileSync(
    join(folder, "types.ts"),
    `import { mapper, type Emit } from "mapreduce-fleet";
import { runMapper } from "mapreduce-fleet/testing";
const one = mapper("one", (line: string, emit: Emit<string, number>) => emit(line, 1));
const { pairs } = await runMapper(one, ["a"]);
export const first: readonly [string, number] | undefined = pairs[0];
// @ts-expect-error: this mapper takes strings
await runMapper(one, [1]);
`,
  );
  const compilerOptions = {
    strict: true,
    noEmit: true,
    module: "nodenext",
    target: "es2024",
    types: ["node"],
    allowImportingTsExtensions: true,
  };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions, include: ["*.ts"] }));
  link("@types/node");
  link("undici-types");
  expect(run(process.execPath, [join(root, "node_modules/typescript/bin/tsc"), "-p", "."])).toBe("");
});

test("the package holds what runs and its licence, no sources and no tests", () => {
  const files = run("find", ["node_modules/mapreduce-fleet/", "-type", "f"]).trim().split("\n");
  const unexpected = files.filter(
    (name) =>
      !/mapreduce-fleet\/(package\.json|README\.md|LICENSE|bin\/mapreduce\.js|dist\/.*\.(js|d\.ts)|dist\/\.built)$/.test(
        name,
      ),
  );
  expect(unexpected).toEqual([]);
});
