// Holds the shape of the tree: who may import whom, which file may use which library, no cycles, small files, a
// header on each. Imports are read by a parser (vite's, which vitest runs on), types included.

import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync, Visitor } from "vite";
import { describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The parts of src, and what each may import beside itself. `index` is the public API, src/index.ts. */
const mayImport: Readonly<Record<string, readonly string[]>> = {
  shared: [],
  master: ["shared"],
  worker: ["shared"],
  client: ["shared"],
  kubernetes: ["shared"],
  embedded: ["shared", "master", "worker", "client"],
  simulation: ["shared", "master", "worker"],
  testing: ["shared", "client", "embedded"],
  cli: ["shared", "master", "worker", "client", "embedded", "simulation", "kubernetes", "index"],
  index: ["shared", "client", "embedded"],
};

/** Where each library may be imported: adapters and the command line. What is not listed may not be used at all. */
const libraryHomes: Readonly<Record<string, readonly string[]>> = {
  commander: ["src/cli/"],
  "cli-progress": ["src/cli/"],
  "cli-table3": ["src/cli/"],
  esbuild: ["src/client/bundle.ts"],
  "fastest-levenshtein": ["src/shared/job/", "src/cli/"],
  ms: ["src/shared/job/", "src/cli/"],
  picomatch: ["src/master/split/", "src/shared/storage/"],
  pino: ["src/cli/", "src/embedded/"],
  undici: ["src/worker/shuffle/"],
  uuid: ["src/"],
  valibot: ["src/shared/messages/", "src/shared/job/"],
};

/** Node's own modules that only some places may touch. */
const builtinHomes: Readonly<Record<string, readonly string[]>> = {
  "node:child_process": ["src/worker/executor/", "src/cli/"],
  "node:http": ["src/worker/shuffle/", "src/cli/"],
};

interface SourceFile {
  /** Relative to the repository: "src/shared/job/ids.ts". */
  readonly path: string;
  readonly text: string;
  /** What it imports: a path like its own for our files, a bare name for libraries and built-ins. */
  readonly imports: readonly string[];
}

function readTree(directory: string): SourceFile[] {
  return readdirSync(join(root, directory), { recursive: true, encoding: "utf8" })
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(directory, name))
    .sort()
    .map((path) => {
      const text = readFileSync(join(root, path), "utf8");
      return { path, text, imports: importsOf(path, text) };
    });
}

function importsOf(path: string, text: string): string[] {
  const parsed = parseSync(path, text);
  expect(parsed.errors, path).toEqual([]);
  const found = new Set<string>();
  const add = (source: { readonly value?: unknown } | null): void => {
    if (typeof source?.value !== "string") return;
    const name = source.value;
    found.add(name.startsWith(".") ? relative(root, join(root, dirname(path), name)) : name);
  };
  new Visitor({
    ImportDeclaration: (node) => add(node.source),
    ExportNamedDeclaration: (node) => add(node.source),
    ExportAllDeclaration: (node) => add(node.source),
    ImportExpression: (node) => add(node.source as { readonly value?: unknown }),
    TSImportType: (node) => add(node.source),
  }).visit(parsed.program);
  return [...found];
}

function partOf(path: string): string {
  const [, first = ""] = path.split("/");
  return first.endsWith(".ts") ? first.slice(0, -3) : first;
}

const packageOf = (name: string): string =>
  name
    .split("/")
    .slice(0, name.startsWith("@") ? 2 : 1)
    .join("/");

const sources = readTree("src");
const everything = [...sources, ...readTree("test"), ...readTree("bench"), ...readTree("examples")];
const ours = (name: string): boolean => name.startsWith("src/");

