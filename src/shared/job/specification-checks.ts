// Owns which values each field of a specification may have, and its default. Every problem is found before one error
// names them all; what is well-formed but comes in a later version is told apart from what is wrong.

import { closest } from "fastest-levenshtein";
import * as v from "valibot";
import { identityName } from "../registry/built-ins.ts";
import type { JobDocument, Json } from "./document.ts";
import { parseDuration, parseSize } from "./quantities.ts";
import {
  checkFunction,
  checkInputFormat,
  checkInputs,
  checkOutputFormat,
  checkPlace,
} from "./specification-parts.ts";
import { describe, Problems } from "./specification-problems.ts";

/** A specification with its defaults, functions by name, sizes in bytes; paths and globs still as written. */
export interface CheckedFields extends Omit<JobDocument, "protocol" | "jobId" | "bundle"> {
  readonly module: string | undefined;
}

const mebi = 2 ** 20;
/** Above this a size is a slip of the pen. */
const maxSize = 2 ** 40;
/** A record becomes one string, and a string of Node has at most 2 ** 29 - 24 characters. */
const maxRecordSize = 2 ** 28;
/** A key is compared and copied whole. */
const maxKeySize = 2 ** 26;
/** Node's timers count milliseconds in 31 bits. */
const maxDurationMs = 2 ** 31 - 1;
/** A segment file has an index entry for each partition, which every map execution holds in memory. */
const maxReduceTasks = 100_000;

const expected = (what: string) => (issue: v.BaseIssue<unknown>) =>
  `found ${describe(issue.input)}, expected ${what}`;

function integer(min: number, max: number) {
  const message = expected(`an integer from ${min} to ${max}`);
  return v.pipe(v.number(message), v.integer(message), v.minValue(min, message), v.maxValue(max, message));
}

function quantity(parse: (value: unknown) => number | undefined, min: number, max: number, what: string) {
  return v.pipe(
    v.unknown(),
    v.rawTransform<unknown, number>(({ dataset, addIssue, NEVER }) => {
      const parsed = parse(dataset.value);
      if (parsed !== undefined && parsed >= min && parsed <= max) return parsed;
      addIssue({ message: expected(what) });
      return NEVER;
    }),
  );
}

function size(min: number, max: number) {
  const bounds = `from ${describeSize(min)} to ${describeSize(max)}`;
  return quantity(parseSize, min, max, `bytes or a size such as "64MiB", ${bounds}`);
}

function describeSize(bytes: number): string {
  return bytes >= mebi ? `${bytes / mebi}MiB` : `${bytes}`;
}

const boolean = v.boolean(expected("true or false"));

const oneOf = <const Names extends readonly string[]>(...names: Names) =>
  v.picklist(names, expected(names.map((name) => `"${name}"`).join(" or ")));

const text = (pattern: RegExp, what: string) => {
  const message = expected(what);
  return v.pipe(v.string(message), v.regex(pattern, message));
};

/** Deeper nesting is a cycle, or as good as one. */
const maxJsonDepth = 100;

/** Plain JSON by name, as a copy of its own. */
const params = v.pipe(
  v.custom<{ readonly [name: string]: Json }>(isPlainObject, expected("an object of plain JSON")),
  v.rawCheck<{ readonly [name: string]: Json }>(({ dataset, addIssue }) => {
    const found = dataset.typed ? findNotJson(dataset.value, "", maxJsonDepth) : undefined;
    if (found !== undefined) addIssue({ message: `${found}, expected plain JSON` });
  }),
  v.transform((value) => structuredClone(value)),
);

