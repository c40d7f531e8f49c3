// Owns bounding a merge: more segments than can be merged at once are first merged, in passes, into fewer, larger ones
// in the execution's scratch folder. Only neighbours are merged, so that records of equal keys keep their order.

import { unlinkSync } from "node:fs";
import { join } from "node:path";
import { SegmentWriter } from "../shuffle/segment-writer.ts";
import { Merge } from "./merge.ts";
import type { Segment } from "./segment-reader.ts";

/**
 * Segments merged at once. Each holds one file descriptor, where the usual limit is 1,024, and one block, which is still
 * 128 KiB in the smallest executor. An input of up to 16 GiB in splits of 64 MiB needs no pass.
 */
export const maxFanIn = 256;
/** A larger block does not read faster. */
const maxBlockBytes = 256 * 1024;
/** A smaller one reads slower than a pass more. */
const minBlockBytes = 16 * 1024;

/** One merge of neighbours: `count` segments from place `first` on become one, at that place. */
export interface Pass {
  readonly first: number;
  readonly count: number;
}

/**
 * Chooses the passes that leave at most `fanIn` segments: each time the neighbours with the fewest bytes, and no more of
 * them than are needed.
 * @param lengths bytes of each segment
 */
export function planPasses(lengths: readonly number[], fanIn: number): Pass[] {
  const passes: Pass[] = [];
  const left = [...lengths];
  while (left.length > fanIn) {
    const count = Math.min(fanIn, left.length - fanIn + 1);
    let bytes = 0;
    let least = Number.POSITIVE_INFINITY;
    let first = 0;
    left.forEach((length, end) => {
      bytes += length - (end >= count ? left[end - count] : 0);
      if (end < count - 1 || bytes >= least) return;
      least = bytes;
      first = end - count + 1;
    });
    passes.push({ first, count });
    left.splice(first, count, least);
  }
  return passes;
}

/** What a bounded merge may use, and whom it tells how far it is. */
export interface MergeOptions {
  /** For blocks of segments that are read. */
  readonly memoryBytes: number;
  /** Where the results of passes are kept until they have been merged. */
  readonly directory: string;
  /** Told after each block: bytes read of all that will be read, those of passes included. */
  readonly onProgress: (readBytes: number, totalBytes: number) => void;
  /** By default maxFanIn. */
  readonly fanIn?: number;
}

/**
 * Opens a merge of any number of segments, given in the order of their maps. Empty ones are left out.
 * @returns undefined where there is no record at all
 * @throws what reading a segment throws (SegmentReader); MapReduceError SCRATCH_UNUSABLE
 */
export function openMerge(segments: readonly Segment[], options: MergeOptions): Merge | undefined {
  const { directory, onProgress, fanIn = maxFanIn } = options;
  const left = segments.filter(({ length }) => length > 0);
  if (left.length === 0) return undefined;
  const lengths = left.map(({ length }) => length);
  const passes = planPasses(lengths, fanIn);
  const totalBytes = totalOf(lengths, passes);
  let readBytes = 0;
  const onRead = (bytes: number): void => {
    readBytes += bytes;
    onProgress(Math.min(readBytes, totalBytes), totalBytes);
  };
  const open = (some: readonly Segment[]): Merge => {
    const share = Math.floor(options.memoryBytes / some.length);
    return new Merge(some, Math.max(minBlockBytes, Math.min(share, maxBlockBytes)), onRead);
  };
  const made = new Set<string>();
  passes.forEach(({ first, count }, pass) => {
    const some = left.slice(first, first + count);
    const merged = mergeInto(join(directory, `merge-${pass}`), open(some));
    for (const { path } of some) if (made.delete(path)) unlinkSync(path);
    made.add(merged.path);
    left.splice(first, count, merged);
  });
  return open(left);
}

/** Bytes that a merge with these passes reads: repeated keys are left out in merged segments, so it is an upper bound. */
function totalOf(lengths: readonly number[], passes: readonly Pass[]): number {
  const left = [...lengths];
  let total = left.reduce((sum, length) => sum + length, 0);
  for (const { first, count } of passes) {
    const merged = left.slice(first, first + count).reduce((sum, length) => sum + length, 0);
    left.splice(first, count, merged);
    total += merged;
  }
  return total;
}

function mergeInto(path: string, merge: Merge): Segment {
  const writer = new SegmentWriter(path);
  try {
    while (merge.advance()) {
      const { reader } = merge;
      const { bytes, valueStart, valueEnd } = reader;
      const keyLength = merge.sameKey ? 0 : merge.keyLength;
      writer.append(merge.key, 0, keyLength, bytes, valueStart, valueEnd - valueStart);
    }
    writer.endSegment();
  } catch (error) {
    writer.abandon();
    throw error;
  } finally {
    merge.close();
  }
  const [place] = writer.close().segments;
  return { path, ...place };
}
