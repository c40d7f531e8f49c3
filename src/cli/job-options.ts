// Owns the options that say what a job is, and how they replace fields of its specification. `run` takes them, and
// `submit` will. What values are allowed is the specification's to say.

import { resolve } from "node:path";
import { Option, type Command } from "commander";
import { closest, distance } from "fastest-levenshtein";
import { MapReduceError } from "../shared/job/errors.ts";
import { withFields, writtenFields, type MapReduceSpecification } from "../shared/job/specification.ts";

/** The options as commander gives them: what was not on the command line is undefined. */
export interface JobOptions {
  readonly input: readonly string[];
  readonly output?: string;
  readonly overwrite?: true;
  readonly reduceTasks?: string;
  readonly splitSize?: string;
  readonly filesPerTask?: string;
  readonly memory?: string;
  readonly maxAttempts?: string;
  readonly taskTimeout?: string;
  readonly skipBadRecords?: true;
  /** False with `--no-backup-tasks`. */
  readonly backupTasks: boolean;
  readonly scheduling?: string;
  readonly param: readonly string[];
}

/** Fields that an option of the same name replaces as it is, and how errors call them. */
const plainOptions = {
  overwrite: "--overwrite",
  reduceTasks: "--reduce-tasks",
  splitSize: "--split-size",
  filesPerTask: "--files-per-task",
  memory: "--memory",
  maxAttempts: "--max-attempts",
  taskTimeout: "--task-timeout",
  skipBadRecords: "--skip-bad-records",
  scheduling: "--scheduling",
} as const satisfies Partial<Record<keyof JobOptions, string>>;

const collect = (value: string, before: readonly string[]): readonly string[] => [...before, value];

/** Adds the options to a command's. */
export function addJobOptions(command: Command): void {
  command
    .addOption(
      new Option("--input <url>", "replaces the inputs; NAME=URL a named one; may be repeated")
        .argParser(collect)
        .default([], "the specification's"),
    )
    .option("--output <url>", "the output directory; - writes the result to stdout, in partition order")
    .option("--overwrite", "replaces what an earlier job wrote there")
    .option("--reduce-tasks <R>", "how many partitions, and so part files")
    .option("--split-size <size>", "bytes of input of a map task: 32MiB")
    .option("--files-per-task <N>", "how many small files may share a map task")
    .option("--memory <size>", "resident memory of a slot's executor: 512MiB")
    .option("--max-attempts <N>", "how often a task is tried before the job fails")
    .option("--task-timeout <time>", "how long an attempt may take: 10m")
    .option("--skip-bad-records", "skips records on which user code fails twice")
    .option("--no-backup-tasks", "makes no backup attempts of slow tasks")
    .option("--scheduling <policy>", "pull, deal or pairwise")
    .addOption(
      new Option("--param <k=v>", "replaces one of the specification's params; may be repeated")
        .argParser(collect)
        .default([], "the specification's"),
    );
}

/**
 * The specification with what the command line says in place of its own. Relative paths of options start from `directory`.
 * @throws MapReduceError SPECIFICATION_INVALID naming the option
 */
export function applyJobOptions(
  specification: MapReduceSpecification,
  options: JobOptions,
  directory: string,
): MapReduceSpecification {
  const written = writtenFields(specification);
  const fields: Record<string, unknown> = {};
  const names = new Map<string, string>();
  const replace = (field: string, value: unknown, option: string): void => {
    fields[field] = value;
    names.set(field, option);
  };
  for (const [field, option] of Object.entries(plainOptions)) {
    const value = options[field as keyof typeof plainOptions];
    if (value !== undefined) replace(field, asNumber(value), option);
  }
  if (!options.backupTasks) replace("backupTasks", false, "--no-backup-tasks");
  if (options.output !== undefined) replace("output", absolute(options.output, directory), "--output");
  if (options.param.length > 0) {
    replace("params", replaceParams(written["params"] ?? {}, options.param), "--param");
  }
  if (options.input.length > 0) {
    replace("inputs", replaceInputs(written["inputs"], options.input, directory), "--input");
  }
  return names.size === 0 ? specification : withFields(specification, fields, names);
}

/** "4" is the number; "64MiB" and what is no number at all are the specification's to judge. */
function asNumber(value: string | true): unknown {
  return typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
}

