// Owns the merging of a map's spilled runs into the segments of one file: partition by partition, records of equal keys
// in the order of the runs, which is that of their emission.

import { decodeValue } from "../../shared/values/codec.ts";
import { openMerge } from "../reduce/merge-passes.ts";
import type { Merge } from "../reduce/merge.ts";
import { SegmentFile } from "../shuffle/segment-file.ts";
import type { SegmentWriter } from "../shuffle/segment-writer.ts";
import { encodeNumber } from "./collector.ts";

/** What becomes of records of equal keys: they are added up (the combiner is `sum`), or all kept. */
export type EqualKeys = "sum" | "keep";

/** Where runs are merged, and what that may use. */
export interface MergeRunsOptions {
  readonly reduceTasks: number;
  readonly equalKeys: EqualKeys;
  readonly memoryBytes: number;
  readonly directory: string;
}

/**
 * Writes every partition's segment.
 * @returns how many records were written
 * @throws what reading a segment throws (SegmentReader); MapReduceError SCRATCH_UNUSABLE
 */
export function mergeRuns(runs: readonly string[], writer: SegmentWriter, options: MergeRunsOptions): number {
  const { memoryBytes, directory } = options;
  const places = runs.map((path) => placesOf(path, options.reduceTasks));
  let records = 0;
  for (let partition = 0; partition < options.reduceTasks; partition++) {
    const segments = places.map((segmentsOfRun) => segmentsOfRun[partition]);
    const merge = openMerge(segments, { memoryBytes, directory, onProgress: () => undefined });
    if (merge !== undefined) {
      try {
        records += options.equalKeys === "sum" ? writeSums(merge, writer) : writeAll(merge, writer);
      } finally {
        merge.close();
      }
    }
    writer.endSegment();
  }
  return records;
}

function placesOf(
  path: string,
  reduceTasks: number,
): { path: string; offset: number; length: number; crc: number }[] {
  const file = new SegmentFile(path);
  const places = Array.from({ length: reduceTasks }, (_, partition) => ({ path, ...file.place(partition) }));
  file.close();
  return places;
}

function writeAll(merge: Merge, writer: SegmentWriter): number {
  let records = 0;
  while (merge.advance()) {
    const { bytes, valueStart, valueEnd } = merge.reader;
    writer.append(
      merge.key,
      0,
      merge.sameKey ? 0 : merge.keyLength,
      bytes,
      valueStart,
      valueEnd - valueStart,
    );
    records++;
  }
  return records;
}

function writeSums(merge: Merge, writer: SegmentWriter): number {
  const value = new Uint8Array(9);
  let records = 0;
  let more = merge.advance();
  while (more) {
    // The key stays in its buffer while the next one is met.
    const { key, keyLength } = merge;
    let total = presentNumber(merge);
    for (more = merge.advance(); more && merge.sameKey; more = merge.advance()) total += presentNumber(merge);
    writer.append(key, 0, keyLength, value, 0, encodeNumber(total, value));
    records++;
  }
  return records;
}

function presentNumber({ reader }: Merge): number {
  return decodeValue(reader.bytes, reader.valueStart, reader.valueEnd) as number;
}
