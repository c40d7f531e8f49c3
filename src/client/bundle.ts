// Owns turning a job file and all it imports into one ESM file that runs on any worker, with a source map back to
// the originals. Knows nothing of specifications; never writes a file and never runs the user's code.

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import type { BuildFailure, Message, Plugin } from "esbuild";
import { MapReduceError } from "../shared/job/errors.ts";

/** A job file as one ESM file; the same sources at the same place give the same bytes. */
export interface Bundle {
  /** The original job file, as a `file://` URL. */
  readonly moduleUrl: string;
  readonly code: Uint8Array;
  /** SHA-256 of `code`, in hex. */
  readonly sha256: string;
}

/** 64 MiB: every executor reads, hashes and compiles the whole bundle before its first task. */
export const maxBundleBytes = 64 * 1024 * 1024;

/** How many of a job file's errors are shown; the first is mostly the cause of the others. */
const maxErrorsShown = 5;

/** The packages that a bundle leaves to the process that runs it: they hold the one registry. */
const ownPackage = /^mapreduce-fleet(\/testing)?$/;

/** Names that a module's own place hides behind; esbuild renames them where modules meet in one scope. */
const metaName = "__mapreduceMeta";

/**
 * Bundles a job file: packages of the user's own go in, `mapreduce-fleet` stays out. In each module `import.meta.url`,
 * `filename` and `dirname` are the original's, and `import.meta.main` is false.
 * @param moduleUrl a `file://` URL or an absolute path
 * @throws MapReduceError JOB_FILE_INVALID: missing, not a file, syntax errors and unresolved imports with
 *   file:line:column (the lines in `userStack`), native add-ons by name, more than `maxBundleBytes`
 */
export async function bundleJob(moduleUrl: string): Promise<Bundle> {
  const path = moduleUrl.startsWith("file:") ? fileURLToPath(moduleUrl) : resolve(moduleUrl);
  await checkFile(path);
  const { build } = await import("esbuild");
  const built = await build({
    entryPoints: [path],
    // Sources are named relative to the output's folder: from the root, so that no path depends on the caller's.
    absWorkingDir: "/",
    outfile: "/bundle.mjs",
    write: false,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node24",
    sourcemap: "external",
    sourcesContent: false,
    legalComments: "none",
    logLevel: "silent",
    define: {
      "import.meta": metaName,
      "import.meta.main": "false",
      __filename: `${metaName}.filename`,
      __dirname: `${metaName}.dirname`,
    },
    plugins: [externals, nativeAddOns, modulePlaces],
  }).catch((error: unknown) => {
    throw isBuildFailure(error) ? jobFileError(path, error) : error;
  });
  const [map, javascript] = built.outputFiles;
  if (map === undefined || javascript === undefined) throw new Error("esbuild gave no output");
  const banner = requireBanner(javascript.text);
  const code = Buffer.from(banner + javascript.text + inlineMap(map.text, banner === "" ? 0 : 1));
  if (code.length > maxBundleBytes) {
    throw new MapReduceError(
      "JOB_FILE_INVALID",
      `job file ${path}: its bundle has ${code.length} bytes, expected at most ${maxBundleBytes}`,
    );
  }
  return {
    moduleUrl: pathToFileURL(path).href,
    code,
    sha256: createHash("sha256").update(code).digest("hex"),
  };
}

async function checkFile(path: string): Promise<void> {
  const found = await stat(path).catch((cause: unknown) => {
    const { code, message } = cause as NodeJS.ErrnoException;
    const why = code === "ENOENT" || code === "ENOTDIR" ? "no such file" : message;
    throw new MapReduceError("JOB_FILE_INVALID", `job file ${path}: ${why}`, { cause });
  });
  if (!found.isFile()) throw new MapReduceError("JOB_FILE_INVALID", `job file ${path}: not a file`);
}

/** A plugin and not the option `external`: that one comes after the `paths` of a user's tsconfig.json. */
const externals: Plugin = {
  name: "mapreduce-fleet",
  setup(build) {
    build.onResolve({ filter: ownPackage }, ({ path }) => ({ path, external: true }));
  },
};

const nativeAddOns: Plugin = {
  name: "native-add-ons",
  setup(build) {
    build.onLoad({ filter: /\.node$/ }, ({ path }) => ({
      errors: [{ text: `native add-on ${path} cannot travel to workers: a bundle holds JavaScript only` }],
    }));
  },
};

/**
 * Tells each module where its original lies. The declaration goes before the first line, on that line, so that line
 * numbers stay true.
 */
const modulePlaces: Plugin = {
  name: "module-places",
  setup(build) {
    build.onLoad({ filter: /\.[cm]?[jt]sx?$/, namespace: "file" }, async ({ path }) => {
      const text = await readFile(path, "utf8");
      if (!/^#!|\bimport\.meta\b|\b__(file|dir)name\b/.test(text)) return undefined;
      const [, hashbang = "", code = ""] = /^(#!.*\r?\n?)?([^]*)$/.exec(text) ?? [];
      return { contents: hashbang.replace("#!", "//") + placeOf(path) + code, loader: "default" };
    });
  },
};

function placeOf(path: string): string {
  const place = { url: pathToFileURL(path).href, filename: path, dirname: dirname(path) };
  return `const ${metaName} = ${JSON.stringify(place)};`;
}

/**
 * CommonJS packages call `require` for what Node has built in. Declared only where it is called: a user's own
 * top-level `require` keeps its name in a bundle that does not.
 */
function requireBanner(code: string): string {
  if (!/\b__require\b/.test(code)) return "";
  return (
    'import { createRequire as __mapreduceCreateRequire } from "node:module"; ' +
    "const require = __mapreduceCreateRequire(import.meta.url);\n"
  );
}

/** The map as a comment, its sources as absolute URLs; each line before the code shifts it by one `;`. */
function inlineMap(json: string, linesBefore: number): string {
  const map = JSON.parse(json) as { sources: string[]; mappings: string };
  map.sources = map.sources.map((source) => `file:///${source}`);
  map.mappings = ";".repeat(linesBefore) + map.mappings;
  const encoded = Buffer.from(JSON.stringify(map)).toString("base64");
  return `//# sourceMappingURL=data:application/json;base64,${encoded}\n`;
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && Array.isArray((error as Partial<BuildFailure>).errors);
}

function jobFileError(path: string, failure: BuildFailure): MapReduceError {
  const places = failure.errors.slice(0, maxErrorsShown).map(placeIn);
  const [first] = places;
  const more = failure.errors.length > 1 ? ` (and ${failure.errors.length - 1} more)` : "";
  return new MapReduceError(
    "JOB_FILE_INVALID",
    `job file ${first?.place ?? path}: ${failure.errors[0]?.text ?? failure.message}${more}`,
    { cause: failure, userStack: places.map((each) => each?.quote).join("\n") },
  );
}

/** Where a message of esbuild points to in the user's file, and that line with a mark below it. */
function placeIn({ location, text }: Message, index: number): { place: string; quote: string } | undefined {
  if (location === null) return undefined;
  const file = resolve("/", location.file);
  const ours = placeOf(file);
  const shift = location.lineText.startsWith(ours) ? ours.length : 0;
  const column = location.column - shift;
  const place = `${file}:${location.line}:${column + 1}`;
  const line = location.lineText.slice(shift);
  // The first one's text is in the message already.
  const what = index === 0 ? "" : `: ${text}`;
  return { place, quote: `    at ${place}${what}\n      ${line}\n      ${" ".repeat(column)}^` };
}
