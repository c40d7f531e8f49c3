// Holds segment files to counting only when whole: every cut and every flipped bit of the index is found.

import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { SegmentFile } from "../../../src/worker/shuffle/segment-file.ts";
import { SegmentWriter } from "../../../src/worker/shuffle/segment-writer.ts";

let directory: string;
let path: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "segment-file-"));
  path = join(directory, "segments");
  const writer = new SegmentWriter(path);
  writer.append(Buffer.from("key"), 0, 3, Buffer.from("value"), 0, 5);
  writer.endSegment();
  writer.endSegment();
  writer.append(Buffer.from("xkey"), 1, 3, Buffer.from("v"), 0, 1);
  writer.append(Buffer.from("key"), 0, 0, Buffer.from("w"), 0, 1);
  writer.endSegment();
  writer.close();
});
afterEach(() => rmSync(directory, { recursive: true }));

describe("a segment file", () => {
  test("says where each partition's segment lies, and its checksum", () => {
    const file = new SegmentFile(path);
    const bytes = readFileSync(path);
    expect(file.partitions).toBe(3);
    expect([0, 1, 2].map((p) => file.place(p).records)).toEqual([1, 0, 2]);
    expect(file.place(1).length).toBe(0);
    const { offset, length, crc } = file.place(2);
    expect(crc32(bytes.subarray(offset, offset + length))).toBe(crc);
    expect(bytes.subarray(offset, offset + length).toString("latin1")).toBe("\x03\x01keyv\x00\x01w");
    file.close();
  });

  test("that is cut short anywhere does not count", () => {
    const size = readFileSync(path).length;
    for (let length = size - 1; length >= 0; length--) {
      truncateSync(path, length);
      expect(() => new SegmentFile(path)).toThrow(expect.objectContaining({ code: "SEGMENT_CORRUPT" }));
    }
  });

  test("whose index or footer has a flipped bit does not count", () => {
    const whole = readFileSync(path);
    const indexOffset = whole.length - 24 - 3 * 24;
    for (let at = indexOffset; at < whole.length; at++) {
      const bad = Buffer.from(whole);
      bad[at] ^= 1;
      writeFileSync(path, bad);
      expect(() => new SegmentFile(path), `byte ${at}`).toThrow(
        expect.objectContaining({ code: "SEGMENT_CORRUPT" }),
      );
    }
  });

  test("that is not there is unavailable, and a foreign file is none", () => {
    expect(() => new SegmentFile(join(directory, "none"))).toThrow(
      expect.objectContaining({ code: "SEGMENT_UNAVAILABLE" }),
    );
    writeFileSync(path, "something else that is long enough to hold a footer and more");
    expect(() => new SegmentFile(path)).toThrow(expect.objectContaining({ code: "SEGMENT_CORRUPT" }));
  });
});
