// Owns the fields of a specification that name functions, formats and places. What is wrong goes to Problems, which throw
// in the end: what these functions return then counts for nothing.

import { fileURLToPath } from "node:url";
import { handleOf } from "../registry/handles.ts";
import { find, namePattern } from "../registry/registry.ts";
import type { FormatReference, InputDocument } from "./document.ts";
import { describe, type Problems } from "./specification-problems.ts";

type FunctionKind = "mapper" | "reducer" | "partitioner";

/**
 * The name of a function, given as a handle or as its bare name. A name that is not registered here may be known to the
 * workers of a fleet.
 */
export function checkFunction(problems: Problems, path: string, value: unknown, kind: FunctionKind): string {
  const handle = handleOf(value);
  const name = handle?.name ?? value;
  if (typeof name !== "string" || !namePattern.test(name)) {
    const what = `found ${describe(value)}, expected a ${kind}: what ${kind}(name, ...) returns, or a name`;
    problems.wrong(path, what);
    return "";
  }
  const registered = find(name);
  const found = registered?.kind ?? handle?.kind;
  if (found !== undefined && found !== kind) {
    problems.wrong(path, `"${name}" is registered as ${found}, expected a ${kind}`);
  } else if (name === "mapreduce.total_order") {
    problems.later(path, "totalOrder");
  } else if (registered?.kind === "mapper" && registered.concurrency > 1) {
    problems.later(path, `concurrency of mapper "${name}"`);
  }
  return name;
}

/** What an input takes from the specification where it does not say it itself. */
export interface InputDefaults {
  readonly format: FormatReference;
  readonly mapper: string | undefined;
}

/** Every input with its format and its mapper. */
export function checkInputs(problems: Problems, inputs: unknown, defaults: InputDefaults): InputDocument[] {
  if (typeof inputs !== "object" || inputs === null || isSpecification(inputs)) {
    problems.wrong("inputs", `found ${describe(inputs)}, expected a list, or an object by name`);
    return [];
  }
  const entries = Object.entries(inputs) as [string, unknown][];
  if (entries.length === 0) problems.wrong("inputs", "found none, expected at least one");
  const listed = Array.isArray(inputs);
  const unmapped = defaults.mapper === undefined && entries.some(([, input]) => !bringsMapper(input));
  if (unmapped) problems.wrong("mapper", "left out, expected one, or one of each input's own");
  return entries.map(([key, input]) => ({
    ...(listed ? {} : { name: key }),
    ...checkInput(problems, listed ? `inputs[${key}]` : `inputs.${key}`, input, defaults),
  }));
}

const inputFields = ["url", "format", "mapper"];

function checkInput(
  problems: Problems,
  path: string,
  input: unknown,
  defaults: InputDefaults,
): InputDocument {
  const isObject = typeof input === "object" && input !== null && !isSpecification(input);
  const fields: { url?: unknown; format?: unknown; mapper?: unknown } = isObject ? input : { url: input };
  for (const name of Object.keys(fields)) {
    if (inputFields.includes(name)) continue;
    problems.wrong(`${path}.${name}`, `unknown, expected ${inputFields.join(", ")}`);
  }
  const { url, format, mapper } = fields;
  return {
    url: checkPlace(problems, isObject ? `${path}.url` : path, url),
    format: format === undefined ? defaults.format : checkInputFormat(problems, `${path}.format`, format),
    mapper:
      mapper === undefined
        ? (defaults.mapper ?? "")
        : checkFunction(problems, `${path}.mapper`, mapper, "mapper"),
  };
}

function bringsMapper(input: unknown): boolean {
  return typeof input === "object" && input !== null && "mapper" in input && input.mapper !== undefined;
}

/** A made specification: by shape, as specification.ts builds on this file. */
function isSpecification(value: object): boolean {
  return "checked" in value;
}

const inputFormats = ["lines", "jsonl", "csv", "wholeFile", "pairs"];
const outputFormats = ["text", "jsonl", "binary", "pairs"];

/** A format by name or as its handle; `lines` is what there is now. */
export function checkInputFormat(problems: Problems, path: string, value: unknown): FormatReference {
  const handle = handleOf(value);
  const name = handle?.name ?? value;
  if (handle !== undefined && handle.kind !== "input format") {
    problems.wrong(path, `"${handle.name}" is registered as ${handle.kind}, expected an input format`);
  } else if (handle === undefined && !inputFormats.includes(name as string)) {
    const names = inputFormats.map((each) => `"${each}"`).join(", ");
    problems.wrong(
      path,
      `found ${describe(value)}, expected ${names} or what inputFormat(name, ...) returns`,
    );
  } else if (name !== "lines") {
    problems.later(path, `format "${String(name)}"`);
  }
  const as = handle?.options["as"] ?? "string";
  if (name === "lines" && as !== "string" && as !== "bytes") {
    problems.wrong(path, `found lines as ${describe(as)}, expected "bytes"`);
  }
  return { name: "lines", options: { as } };
}

/** A format by name or as its handle; `text` is what there is now. */
export function checkOutputFormat(problems: Problems, path: string, value: unknown): FormatReference {
  const handle = handleOf(value);
  const name = handle?.name ?? value;
  if (handle !== undefined && handle.kind !== "output format") {
    problems.wrong(path, `"${handle.name}" is registered as ${handle.kind}, expected an output format`);
  } else if (handle === undefined && !outputFormats.includes(name as string)) {
    const names = outputFormats.map((each) => `"${each}"`).join(", ");
    problems.wrong(
      path,
      `found ${describe(value)}, expected ${names} or what outputFormat(name, ...) returns`,
    );
  } else if (name !== "text") {
    problems.later(path, `output format "${String(name)}"`);
  }
  return { name: "text", options: {} };
}

/** A path, a glob or a URL, as it is written. */
export function checkPlace(problems: Problems, path: string, value: unknown): string {
  if (typeof value === "object" && value !== null && isSpecification(value)) {
    problems.later(path, "an earlier specification as an input");
    return "";
  }
  if (typeof value !== "string" || value === "" || value.includes("\0")) {
    problems.wrong(path, `found ${describe(value)}, expected a path, a file:// URL or an s3:// URL`);
    return "";
  }
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(value)?.[1];
  if (scheme === "s3") problems.later(path, "s3:// storage");
  else if (scheme === "file") checkFileUrl(problems, path, value);
  else if (scheme !== undefined) {
    problems.wrong(path, `found ${describe(value)}, expected a path, a file:// URL or an s3:// URL`);
  }
  return value;
}

function checkFileUrl(problems: Problems, path: string, url: string): void {
  if (/[?#]/.test(url)) {
    problems.wrong(path, `found ${describe(url)}, expected %3F and %23 for ? and # in a file:// URL`);
    return;
  }
  try {
    fileURLToPath(url);
  } catch (error) {
    problems.wrong(path, `found ${describe(url)}: ${(error as Error).message}`);
  }
}
