// Owns what options of the command line do to a specification: each is the specification's field in kebab-case, and beats
// it. Paths of the command line start from the current directory, those of the specification from its module's.

import type { Json } from "./document.ts";
import { MapReduceError } from "./errors.ts";
import { describe } from "./specification-problems.ts";
import {
  checkedFields,
  resolveUrl,
  withFields,
  writtenFields,
  type MapReduceSpecification,
} from "./specification.ts";

/** Options as a person typed them; what is left out leaves the specification's field as it is. */
export interface Overrides {
  /** Each a place, or `NAME=place` where the specification names its inputs. */
  readonly input?: readonly string[];
  readonly output?: string;
  readonly overwrite?: true;
  readonly reduceTasks?: string;
  readonly splitSize?: string;
  readonly filesPerTask?: string;
  readonly memory?: string;
  readonly maxAttempts?: string;
  readonly taskTimeout?: string;
  readonly skipBadRecords?: true;
  /** `--no-backup-tasks`. */
  readonly backupTasks?: false;
  readonly scheduling?: string;
  /** Each `name=value`. */
  readonly param?: readonly string[];
}

/** Options whose text is the field's value, once numbers are numbers. */
const plainOptions = [
  "reduceTasks",
  "splitSize",
  "filesPerTask",
  "memory",
  "maxAttempts",
  "taskTimeout",
  "scheduling",
] as const satisfies readonly (keyof Overrides)[];

const flags = ["overwrite", "skipBadRecords", "backupTasks"] as const satisfies readonly (keyof Overrides)[];

const fieldNames = new Map([
  ...[...plainOptions, ...flags, "output"].map((field) => [field, optionOf(field)] as const),
  ["inputs", "--input"],
]);

/**
 * The specification with the options applied, and checked anew.
 * @param currentDirectory an absolute path
 * @throws MapReduceError SPECIFICATION_INVALID or NOT_YET_AVAILABLE, naming the options
 */
export function withOverrides(
  specification: MapReduceSpecification,
  overrides: Overrides,
  currentDirectory: string,
): MapReduceSpecification {
  const fields: Record<string, unknown> = {};
  const named = new Map<string, string>();
  const set = (field: string, value: unknown): void => {
    fields[field] = value;
    named.set(field, fieldNames.get(field) ?? field);
  };
  for (const option of plainOptions) {
    const text = overrides[option];
    if (text !== undefined) set(option, /^\d+$/.test(text) ? Number(text) : text);
  }
  for (const flag of flags) if (overrides[flag] !== undefined) set(flag, overrides[flag]);
  const { input = [], output, param = [] } = overrides;
  if (output !== undefined) set("output", placeOf(output, currentDirectory));
  if (input.length > 0) set("inputs", overrideInputs(specification, input, currentDirectory));
  if (param.length > 0) fields["params"] = overrideParams(specification, param);
  return named.size + param.length === 0 ? specification : withFields(specification, fields, named);
}

/** An empty place stays one, for the check to refuse. */
function placeOf(text: string, currentDirectory: string): string {
  return text === "" ? "" : resolveUrl(text, currentDirectory);
}

function optionOf(field: string): string {
  const kebab = field.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  return field === "backupTasks" ? `--no-${kebab}` : `--${kebab}`;
}

/** Named inputs are replaced one by one; bare ones replace all, and are read and mapped as those were. */
function overrideInputs(
  specification: MapReduceSpecification,
  options: readonly string[],
  currentDirectory: string,
): unknown {
  const written = writtenFields(specification)["inputs"] as object;
  const byName: { readonly [name: string]: unknown } = Array.isArray(written) ? {} : { ...written };
  const names = Object.keys(byName);
  const parsed = options.map((option) => {
    const name = names.find((each) => option.startsWith(`${each}=`));
    const place = name === undefined ? option : option.slice(name.length + 1);
    return { name, url: placeOf(place, currentDirectory) };
  });
  const bare = parsed.filter(({ name }) => name === undefined);
  if (bare.length === 0) {
    const renewed = parsed.map(({ name = "", url }) => [name, { ...writtenInput(byName[name]), url }]);
    return { ...byName, ...Object.fromEntries(renewed) };
  }
  if (bare.length < parsed.length) {
    throw invalid(
      "--input",
      `found some of ${names.join(", ")} and others, expected all by name or all without`,
    );
  }
  const { inputs } = checkedFields(specification);
  const ways = new Set(inputs.map(({ format, mapper }) => JSON.stringify([format, mapper])));
  if (ways.size > 1) {
    const expected =
      names.length === 0 ? "the specification's own" : names.map((name) => `${name}=URL`).join(", ");
    throw invalid(
      "--input",
      `the inputs of "${specification.name}" differ in mapper or format: expected ${expected}`,
    );
  }
  const [first] = Object.values(written) as unknown[];
  return bare.map(({ url }) => ({ ...writtenInput(first), url }));
}

/** The format and the mapper that an input brings of its own. */
function writtenInput(input: unknown): { readonly format?: unknown; readonly mapper?: unknown } {
  return typeof input === "object" && input !== null ? input : {};
}

function overrideParams(
  specification: MapReduceSpecification,
  options: readonly string[],
): { readonly [name: string]: Json } {
  const { params } = checkedFields(specification);
  const changed = options.map((option) => {
    const [, name = option, text] = /^([^=]*)=(.*)$/s.exec(option) ?? [];
    if (text === undefined) throw invalid("--param", `found ${describe(option)}, expected name=value`);
    if (!Object.hasOwn(params, name)) {
      const known = Object.keys(params).join(", ") || "none";
      throw invalid("--param", `"${name}" is not a param of "${specification.name}", which has: ${known}`);
    }
    return [name, readAs(params[name], text, name)] as const;
  });
  return { ...params, ...Object.fromEntries(changed) };
}

/** Reads text as the type of the value that stands in the specification. */
function readAs(present: Json, text: string, name: string): Json {
  if (typeof present === "string") return text;
  const kind = kindOf(present);
  try {
    const value = JSON.parse(text) as Json;
    if (kind === "null" || kindOf(value) === kind) return value;
  } catch {
    if (kind === "null") return text;
  }
  throw invalid(
    "--param",
    `${name}: found ${describe(text)}, expected a value like ${JSON.stringify(present)} (${kind})`,
  );
}

function kindOf(value: Json): string {
  if (value === null) return "null";
  return Array.isArray(value) ? "array" : typeof value;
}

function invalid(option: string, what: string): MapReduceError {
  return new MapReduceError("SPECIFICATION_INVALID", `${option}: ${what}`);
}
