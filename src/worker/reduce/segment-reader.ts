// Owns the reading of one segment's records, in order, from a file (format: ../shuffle/segment-file.ts), through one
// block of bounded size. It checks the checksum; what the records mean is its callers' business.

import { closeSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";
import { MapReduceError } from "../../shared/job/errors.ts";
import { tagTuple } from "../../shared/keys/codec.ts";
import { SegmentLostError } from "../executor/execution.ts";
import type { LostSegment } from "../executor/protocol.ts";

/** Two varints of at most five bytes each. */
const maxHeaderBytes = 10;
const noBytes = Buffer.alloc(0);

/** Where a segment lies, in a segment file or a run file, and whose it is. */
export interface Segment {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  readonly crc: number;
  /** The map execution to blame where it can't be read; left out for what this process wrote itself. */
  readonly owner?: LostSegment;
}

/**
 * A cursor over the records of a segment. The fields describe the present record: its key and value are encoded, at the
 * given places of `bytes`, and valid until the next `advance`. Each method may throw SegmentLostError, or a MapReduceError
 * where the segment has no owner: SEGMENT_UNAVAILABLE where the file can't be read, SEGMENT_CORRUPT where the bytes are
 * not what they were.
 */
export class SegmentReader {
  bytes: Buffer = noBytes;
  keyStart = 0;
  keyEnd = 0;
  valueStart = 0;
  valueEnd = 0;
  /** Whether the present record's key is that of the record before, by the word of the segment. */
  repeated = false;
  readonly #segment: Segment;
  readonly #blockBytes: number;
  readonly #onRead: (bytes: number) => void;
  #fd: number;
  /** How many bytes of the block are filled, and of the segment not read yet. */
  #filled = 0;
  #left: number;
  #crc = 0;

  /**
   * Opens the file and reads the first block. A segment that fits into it holds no file descriptor from then on.
   * @param blockBytes size of the block; it grows for a larger record, for as long as that one is there
   * @param onRead told how many bytes each read brought
   */
  constructor(segment: Segment, blockBytes: number, onRead: (bytes: number) => void) {
    this.#segment = segment;
    this.#blockBytes = blockBytes;
    this.#onRead = onRead;
    this.#left = segment.length;
    try {
      this.#fd = openSync(segment.path, "r");
    } catch (cause) {
      throw this.#unavailable(cause);
    }
    try {
      this.#fill(0, 0);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Goes on to the next record; false at the end, when the checksum was right. */
  advance(): boolean {
    let start = this.valueEnd;
    if (this.#filled - start < maxHeaderBytes && this.#left > 0) {
      this.#fill(start, maxHeaderBytes);
      start = this.valueEnd;
    }
    if (start === this.#filled) return false;
    const bytes = this.bytes;
    let at = start;
    let keyLength = bytes[at++];
    if (keyLength > 127) {
      keyLength = readVarint(bytes, at - 1);
      at = endOfVarint(bytes, at);
    }
    let valueLength = bytes[at++];
    if (valueLength > 127) {
      valueLength = readVarint(bytes, at - 1);
      at = endOfVarint(bytes, at);
    }
    // Written so that what is no number, read behind the end of a record cut short, is found too.
    if (!(at + keyLength + valueLength <= this.#filled)) {
      const headerBytes = at - start;
      const size = headerBytes + keyLength + valueLength;
      if (!(size <= this.#filled - start + this.#left)) throw this.#corrupt("a record goes beyond its end");
      this.#fill(start, size);
      at = this.valueEnd + headerBytes;
    }
    if (keyLength === 0) {
      this.repeated = true;
      if (this.keyEnd === 0) throw this.#corrupt("its first record has no key");
    } else {
      this.repeated = false;
      this.keyStart = at;
      this.keyEnd = at + keyLength;
      const tag = this.bytes[at];
      if (tag === 0 || tag > tagTuple) throw this.#corrupt(`a key has the unknown tag ${tag}`);
    }
    this.valueStart = at + keyLength;
    this.valueEnd = this.valueStart + valueLength;
    return true;
  }

  /**
   * Reads what is left, without looking at it, for its checksum alone: whether an error of the reading is the reader's
   * fault or that of bytes which have changed.
   */
  verify(): void {
    while (this.#left > 0) this.#fill(this.#filled, 1);
  }

  /** Twice is fine. */
  close(): void {
    if (this.#fd >= 0) closeSync(this.#fd);
    this.#fd = -1;
  }

  /**
   * Reads on until the block holds `need` bytes from `start` on. What is before `start` goes, except for the present key,
   * which comes to lie at 0 with the bytes from `start` on behind it: the next record may refer to it.
   */
  #fill(start: number, need: number): void {
    const keyLength = this.keyEnd - this.keyStart;
    const kept = this.#filled - start;
    const wanted = Math.min(this.#blockBytes, keyLength + kept + this.#left);
    const size = Math.max(wanted, keyLength + need);
    const from = this.bytes;
    // A block that grew for a large record is given back with the first fill that can do without.
    if (size > from.length || (from.length > this.#blockBytes && keyLength + kept <= this.#blockBytes)) {
      this.bytes = Buffer.allocUnsafeSlow(size);
    }
    const bytes = this.bytes;
    if (bytes === from) {
      // The key first: it lies before `start`, and may lie where the rest goes.
      bytes.copyWithin(0, this.keyStart, this.keyEnd);
    } else from.copy(bytes, 0, this.keyStart, this.keyEnd);
    from.copy(bytes, keyLength, start, this.#filled);
    this.keyStart = 0;
    this.keyEnd = keyLength;
    this.valueEnd = keyLength;
    this.#filled = keyLength + kept;
    this.#read();
  }

  #read(): void {
    const { path, offset, length } = this.#segment;
    const count = Math.min(this.#left, this.bytes.length - this.#filled);
    const end = this.#filled + count;
    while (this.#filled < end) {
      let read: number;
      try {
        read = readSync(this.#fd, this.bytes, this.#filled, end - this.#filled, offset + length - this.#left);
      } catch (cause) {
        throw this.#unavailable(cause);
      }
      if (read === 0) throw this.#corrupt(`${path} is cut short`);
      this.#crc = crc32(this.bytes.subarray(this.#filled, this.#filled + read), this.#crc);
      this.#filled += read;
      this.#left -= read;
    }
    if (count > 0) this.#onRead(count);
    if (this.#left > 0) return;
    this.close();
    if (this.#crc !== this.#segment.crc) throw this.#corrupt("its bytes fail its checksum");
  }

  #unavailable(cause: unknown): MapReduceError {
    const reason = cause instanceof Error ? cause.message : String(cause);
    return this.#blame(
      new MapReduceError("SEGMENT_UNAVAILABLE", `segment in ${this.#segment.path}: ${reason}`, { cause }),
    );
  }

  #corrupt(found: string): MapReduceError {
    const { path, offset, length } = this.#segment;
    return this.#blame(
      new MapReduceError("SEGMENT_CORRUPT", `segment in ${path}, ${length} bytes from ${offset}: ${found}`),
    );
  }

  #blame(error: MapReduceError): MapReduceError {
    const { owner } = this.#segment;
    return owner === undefined ? error : new SegmentLostError(owner, error);
  }
}

function readVarint(bytes: Uint8Array, start: number): number {
  let value = 0;
  let scale = 1;
  for (let at = start; at < start + 5; at++) {
    value += (bytes[at] & 127) * scale;
    if (bytes[at] < 128) break;
    scale *= 128;
  }
  return value;
}

/** The place behind a varint of which `at` is the second byte. */
function endOfVarint(bytes: Uint8Array, at: number): number {
  let end = at;
  while (bytes[end] > 127 && end < at + 3) end++;
  return end + 1;
}
