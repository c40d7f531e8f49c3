// Holds that bytes which are not what was written never pass for records.

import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, expect, test } from "vitest";
import { SegmentLostError } from "../../../src/worker/executor/execution.ts";
import { SegmentReader, type Segment } from "../../../src/worker/reduce/segment-reader.ts";
import { writeSegment } from "../segments.ts";

let directory: string;
let segment: Segment;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "segment-reader-"));
  const pairs = Array.from({ length: 500 }, (_, i) => [`key ${String(i).padStart(4, "0")}`, i] as const);
  segment = { ...writeSegment(join(directory, "segment"), pairs), owner: { map: 7, executionId: "e.7" } };
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

function count(of: Segment, blockBytes = 64): number {
  const reader = new SegmentReader(of, blockBytes, () => undefined);
  let records = 0;
  try {
    while (reader.advance()) records++;
  } finally {
    reader.close();
  }
  return records;
}

function lossOf(of: Segment): SegmentLostError {
  try {
    count(of);
  } catch (error) {
    if (error instanceof SegmentLostError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

test("reads all records in blocks of any size", () => {
  for (const blockBytes of [1, 7, 64, 1 << 20]) expect(count(segment, blockBytes)).toBe(500);
});

test("any byte that has changed is found, and the map execution is named", () => {
  const whole = readFileSync(segment.path);
  for (let at = 0; at < segment.length; at += 97) {
    const changed = Buffer.from(whole);
    changed[at] ^= 0x41;
    writeFileSync(segment.path, changed);
    const { code, lost } = lossOf(segment);
    expect(code).toBe("SEGMENT_CORRUPT");
    expect(lost).toEqual({ map: 7, executionId: "e.7" });
  }
});

test("a file cut short is corrupt, one that is gone is unavailable", () => {
  truncateSync(segment.path, segment.length - 10);
  expect(lossOf(segment).code).toBe("SEGMENT_CORRUPT");
  rmSync(segment.path);
  expect(lossOf(segment).code).toBe("SEGMENT_UNAVAILABLE");
});

test("verify finds a changed byte far behind the present record", () => {
  const changed = readFileSync(segment.path);
  changed[segment.length - 3] ^= 1;
  writeFileSync(segment.path, changed);
  const reader = new SegmentReader(segment, 64, () => undefined);
  expect(reader.advance()).toBe(true);
  expect(() => reader.verify()).toThrow(expect.objectContaining({ code: "SEGMENT_CORRUPT" }));
});

test.each([
  ["a first record without a key", [0, 2, 4, 1]],
  ["a record that goes beyond the end", [2, 100, 2, 97, 4, 1]],
  ["a header that is cut", [2]],
  ["a length that is cut", [0x82]],
  ["a key with an unknown tag", [2, 2, 9, 97, 4, 1]],
])("%s is refused even where the checksum is right", (_, bytes) => {
  const path = join(directory, "bad");
  writeFileSync(path, Buffer.from(bytes));
  const bad = { path, offset: 0, length: bytes.length, crc: crc32(Buffer.from(bytes)) };
  expect(() => count(bad)).toThrow(expect.objectContaining({ code: "SEGMENT_CORRUPT" }));
});