function absolute(place: string, directory: string): string {
  return /^[a-z][a-z0-9+.-]*:\/\//i.test(place) ? place : resolve(directory, place);
}

function replaceParams(params: object, assignments: readonly string[]): Record<string, unknown> {
  const replaced: Record<string, unknown> = { ...params };
  for (const assignment of assignments) {
    const [, name, text] = /^([^=]+)=([^]*)$/.exec(assignment) ?? [];
    if (name === undefined || text === undefined) {
      throw mistake(`--param ${assignment}: expected NAME=VALUE`);
    }
    if (!Object.hasOwn(params, name)) {
      throw mistake(
        `--param ${name}: the specification has no such param${nearest(name, Object.keys(params))}`,
      );
    }
    replaced[name] = readParam(name, text, (params as Record<string, unknown>)[name]);
  }
  return replaced;
}

/** Text as a value of the type that the specification's own has. */
function readParam(name: string, text: string, own: unknown): unknown {
  if (typeof own === "string") return text;
  const value = parseJson(text);
  const expected = kindOf(own);
  // Of null nothing is known: JSON where it is some, else the text.
  if (expected === "null") return value === undefined ? text : value;
  if (kindOf(value) === expected) return value;
  throw mistake(
    `--param ${name}: found ${JSON.stringify(text)}, expected ${expected} like the specification's own`,
  );
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function kindOf(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "a JSON array";
  return typeof value === "object" ? "a JSON object" : `a ${typeof value}`;
}

/** Named inputs keep mapper and format; bare ones take those that all inputs share. */
function replaceInputs(inputs: unknown, given: readonly string[], directory: string): unknown {
  const named = Array.isArray(inputs) ? {} : (inputs as Record<string, unknown>);
  const names = Object.keys(named);
  const parsed = given.map((text) => parseInput(text, names));
  const bare = parsed.filter(({ name }) => name === undefined);
  if (bare.length === 0) {
    const replaced = parsed.map(({ name, url }) => {
      const own = named[name ?? ""];
      return [name, withUrl(own, absolute(url, directory))];
    });
    return { ...named, ...Object.fromEntries(replaced) };
  }
  if (bare.length < parsed.length) {
    throw mistake(`--input ${bare[0]?.url}: replaces all inputs, so it can't stand beside NAME=URL`);
  }
  const [first, ...others] = Object.values(inputs as object) as unknown[];
  const differing = others.find((other) => !sameReader(first, other));
  if (differing !== undefined) {
    throw mistake(
      `--input ${bare[0]?.url}: the inputs differ in mapper or format, expected NAME=URL${names.length === 0 ? "" : ` with NAME one of ${names.join(", ")}`}`,
    );
  }
  return bare.map(({ url }) => withUrl(first, absolute(url, directory)));
}

/** What stands before "=" is a name only where inputs have names; a path like that is written "./dt=1". */
function parseInput(text: string, names: readonly string[]): { name?: string; url: string } {
  const [, name, url] = /^([^=/\\:]+)=([^]+)$/.exec(text) ?? [];
  if (name === undefined || url === undefined || names.length === 0) return { url: text };
  if (!names.includes(name)) throw mistake(`--input ${name}: no input has that name${nearest(name, names)}`);
  return { name, url };
}

interface ReadInput {
  readonly url: unknown;
  readonly mapper?: unknown;
  readonly format?: unknown;
}

/** An input that is more than a place: it brings its own mapper or format. */
function asReadInput(input: unknown): ReadInput {
  return typeof input === "object" && input !== null && "url" in input ? input : { url: input };
}

function withUrl(input: unknown, url: string): unknown {
  const { mapper, format } = asReadInput(input);
  return mapper === undefined && format === undefined ? url : { ...asReadInput(input), url };
}

function sameReader(one: unknown, other: unknown): boolean {
  const [a, b] = [asReadInput(one), asReadInput(other)];
  return a.mapper === b.mapper && a.format === b.format;
}

/** ", expected one of ...", or the nearest one where it looks like a slip. */
function nearest(name: string, known: readonly string[]): string {
  if (known.length === 0) return ", it has none";
  const near = closest(name, known);
  return distance(name, near) <= Math.max(2, name.length / 3)
    ? `, did you mean "${near}"?`
    : `, expected one of ${known.join(", ")}`;
}

function mistake(message: string): MapReduceError {
  return new MapReduceError("SPECIFICATION_INVALID", message);
}
