// Owns how listed files become map tasks: a pure rule over sizes. It never looks at a byte of input; that records
// and splits share no boundary is the reader's business (a record belongs to the split its first byte lies in).

import { MapReduceError } from "../../shared/job/errors.ts";
import type { Split } from "../../shared/job/document.ts";

const MiB = 1024 * 1024;
const smallestDefault = MiB;
const largestDefault = 64 * MiB;
const defaultTasks = 64;

/** Task messages, progress and the journal are built for jobs of the paper's size (200,000 maps); past this a split size is a mistake. */
export const maxMapTasks = 1_000_000;

/** A file of input: of which of the document's inputs, and how many bytes. */
export interface ListedFile {
  readonly input: number;
  readonly url: string;
  readonly size: number;
}

export interface CutRule {
  /** Bytes, or null for the default: a 64th of the input, at least 1 MiB, at most 64 MiB. */
  readonly splitSize: number | null;
  readonly filesPerTask: number | null;
  /** Whether files of these two inputs may be read by one task (they have one mapper and one format). */
  readonly mayShare: (input: number, other: number) => boolean;
}

/** The split size that holds where the specification names none, in bytes. */
export function defaultSplitSize(inputBytes: number): number {
  return Math.min(largestDefault, Math.max(smallestDefault, Math.ceil(inputBytes / defaultTasks)));
}

/**
 * Cuts files into map tasks, in the order given: task 0 reads first. A file larger than the split size is cut into
 * equal pieces; pieces that fit share a task up to the split size and `filesPerTask`. Every byte is in exactly one split;
 * an empty file is a split without bytes.
 * @throws MapReduceError SPECIFICATION_INVALID for more than a million tasks
 */
export function cutSplits(files: readonly ListedFile[], rule: CutRule): Split[][] {
  const inputBytes = files.reduce((sum, file) => sum + file.size, 0);
  const splitSize = rule.splitSize ?? defaultSplitSize(inputBytes);
  const filesPerTask = rule.filesPerTask ?? Infinity;
  const tasks: Split[][] = [];
  let room = 0;
  for (const { input, url, size: fileSize } of files) {
    const pieces = Math.max(1, Math.ceil(fileSize / splitSize));
    if (tasks.length + pieces > maxMapTasks) {
      throw new MapReduceError(
        "SPECIFICATION_INVALID",
        `split size ${splitSize}: gives more than ${maxMapTasks} map tasks for ${inputBytes} bytes of input`,
      );
    }
    for (let piece = 0; piece < pieces; piece++) {
      const start = Math.floor((fileSize * piece) / pieces);
      const end = Math.floor((fileSize * (piece + 1)) / pieces);
      const task = tasks.at(-1);
      const before = task?.at(-1);
      const fits =
        task !== undefined &&
        before !== undefined &&
        end - start <= room &&
        task.length < filesPerTask &&
        rule.mayShare(before.input, input);
      if (!fits) room = splitSize;
      room -= end - start;
      const split = { input, url, start, end, fileSize };
      if (fits) task.push(split);
      else tasks.push([split]);
    }
  }
  return tasks;
}
