// Owns gathering what is wrong with a specification, so that one error names everything.

import { inspect } from "node:util";
import { MapReduceError } from "./errors.ts";

/** What was found so far, in the order of the fields. */
export class Problems {
  readonly #wrong: string[] = [];
  readonly #later: string[] = [];
  readonly #fieldNames: ReadonlyMap<string, string>;

  /** @param fieldNames how a field is called in messages where that is not its own name ("--reduce-tasks") */
  constructor(fieldNames: ReadonlyMap<string, string> = new Map()) {
    this.#fieldNames = fieldNames;
  }

  /** Notes what is wrong with a field, or with a part of it: "inputs[0].url". */
  wrong(path: string, what: string): void {
    this.#wrong.push(`${this.#nameOf(path)}: ${what}`);
  }

  /** Notes what is right but comes in a later version. */
  later(path: string, what: string): void {
    this.#later.push(`${this.#nameOf(path)}: ${what} comes later and is not yet available`);
  }

  /** @throws MapReduceError SPECIFICATION_INVALID, or NOT_YET_AVAILABLE where nothing is wrong */
  throwIfAny(subject: string): void {
    const all = [...this.#wrong, ...this.#later];
    if (all.length === 0) return;
    const code = this.#wrong.length > 0 ? "SPECIFICATION_INVALID" : "NOT_YET_AVAILABLE";
    throw new MapReduceError(code, `${subject}: ${all.join("; ")}`);
  }

  #nameOf(path: string): string {
    const [, field = path, rest = ""] = /^(\w+)(.*)$/.exec(path) ?? [];
    return (this.#fieldNames.get(field) ?? field) + rest;
  }
}

/** A value as messages show it: short, on one line. */
export function describe(value: unknown): string {
  if (typeof value === "string") return JSON.stringify(clip(value));
  if (typeof value === "function") return "a function";
  return clip(inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY }).replaceAll(/\s+/g, " "));
}

function clip(text: string): string {
  return text.length <= 80 ? text : `${text.slice(0, 80)}...`;
}