describe("imports", () => {
  test("the tree that is checked is there, and its imports are seen", () => {
    expect(sources.length).toBeGreaterThan(20);
    expect(importsOf("src/a/x.ts", `import type { A } from "../b/y.ts"; export * from "undici";`)).toEqual([
      "src/b/y.ts",
      "undici",
    ]);
  });

  test("master and worker never import each other, shared imports neither, and every part keeps to its list", () => {
    const broken = sources.flatMap(({ path, imports }) =>
      imports
        .filter(ours)
        .filter((name) => partOf(name) !== partOf(path) && !mayImport[partOf(path)]?.includes(partOf(name)))
        .map((name) => `${path} imports ${name}`),
    );
    expect(broken).toEqual([]);
  });

  test("nothing in src imports tests, benches, examples or anything else outside of src", () => {
    const broken = sources.flatMap(({ path, imports }) =>
      imports
        .filter((name) => /^(\.\.|test|bench|examples|scripts|dist)(\/|$)/.test(name))
        .map((name) => `${path} imports ${name}`),
    );
    expect(broken).toEqual([]);
  });

  test("every relative import names a file that is there, with its extension", () => {
    const paths = new Set(sources.map(({ path }) => path));
    const broken = sources.flatMap(({ path, imports }) =>
      imports.filter((name) => ours(name) && !paths.has(name)).map((name) => `${path} imports ${name}`),
    );
    expect(broken).toEqual([]);
  });

  test("there is no import cycle, types included", () => {
    expect(findCycle(sources)).toBeUndefined();
    const file = (path: string, imports: string[]): SourceFile => ({ path, text: "", imports });
    expect(findCycle([file("src/a.ts", ["src/b.ts"]), file("src/b.ts", ["src/a.ts"])])).toBeDefined();
  });

  test("libraries are imported by their adapters alone", () => {
    const broken = sources.flatMap(({ path, imports }) =>
      imports
        .filter((name) => !ours(name))
        .filter((name) => {
          const homes = name.startsWith("node:")
            ? (builtinHomes[name] ?? ["src/"])
            : libraryHomes[packageOf(name)];
          return !homes?.some((home) => path.startsWith(home));
        })
        .map((name) => `${path} imports ${name}`),
    );
    expect(broken).toEqual([]);
  });

  test("the master's core is pure: src/master/decide uses no library and no module of Node's", () => {
    const broken = sources
      .filter(({ path }) => path.startsWith("src/master/decide/"))
      .flatMap(({ path, imports }) =>
        imports.filter((name) => !ours(name)).map((name) => `${path} imports ${name}`),
      );
    expect(broken).toEqual([]);
  });

  test("every dependency of the package is used, and every library used is a dependency", () => {
    const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      readonly dependencies: Record<string, string>;
    };
    const used = new Set(
      sources.flatMap(({ imports }) =>
        imports.filter((name) => !ours(name) && !name.startsWith("node:")).map(packageOf),
      ),
    );
    expect([...used].sort()).toEqual(Object.keys(manifest.dependencies).sort());
  });
});

describe("files", () => {
  test("no file is longer than 500 lines", () => {
    const long = everything
      .map(({ path, text }) => ({ path, lines: text.trimEnd().split("\n").length }))
      .filter(({ lines }) => lines > 500);
    expect(long).toEqual([]);
  });

  test("every file opens with a comment of what it owns", () => {
    const bare = everything.filter(({ text }) => !/^(#!.*\n)?\/\/ \S/.test(text)).map(({ path }) => path);
    expect(bare).toEqual([]);
  });

  test("file names are kebab-case, and none is a drawer for leftovers", () => {
    const bad = everything
      .map(({ path }) => path)
      .filter((path) =>
        path
          .split("/")
          .some(
            (part) =>
              !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*$/.test(part) ||
              /^(utils?|helpers?|common|managers?)(\.|$)/.test(part),
          ),
      );
    expect(bad).toEqual([]);
  });
});

/** Some cycle of imports, as the paths along it, or undefined. Depth-first; a path met again while open closes one. */
function findCycle(files: readonly SourceFile[]): string[] | undefined {
  const importsByPath = new Map(files.map(({ path, imports }) => [path, imports.filter(ours)]));
  const open: string[] = [];
  const done = new Set<string>();
  const visit = (path: string): string[] | undefined => {
    if (done.has(path)) return undefined;
    if (open.includes(path)) return [...open.slice(open.indexOf(path)), path];
    open.push(path);
    for (const next of importsByPath.get(path) ?? []) {
      const cycle = visit(next);
      if (cycle !== undefined) return cycle;
    }
    open.pop();
    done.add(path);
    return undefined;
  };
  for (const { path } of files) {
    const cycle = visit(path);
    if (cycle !== undefined) return cycle;
  }
  return undefined;
}
