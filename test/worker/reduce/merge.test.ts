// Holds that a merge gives every record of its segments once, in key order, equal keys in the order of the segments.

import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decodeKey, encodeKey } from "../../../src/shared/keys/codec.ts";
import type { Key } from "../../../src/shared/registry/functions.ts";
import { decodeValue } from "../../../src/shared/values/codec.ts";
import { Merge } from "../../../src/worker/reduce/merge.ts";
import { openMerge, planPasses, type MergeOptions } from "../../../src/worker/reduce/merge-passes.ts";
import type { Segment } from "../../../src/worker/reduce/segment-reader.ts";
import { inKeyOrder, writeSegment, type Pair } from "../segments.ts";

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "merge-"));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

const ignore = (): void => undefined;

function write(lists: readonly (readonly Pair[])[]): Segment[] {
  return lists.map((pairs, i) => writeSegment(join(directory, `segment-${i}`), inKeyOrder(pairs)));
}

function readAll(merge: Merge | undefined): Pair[] {
  const pairs: Pair[] = [];
  while (merge?.advance() === true) {
    const { bytes, valueStart, valueEnd } = merge.reader;
    const before = pairs.at(-1);
    const key = decodeKey(merge.key, 0, merge.keyLength);
    const same = before !== undefined && Buffer.compare(encodeKey(before[0]), encodeKey(key)) === 0;
    expect(merge.sameKey).toBe(same);
    pairs.push([key, decodeValue(bytes, valueStart, valueEnd)]);
  }
  merge?.close();
  return pairs;
}

function options(more: Partial<MergeOptions> = {}): MergeOptions {
  return { memoryBytes: 1 << 20, directory, onProgress: ignore, ...more };
}

// Few letters and the zero byte: many equal keys, prefixes of each other, and keys alike in their first eight bytes.
const letters = fc.constantFrom("a", "b", "\0", "\uffff");
const anyKey: fc.Arbitrary<Key> = fc.oneof(
  fc.string({ unit: letters, maxLength: 12 }),
  fc.integer({ min: -3, max: 3 }),
  fc.double({ noNaN: true }).map((number) => (number === 0 ? 0 : number)),
  fc.uint8Array({ maxLength: 9 }),
  fc.array(fc.string({ unit: letters, maxLength: 3 }), { maxLength: 3 }),
);
const anyLists = fc.array(fc.array(fc.tuple(anyKey, fc.nat()), { maxLength: 20 }), { maxLength: 12 });

describe("merging", () => {
  test("gives what a stable sort of all records gives, however small the fan-in and the block", () => {
    fc.assert(
      fc.property(anyLists, fc.integer({ min: 2, max: 5 }), (lists, fanIn) => {
        const found = readAll(openMerge(write(lists), options({ fanIn })));
        expect(found).toEqual(inKeyOrder(lists.flat()));
      }),
      { numRuns: 150 },
    );
  });

  test("reads records across blocks, also those larger than a block and those that repeat a key there", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.tuple(anyKey, fc.string({ maxLength: 90 })), { minLength: 1, maxLength: 30 }), {
          minLength: 1,
          maxLength: 5,
        }),
        fc.integer({ min: 1, max: 60 }),
        (lists, blockBytes) => {
          const found = readAll(new Merge(write(lists), blockBytes, ignore));
          expect(found).toEqual(inKeyOrder(lists.flat()));
        },
      ),
      { numRuns: 150 },
    );
  });

  test("reads one record of 3 MiB between small ones", () => {
    const large = "x".repeat(3 << 20);
    const pairs: Pair[] = [
      ["a", 1],
      ["b", large],
      ["b", 2],
      ["c", 3],
    ];
    expect(readAll(new Merge(write([pairs, [["b", 4]]]), 16_384, ignore))).toEqual(
      inKeyOrder([...pairs, ["b", 4]]),
    );
  });

  test("of no records at all there is no merge", () => {
    expect(openMerge(write([[], []]), options())).toBeUndefined();
    expect(openMerge([], options())).toBeUndefined();
  });

  test("says how far it is, passes included, never going back and ending at the whole", () => {
    const lists = Array.from({ length: 9 }, (_, i) => [[`key ${i % 4}`, i] as const]);
    const told: number[] = [];
    const onProgress = (read: number, total: number): void => void told.push(read / total);
    readAll(openMerge(write(lists), options({ fanIn: 3, onProgress })));
    expect(told).toEqual(told.toSorted((a, b) => a - b));
    expect(told.at(-1)).toBeGreaterThan(0.8);
    expect(told.at(-1)).toBeLessThanOrEqual(1);
  });

  test("passes leave nothing in the scratch folder but what the last merge reads", () => {
    const lists = Array.from({ length: 20 }, (_, i) => [[i, i] as const]);
    const merge = openMerge(write(lists), options({ fanIn: 3 }));
    const runs = readdirSync(directory).filter((name) => name.startsWith("merge-"));
    expect(runs.length).toBeLessThanOrEqual(3);
    expect(readAll(merge)).toHaveLength(20);
  });
});

describe("planning passes", () => {
  test("none while all fit", () => {
    expect(planPasses([5, 5, 5], 3)).toEqual([]);
  });

  test("merges the fewest and smallest neighbours that make the rest fit", () => {
    expect(planPasses([9, 1, 9, 2, 3, 9], 5)).toEqual([{ first: 3, count: 2 }]);
  });

  test("always ends with no more than the fan-in, and never merges more at once", () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(), { maxLength: 200 }),
        fc.integer({ min: 2, max: 20 }),
        (lengths, fanIn) => {
          const passes = planPasses(lengths, fanIn);
          const left = passes.reduce((count, pass) => count - pass.count + 1, lengths.length);
          expect(left).toBeLessThanOrEqual(fanIn);
          for (const { count } of passes) expect(count).toBeLessThanOrEqual(fanIn);
        },
      ),
    );
  });
});
