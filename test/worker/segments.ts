// Owns segment files for tests: what a map execution would have left, from literal records.

import { encodeKey } from "../../src/shared/keys/codec.ts";
import type { Key } from "../../src/shared/registry/functions.ts";
import { encodeValue } from "../../src/shared/values/codec.ts";
import type { SegmentSource } from "../../src/worker/executor/protocol.ts";
import { SegmentFile } from "../../src/worker/shuffle/segment-file.ts";
import { SegmentWriter } from "../../src/worker/shuffle/segment-writer.ts";
import type { Segment } from "../../src/worker/reduce/segment-reader.ts";

export type Pair = readonly [Key, unknown];

/** Writes a segment file with one segment for each list of pairs, which must be in key order. */
export function writeSegments(path: string, partitions: readonly (readonly Pair[])[]): void {
  const writer = new SegmentWriter(path);
  for (const pairs of partitions) {
    let before: Uint8Array | undefined;
    for (const [key, value] of pairs) {
      const keyBytes = encodeKey(key);
      const valueBytes = encodeValue(value);
      const repeated = before !== undefined && Buffer.compare(before, keyBytes) === 0;
      writer.append(keyBytes, 0, repeated ? 0 : keyBytes.length, valueBytes, 0, valueBytes.length);
      before = keyBytes;
    }
    writer.endSegment();
  }
  writer.close();
}

/** Writes a file of one segment, and says where it lies. */
export function writeSegment(path: string, pairs: readonly Pair[]): Segment {
  writeSegments(path, [pairs]);
  const file = new SegmentFile(path);
  const place = file.place(0);
  file.close();
  return { path, ...place };
}

/** The file as a source of a reduce, from the execution "e.<map>". */
export function mapOutput(map: number, path: string): SegmentSource {
  return { kind: "mapOutput", map, executionId: `e.${map}`, path };
}

/** Sorts pairs as a map would: by key bytes, those of equal keys as they were. */
export function inKeyOrder(pairs: readonly Pair[]): Pair[] {
  return pairs.toSorted(([a], [b]) => Buffer.compare(encodeKey(a), encodeKey(b)));
}