/** The first thing that JSON can't carry, with where it is. */
function findNotJson(value: unknown, path: string, depth: number): string | undefined {
  if (value === null || ["string", "boolean"].includes(typeof value) || Number.isFinite(value))
    return undefined;
  if ((!Array.isArray(value) && !isPlainObject(value)) || depth === 0) {
    return `found ${describe(value)}${path === "" ? "" : ` at ${path.slice(1)}`}`;
  }
  for (const [name, each] of Object.entries(value as object)) {
    const found = findNotJson(each, `${path}.${name}`, depth - 1);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** By shape: an object of another realm (node:vm) is plain too. */
function isPlainObject(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

const secretNames = expected("a list of names of environment variables");

/** What needs no look at the registry or at other fields. */
const plainFields = v.object({
  // oxlint-disable-next-line no-control-regex -- they are what it refuses
  name: text(/^[^/\u0000-\u001f\u007f]{1,128}$/, '1 to 128 characters, without "/" and control characters'),
  module: v.optional(text(/^file:\/\/\//, "import.meta.url, a file:// URL")),
  reduceTasks: v.optional(integer(0, maxReduceTasks), 8),
  overwrite: v.optional(boolean, false),
  params: v.optional(params),
  files: v.optional(v.record(v.string(), v.string(), expected("an object of paths by name")), {}),
  secrets: v.optional(
    v.array(text(/^[A-Za-z_][A-Za-z0-9_]*$/, "the name of an environment variable"), secretNames),
    [],
  ),
  splitSize: v.optional(size(1, maxSize)),
  filesPerTask: v.optional(integer(1, 1_000_000)),
  keyOrder: v.optional(oneOf("ascending", "descending"), "ascending"),
  valueOrder: v.optional(oneOf("ascending", "descending")),
  maxAttempts: v.optional(integer(1, 100), 4),
  skipBadRecords: v.optional(boolean, false),
  maxSkippedRecords: v.optional(integer(0, 1_000_000), 100),
  backupTasks: v.optional(boolean, true),
  taskTimeout: v.optional(
    quantity(parseDuration, 1, maxDurationMs, 'milliseconds or a time such as "10m", from 1 ms to 24 days'),
  ),
  memory: v.optional(size(128 * mebi, maxSize), 512 * mebi),
  maxRecordBytes: v.optional(size(1, maxRecordSize), 16 * mebi),
  maxKeyBytes: v.optional(size(1, maxKeySize), mebi),
  segmentCompression: v.optional(oneOf("none", "zstd"), "none"),
  scheduling: v.optional(oneOf("pull", "deal", "pairwise"), "pull"),
});

const otherFields = [
  "inputs",
  "format",
  "mapper",
  "combiner",
  "partitioner",
  "reducer",
  "output",
  "outputFormat",
];
const knownFields = [...Object.keys(plainFields.entries), ...otherFields];

/** What comes later: the only value of a field that works now. */
const onlyNow: { readonly [Field in keyof v.InferOutput<typeof plainFields>]?: unknown } = {
  keyOrder: "ascending",
  valueOrder: undefined,
  skipBadRecords: false,
  maxSkippedRecords: 100,
  segmentCompression: "none",
};

/**
 * Checks what a user wrote.
 * @param fieldNames how messages call a field where that is not its own name
 * @throws MapReduceError SPECIFICATION_INVALID naming all problems, or NOT_YET_AVAILABLE where nothing is wrong
 */
export function checkFields(written: unknown, fieldNames?: ReadonlyMap<string, string>): CheckedFields {
  const problems = new Problems(fieldNames);
  const fields = isPlainObject(written) ? (written as Readonly<Record<string, unknown>>) : {};
  if (fields !== written) problems.wrong("fields", `found ${describe(written)}, expected an object`);
  for (const name of Object.keys(fields)) {
    if (!knownFields.includes(name))
      problems.wrong(name, `unknown, did you mean ${closest(name, knownFields)}?`);
  }
  const parsed = v.safeParse(plainFields, { name: undefined, ...fields }, { abortPipeEarly: true });
  for (const issue of parsed.issues ?? []) problems.wrong(v.getDotPath(issue) ?? "fields", issue.message);
  const functions = checkFunctions(problems, fields);
  const output = fields["output"];
  if (output !== undefined) checkPlace(problems, "output", output);
  if (parsed.success) checkLater(problems, parsed.output);
  problems.throwIfAny(
    typeof fields["name"] === "string" ? `specification "${fields["name"]}"` : "specification",
  );
  if (!parsed.success) throw new Error("an issue is a problem");
  const plain = parsed.output;
  return {
    name: plain.name,
    module: plain.module,
    ...functions,
    reduceTasks: plain.reduceTasks,
    output: typeof output === "string" ? output : `${plain.name}-output`,
    overwrite: plain.overwrite,
    params: plain.params ?? {},
    secrets: plain.secrets,
    splitSize: plain.splitSize ?? null,
    filesPerTask: plain.filesPerTask ?? null,
    maxAttempts: plain.maxAttempts,
    backupTasks: plain.backupTasks,
    taskTimeoutMs: plain.taskTimeout ?? null,
    memory: plain.memory,
    maxRecordBytes: plain.maxRecordBytes,
    maxKeyBytes: plain.maxKeyBytes,
    scheduling: plain.scheduling,
  };
}

function checkFunctions(problems: Problems, fields: Readonly<Record<string, unknown>>) {
  const { mapper, combiner, partitioner, reducer } = fields;
  return {
    inputs: checkInputs(problems, fields["inputs"], {
      format: checkInputFormat(problems, "format", fields["format"] ?? "lines"),
      mapper: mapper === undefined ? undefined : checkFunction(problems, "mapper", mapper, "mapper"),
    }),
    combiner: combiner === undefined ? null : checkFunction(problems, "combiner", combiner, "reducer"),
    partitioner:
      partitioner === undefined ? null : checkFunction(problems, "partitioner", partitioner, "partitioner"),
    reducer: reducer === undefined ? identityName : checkFunction(problems, "reducer", reducer, "reducer"),
    outputFormat: checkOutputFormat(problems, "outputFormat", fields["outputFormat"] ?? "text"),
  };
}

function checkLater(problems: Problems, fields: v.InferOutput<typeof plainFields>): void {
  if (fields.reduceTasks === 0) problems.later("reduceTasks", "0 (map-only)");
  if (Object.keys(fields.files).length > 0) problems.later("files", "shipping files with a job");
  for (const [name, only] of Object.entries(onlyNow)) {
    const value = fields[name as keyof typeof onlyNow];
    if (value !== only) problems.later(name, describe(value));
  }
}
