// Owns the reading of lines from a byte range of a local file: large blocks, decoded at once, cut into lines without a
// copy. A line belongs to the range in which its first byte lies. A block that is all ASCII is decoded as latin1, which
// costs nothing; any other as UTF-8, where bytes that are not UTF-8 become U+FFFD.

import { isAscii } from "node:buffer";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Split } from "../../shared/job/document.ts";
import { MapReduceError } from "../../shared/job/errors.ts";

/** A block stays in the second-level cache with its string, and below the size at which Node makes strings external. */
const blockBytes = 128 * 1024;
const newline = 10;
const carriageReturn = 13;

/** Reads the lines of one split, block by block. Close it. */
export class LineBlocks {
  readonly url: string;
  readonly #fd: number;
  readonly #split: Split;
  readonly #maxRecordBytes: number;
  #buffer: Buffer = Buffer.allocUnsafeSlow(blockBytes);
  /** File offset of the buffer's first byte, and how many bytes are in it. */
  #base: number;
  #filled = 0;
  /** The present block: whole lines, from here to there in the buffer, the last newline left out. */
  #start = 0;
  #end = 0;
  /** Where the next block begins in the buffer. */
  #next = 0;
  #atEnd = false;
  #unterminated = false;
  /** A line number of the present block and the place in the buffer where it begins: `offsetOf` walks on from here. */
  #walkedLine = 0;
  #walkedAt = 0;

  /** @throws MapReduceError INPUT_UNREADABLE, or INPUT_CHANGED where the file is not what was listed */
  constructor(split: Split, maxRecordBytes: number) {
    this.url = split.url;
    this.#split = split;
    this.#maxRecordBytes = maxRecordBytes;
    try {
      this.#fd = openSync(fileURLToPath(split.url), "r");
    } catch (cause) {
      throw new MapReduceError("INPUT_UNREADABLE", `input ${split.url}: ${reasonOf(cause)}`, { cause });
    }
    const size = fstatSync(this.#fd).size;
    if (size !== split.fileSize) {
      closeSync(this.#fd);
      throw new MapReduceError(
        "INPUT_CHANGED",
        `input ${split.url}: found ${size} bytes, expected ${split.fileSize} as listed`,
      );
    }
    // The byte before tells whether a line begins at the start.
    this.#base = split.start === 0 ? 0 : split.start - 1;
    if (split.start > 0) this.#skipFirst();
  }

  /** Moves to the next block of whole lines; false when the range has no more. */
  advance(): boolean {
    if (this.#atEnd) return false;
    const { end } = this.#split;
    for (;;) {
      if (this.#base + this.#next >= end) return this.#finish();
      const last = this.#filled > this.#next ? this.#buffer.lastIndexOf(newline, this.#filled - 1) : -1;
      if (last >= this.#next) {
        this.#setBlock(last);
        return true;
      }
      if (!this.#fill()) {
        if (this.#filled === this.#next) return this.#finish();
        this.#start = this.#next;
        this.#end = this.#filled;
        this.#next = this.#filled;
        this.#unterminated = true;
        this.#resetWalk();
        return true;
      }
    }
  }

  /**
   * How many bytes of a line belong to its end: 1 where it ends with the CR of a CRLF, else 0.
   * @param lastByte the line's last byte, its LF not counted
   * @param atBlockEnd whether it is the present block's last line
   */
  crBytes(lastByte: number, atBlockEnd: boolean): 0 | 1 {
    // Behind the last line of a file that does not end with LF, a CR is the line's own.
    return lastByte === carriageReturn && !(atBlockEnd && this.#unterminated) ? 1 : 0;
  }

  /** The present block as text, lines parted by LF. */
  text(): string {
    const bytes = this.#buffer;
    return isAscii(bytes.subarray(this.#start, this.#end))
      ? bytes.toString("latin1", this.#start, this.#end)
      : bytes.toString("utf8", this.#start, this.#end);
  }

  /** The present block as bytes: valid until the next `advance`. */
  bytes(): Buffer {
    return this.#buffer.subarray(this.#start, this.#end);
  }

  /** File offset of the present block's first byte. */
  get blockOffset(): number {
    return this.#base + this.#start;
  }

  /** File offset of a line of the present block, by its number in it; asked in rising order. */
  offsetOf(line: number): number {
    if (line < this.#walkedLine) this.#resetWalk();
    while (this.#walkedLine < line) {
      this.#walkedAt = this.#buffer.indexOf(newline, this.#walkedAt) + 1;
      this.#walkedLine++;
    }
    return this.#base + this.#walkedAt;
  }

  /** How many bytes of the range have been read. */
  get bytesRead(): number {
    return Math.min(this.#base + this.#next, this.#split.end) - this.#split.start;
  }

  close(): void {
    closeSync(this.#fd);
  }

  #finish(): false {
    this.#atEnd = true;
    return false;
  }

  #setBlock(lastNewline: number): void {
    this.#start = this.#next;
    let last = lastNewline;
    const { end } = this.#split;
    if (this.#base + last + 1 >= end) {
      // The last line of the range is the one that holds the byte before `end`, up to its newline.
      last = this.#buffer.indexOf(newline, Math.max(this.#next, end - 1 - this.#base));
    }
    this.#end = last;
    this.#next = last + 1;
    this.#resetWalk();
  }

  #resetWalk(): void {
    this.#walkedLine = 0;
    this.#walkedAt = this.#start;
  }

  /** Leaves out what belongs to the line that began before the range. */
  #skipFirst(): void {
    for (;;) {
      if (!this.#fill()) {
        this.#next = this.#filled;
        return;
      }
      const at = this.#buffer.indexOf(newline, this.#next);
      if (at >= 0 && at < this.#filled) {
        this.#next = at + 1;
        return;
      }
      this.#next = this.#filled;
      if (this.#base + this.#next >= this.#split.end) return;
    }
  }

  /** Reads on behind what is there, moving or growing the buffer; false at the end of the file. */
  #fill(): boolean {
    const kept = this.#filled - this.#next;
    if (kept >= this.#maxRecordBytes) {
      throw new MapReduceError(
        "RECORD_INVALID",
        `input ${this.url}: a line of more than ${this.#maxRecordBytes} bytes (maxRecordBytes)`,
        { source: { url: this.url, offset: this.#base + this.#next } },
      );
    }
    if (kept > this.#buffer.length / 2) {
      const grown = Buffer.allocUnsafeSlow(this.#buffer.length * 2);
      this.#buffer.copy(grown, 0, this.#next, this.#filled);
      this.#buffer = grown;
    } else this.#buffer.copy(this.#buffer, 0, this.#next, this.#filled);
    this.#base += this.#next;
    this.#filled = kept;
    this.#next = 0;
    let count: number;
    try {
      count = readSync(this.#fd, this.#buffer, kept, this.#buffer.length - kept, this.#base + kept);
    } catch (cause) {
      throw new MapReduceError("INPUT_UNREADABLE", `input ${this.url}: ${reasonOf(cause)}`, { cause });
    }
    this.#filled += count;
    return count > 0;
  }
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
