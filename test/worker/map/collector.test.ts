// Holds collectors and spills to what a sort of plain pairs gives, whatever the memory.

import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { decodeKey, encodeKey } from "../../../src/shared/keys/codec.ts";
import { hashKey, partitionOf } from "../../../src/shared/keys/hash.ts";
import type { Key } from "../../../src/shared/registry/functions.ts";
import { decodeValue } from "../../../src/shared/values/codec.ts";
import {
  GroupCollector,
  hashPartition,
  PairCollector,
  SumCollector,
  type Collector,
} from "../../../src/worker/map/collector.ts";
import { SpillingOutput } from "../../../src/worker/map/spill.ts";
import { SegmentFile } from "../../../src/worker/shuffle/segment-file.ts";
import { SegmentWriter } from "../../../src/worker/shuffle/segment-writer.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "collector-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

type Pair = readonly [Key, unknown];
const partitions = 3;
const key = fc.oneof(
  fc.constantFrom("a", "b", "common prefix 1", "common prefix 2", "ab", "ab\0", "\u00e9", "", 0, 1, -1),
  fc.string({ maxLength: 20 }).filter((each) => each.isWellFormed()),
  fc.integer({ min: 0, max: 50 }).map((n) => `http://example.org/${n}`),
  fc.uint8Array({ maxLength: 10 }),
  fc.tuple(fc.constantFrom("x", "y"), fc.integer({ min: 0, max: 3 })),
);

function partition(each: Key): number {
  const bytes = encodeKey(each);
  return partitionOf(hashKey(bytes, 0, bytes.length), partitions);
}

/** Pairs of each partition, sorted by key, stable. */
function reference(pairs: readonly Pair[]): Pair[][] {
  return Array.from({ length: partitions }, (_, p) =>
    pairs
      .filter(([each]) => partition(each) === p)
      .toSorted(([a], [b]) => Buffer.compare(encodeKey(a), encodeKey(b))),
  );
}

function collected(collector: Collector, pairs: readonly Pair[]): Pair[][] {
  for (const [each, value] of pairs) collector.add(each, value);
  const path = join(directory, "segments");
  const writer = new SegmentWriter(path);
  collector.write(writer);
  writer.close();
  return readSegments(path);
}

function readSegments(path: string): Pair[][] {
  const bytes = readFileSync(path);
  const file = new SegmentFile(path);
  const segments = Array.from({ length: file.partitions }, (_, p) => {
    const place = file.place(p);
    const segment = bytes.subarray(place.offset, place.offset + place.length);
    expect(crc32(segment)).toBe(place.crc);
    const pairs = decodeSegment(segment);
    expect(pairs.length).toBe(place.records);
    return pairs;
  });
  file.close();
  return segments;
}

function decodeSegment(segment: Buffer): Pair[] {
  const pairs: Pair[] = [];
  let at = 0;
  let previous: Key = "";
  const varint = (): number => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = segment[at++];
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < segment.length) {
    const keyLength = varint();
    const valueLength = varint();
    if (keyLength > 0) previous = decodeKey(segment, at, at + keyLength);
    at += keyLength;
    pairs.push([previous, decodeValue(segment, at, at + valueLength)]);
    at += valueLength;
  }
  return pairs;
}

const addAll = (
  each: unknown,
  values: Iterable<unknown>,
  emit: (key: unknown, value: unknown) => void,
): void => {
  let total = 0;
  for (const value of values) total += value as number;
  emit(each, total);
};

function spilled(
  collector: Collector,
  equalKeys: "sum" | "keep",
  budgetBytes: number,
  pairs: readonly Pair[],
): Pair[][] {
  const options = { budgetBytes, scratchDirectory: directory, reduceTasks: partitions, equalKeys };
  const output = new SpillingOutput(collector, options);
  for (const [each, value] of pairs) output.add(each, value);
  const path = join(directory, "finished");
  const { bytes, records } = output.finish(path);
  expect(statSync(path).size).toBe(bytes);
  const segments = readSegments(path);
  expect(segments.flat().length).toBe(records);
  expect(readdirSync(directory).filter((name) => name.startsWith("run-"))).toEqual([]);
  return segments;
}

