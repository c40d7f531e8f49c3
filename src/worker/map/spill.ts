// Owns a map's output from the first emitted record to the finished segment file: it collects, spills a sorted run when
// memory is full, and merges the runs into one file, renamed into place when whole.

import { renameSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { SegmentWriter } from "../shuffle/segment-writer.ts";
import type { Collector } from "./collector.ts";
import { maxFanIn } from "../reduce/merge-passes.ts";
import { mergeRuns, type EqualKeys } from "./merge-runs.ts";

/** What a map's output came to. */
export interface MapOutput {
  /** Records written to the segment file, and the size of that file. */
  readonly records: number;
  readonly bytes: number;
  readonly spills: number;
  /** Records written to spilled runs, on the way. */
  readonly spilledRecords: number;
}

/** Collects records within a budget of bytes. */
export class SpillingOutput {
  readonly #collector: Collector;
  readonly #budgetBytes: number;
  readonly #scratchDirectory: string;
  readonly #reduceTasks: number;
  readonly #equalKeys: EqualKeys;
  #runs: string[] = [];
  #spills = 0;
  #spilledRecords = 0;

  /**
   * @param options `budgetBytes`: when the collector uses more, what it holds becomes a run on the scratch disk
   */
  constructor(
    collector: Collector,
    options: {
      budgetBytes: number;
      scratchDirectory: string;
      reduceTasks: number;
      equalKeys: EqualKeys;
    },
  ) {
    this.#collector = collector;
    this.#budgetBytes = options.budgetBytes;
    this.#scratchDirectory = options.scratchDirectory;
    this.#reduceTasks = options.reduceTasks;
    this.#equalKeys = options.equalKeys;
  }

  /** Takes one record; may write a run. */
  add(key: unknown, value: unknown): void {
    this.#collector.add(key, value);
    if (this.#collector.usedBytes > this.#budgetBytes) this.#spill();
  }

  /** Writes everything to `segmentFile`; the output takes no record afterwards. */
  finish(segmentFile: string): MapOutput {
    const temporary = join(this.#scratchDirectory, "segments");
    let records: number;
    let bytes: number;
    if (this.#runs.length === 0) {
      const writer = new SegmentWriter(temporary);
      records = this.#collector.write(writer);
      bytes = writer.close().bytes;
      this.#collector.free();
    } else {
      if (this.#collector.count > 0) this.#spill();
      this.#collector.free();
      ({ records, bytes } = this.#mergeInto(temporary));
    }
    renameSync(temporary, segmentFile);
    return { records, bytes, spills: this.#spills, spilledRecords: this.#spilledRecords };
  }

  #spill(): void {
    if (this.#runs.length === maxFanIn) {
      const merged = join(this.#scratchDirectory, `run-${this.#spills++}`);
      this.#mergeInto(merged);
      this.#runs = [merged];
    }
    const run = join(this.#scratchDirectory, `run-${this.#spills++}`);
    const writer = new SegmentWriter(run);
    this.#spilledRecords += this.#collector.write(writer);
    writer.close();
    this.#runs.push(run);
  }

  /** Merges all runs into one file, in whose place they go. */
  #mergeInto(path: string): { records: number; bytes: number } {
    const writer = new SegmentWriter(path);
    const records = mergeRuns(this.#runs, writer, {
      reduceTasks: this.#reduceTasks,
      equalKeys: this.#equalKeys,
      memoryBytes: this.#budgetBytes / 2,
      directory: this.#scratchDirectory,
    });
    for (const run of this.#runs) unlinkSync(run);
    return { records, bytes: writer.close().bytes };
  }
}
