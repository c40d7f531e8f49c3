// Owns the random side of the engine's tests: jobs of every kind of key, value and reducer, texts with every kind of line,
// and the arrangements that must not matter.

import * as fc from "fast-check";
import type { Key } from "../../src/shared/registry/functions.ts";
import type { Arrangement, EngineJob } from "./run-tasks.ts";

const wordsOf = (line: string): string[] => line.split(" ").filter((word) => word !== "");

function total(values: Iterable<unknown>): number {
  let sum = 0;
  for (const value of values) sum += value as number;
  return sum;
}

function first(values: Iterable<unknown>): unknown {
  for (const value of values) return value;
  return undefined;
}

/** A key of some kind, the same for the same word: kinds meet in one partition, and some words share a key. */
function anyKey(word: string): Key {
  switch (Buffer.byteLength(word) % 6) {
    case 0:
      return word;
    case 1:
      return word.length % 3 === 0 ? -0 : (word.codePointAt(0)! - 100) / 8;
    case 2:
      return Buffer.from(word);
    case 3:
      return [];
    case 4:
      return [word, [word.length, Buffer.from(word)]];
    default:
      return [[-word.length], word];
  }
}

/** Tells keys of different kinds apart, as text. */
function describeKey(key: Key): string {
  if (key instanceof Uint8Array) return `bytes ${Buffer.from(key).toString("hex")}`;
  return typeof key === "object" ? `(${key.map(describeKey).join(", ")})` : JSON.stringify(key);
}

/** By name, so that a counterexample says which. */
export const jobs: Readonly<Record<string, EngineJob>> = {
  "word count by the built-in sum": {
    map: (line, emit) => wordsOf(line).forEach((word) => emit(word, 1)),
    reduce: (key, values, emit) => emit(key, total(values)),
    builtIn: "mapreduce.sum",
    combines: true,
  },
  "word count by a user's sum": {
    map: (line, emit) => wordsOf(line).forEach((word) => emit(word, 1)),
    reduce: (key, values, emit) => emit(key, total(values)),
    combines: true,
  },
  "the greatest word of each length": {
    map: (line, emit) => wordsOf(line).forEach((word) => emit(word.length, word)),
    reduce: (key, values, emit) => {
      const all = [...values] as string[];
      emit(
        key,
        all.reduce((a, b) => (Buffer.compare(Buffer.from(a), Buffer.from(b)) < 0 ? b : a)),
      );
    },
    builtIn: "mapreduce.max",
    combines: true,
  },
  "sums of bigints by bytes": {
    map: (line, emit) => wordsOf(line).forEach((word, at) => emit(Buffer.from(word), 2n ** 70n + BigInt(at))),
    reduce: (key, values, emit) => {
      let sum = 0n;
      for (const value of values) sum += value as bigint;
      emit(key, sum);
    },
    combines: true,
  },
  "values in the order of the input": {
    map: (line, emit, offset) =>
      wordsOf(line).forEach((word, at) => emit(word[0].codePointAt(0)! / 3, `${word}@${offset}.${at}`)),
    reduce: (key, values, emit) => emit(key, [...(values as Iterable<string>)].join(" ")),
    combines: false,
  },
  "keys of all kinds, and only the first value read": {
    map: (line, emit, offset) => wordsOf(line).forEach((word) => emit(anyKey(word), { offset, line })),
    reduce: (key, values, emit) => emit(describeKey(key), first(values)),
    combines: false,
  },
  "records as they are": {
    map: (line, emit) => wordsOf(line).forEach((word, at) => emit(word, at % 2 === 0 ? null : { at, word })),
    reduce: (key, values, emit) => {
      for (const value of values) emit(key, value);
    },
    builtIn: "mapreduce.identity",
    combines: false,
  },
  "a reducer that emits never or twice, under another key": {
    map: (line, emit) => emit(wordsOf(line).length, line),
    reduce: (key, values, emit) => {
      if ((key as number) % 2 === 0) return;
      emit(`${String(key)} words`, [...values].length);
      emit(`${String(key)} again`, null);
    },
    combines: false,
  },
};

const word = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom("a", "b", "ab", "the", "of", "to", "abc", "abd", "Abc") },
  { weight: 2, arbitrary: fc.constantFrom("é", "日本", "\u{1f600}", "\ufeff", "z\u0000z") },
  { weight: 2, arbitrary: fc.stringMatching(/^[a-z]{1,30}$/) },
  {
    weight: 1,
    arbitrary: fc.string({ unit: "grapheme", minLength: 1 }).map((text) => text.replace(/\s/g, "_")),
  },
);
const line = fc.array(word, { maxLength: 8 }).map((words) => words.join(" "));
const text = fc
  .tuple(fc.array(fc.tuple(line, fc.constantFrom("\n", "\n", "\r\n")), { maxLength: 60 }), line)
  .map(([lines, last]) => lines.flat().join("") + last);

/** Some files, empty ones among them. */
export const inputs = fc.array(text, { minLength: 1, maxLength: 4 });

/** Splits from a byte upwards, spills after almost every record or never. */
export const arrangement: fc.Arbitrary<Arrangement> = fc.record({
  splitSize: fc.oneof(
    fc.integer({ min: 16, max: 200 }),
    fc.integer({ min: 200, max: 5000 }),
    fc.constant(2 ** 20),
  ),
  collectorBytes: fc.oneof(fc.integer({ min: 1, max: 2000 }), fc.constant(2 ** 25)),
  combine: fc.constantFrom("no combiner", "combiner"),
});