describe("a spilling output", () => {
  const pairs = fc.array(fc.tuple(key, fc.integer({ min: -1000, max: 1000 })), { maxLength: 400 });
  const budget = fc.constantFrom(1, 300, 2_000, 1_000_000);

  test("is the same whatever the budget: pairs keep their order, sums are one for each key", () => {
    fc.assert(
      fc.property(pairs, budget, (each, budgetBytes) => {
        const hash = hashPartition(partitions);
        const kept = spilled(new PairCollector(1 << 20, partitions, hash), "keep", budgetBytes, each);
        expect(kept).toEqual(reference(each));
        const unspilled = collected(new SumCollector(1 << 20, partitions, hash), each);
        expect(spilled(new SumCollector(1 << 20, partitions, hash), "sum", budgetBytes, each)).toEqual(
          unspilled,
        );
      }),
      { numRuns: 60 },
    );
  });

  test("merges more runs than can be merged at once", () => {
    const many = Array.from({ length: 600 }, (_, i): Pair => [`key-${i % 7}`, i]);
    expect(
      spilled(new PairCollector(1 << 20, partitions, hashPartition(partitions)), "keep", 1, many),
    ).toEqual(reference(many));
  });
});

describe("a collector", () => {
  test("without a combiner keeps every record, by partition, key and emission", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(key, fc.oneof(fc.integer(), fc.string({ maxLength: 5 })))), (pairs) => {
        const valid = pairs.filter(([, value]) => typeof value !== "string" || value.isWellFormed());
        expect(collected(new PairCollector(1 << 20, partitions, hashPartition(partitions)), valid)).toEqual(
          reference(valid),
        );
      }),
    );
  });

  test("that sums, and one with a combiner that adds, give the same totals", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(key, fc.integer({ min: -1000, max: 1000 })), { maxLength: 300 }),
        (pairs) => {
          const totals = new Map<string, [Key, number]>();
          for (const [each, n] of pairs) {
            const id = Buffer.from(encodeKey(each)).toString("hex");
            totals.set(id, [each, (totals.get(id)?.[1] ?? 0) + n]);
          }
          const expected = reference([...totals.values()]);
          expect(collected(new SumCollector(1 << 20, partitions, hashPartition(partitions)), pairs)).toEqual(
            expected,
          );
          expect(
            collected(new GroupCollector(1 << 20, partitions, hashPartition(partitions), addAll), pairs),
          ).toEqual(expected);
        },
      ),
    );
  });

  test("grows past its first memory, and can be used again after writing", () => {
    const collector = new SumCollector(1 << 20, partitions, hashPartition(partitions));
    const pairs = Array.from({ length: 50_000 }, (_, i): Pair => [`key-${i % 20_000}`, 1]);
    const first = collected(collector, pairs);
    expect(first.flat().length).toBe(20_000);
    expect(first.flat().reduce((sum, [, n]) => sum + (n as number), 0)).toBe(50_000);
    expect(collected(collector, [["again", 2]]).flat()).toEqual([["again", 2]]);
  });

  test("keeps a record larger than every buffer", () => {
    const large = "v".repeat(1 << 20);
    const pairs: Pair[] = [
      ["a", large],
      ["b".repeat(300_000), large],
      ["c", 1],
    ];
    expect(collected(new PairCollector(1 << 20, 1, () => 0), pairs)).toEqual([pairs]);
  });

  test("refuses a key over maxKeyBytes, a sum of what is no number, a combiner that changes the key", () => {
    const small = new PairCollector(10, partitions, hashPartition(partitions));
    expect(() => small.add("0123456789", 1)).toThrow("found 11 bytes, at most 10 expected");
    const sums = new SumCollector(100, partitions, hashPartition(partitions));
    expect(() => sums.add("a", "1")).toThrow("found a string, expected a number");
    const other = new GroupCollector(100, partitions, hashPartition(partitions), (_key, _values, emit) =>
      emit("other", 1),
    );
    expect(() => collected(other, [["a", 1]])).toThrow("another key than that of its group");
  });
});
