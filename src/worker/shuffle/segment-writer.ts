// Owns the writing of records, in key order, into segments of one file (format: segment-file.ts). It buffers, counts and
// checksums; what the records are, and their order, is its callers' business.

import { closeSync, openSync, writeSync } from "node:fs";
import { crc32 } from "node:zlib";
import { MapReduceError } from "../../shared/job/errors.ts";
import { encodeSegmentIndex, type SegmentPlace } from "./segment-file.ts";

/** Large enough that a write costs little beside its bytes. */
const bufferBytes = 256 * 1024;
/** Two varints of at most five bytes each. */
const headerBytes = 10;

/** Writes segments 0, 1, ... R-1 in turn, then index and footer. Close it, or abandon it. */
export class SegmentWriter {
  readonly #path: string;
  readonly #fd: number;
  readonly #buffer: Buffer = Buffer.allocUnsafeSlow(bufferBytes);
  readonly #segments: SegmentPlace[] = [];
  #used = 0;
  #written = 0;
  #segmentOffset = 0;
  #records = 0;
  #crc = 0;

  /** Creates the file at `path`; it must not be one that counts before `close`: callers rename it into place. */
  constructor(path: string) {
    this.#path = path;
    this.#fd = attempt(path, () => openSync(path, "w", 0o600));
  }

  /** Partition of the segment that is being written. */
  get partition(): number {
    return this.#segments.length;
  }

  /**
   * Appends a record. With `keyLength` 0 its key is that of the record before.
   * Key and value are encoded bytes at the given places; they are copied.
   */
  append(
    keys: Uint8Array,
    keyStart: number,
    keyLength: number,
    values: Uint8Array,
    valueStart: number,
    valueLength: number,
  ): void {
    if (this.#used + headerBytes + keyLength + valueLength > bufferBytes) {
      this.#flush();
      if (headerBytes + keyLength + valueLength > bufferBytes) {
        this.#header(keyLength, valueLength);
        this.#flush();
        this.#write(keys.subarray(keyStart, keyStart + keyLength));
        this.#write(values.subarray(valueStart, valueStart + valueLength));
        this.#records++;
        return;
      }
    }
    this.#header(keyLength, valueLength);
    this.#copy(keys, keyStart, keyLength);
    this.#copy(values, valueStart, valueLength);
    this.#records++;
  }

  /** Ends the present segment; the next record belongs to the next partition. */
  endSegment(): void {
    this.#flush();
    this.#segments.push({
      offset: this.#segmentOffset,
      length: this.#written - this.#segmentOffset,
      records: this.#records,
      crc: this.#crc,
    });
    this.#segmentOffset = this.#written;
    this.#records = 0;
    this.#crc = 0;
  }

  /** Writes index and footer and closes the file; gives its size in bytes and where its segments lie. */
  close(): { readonly bytes: number; readonly segments: readonly SegmentPlace[] } {
    this.#write(encodeSegmentIndex(this.#segments));
    closeSync(this.#fd);
    return { bytes: this.#written, segments: this.#segments };
  }

  /** Closes the file as it is, without a footer: it counts for nothing. */
  abandon(): void {
    closeSync(this.#fd);
  }

  #header(keyLength: number, valueLength: number): void {
    const buffer = this.#buffer;
    let at = this.#used;
    let rest = keyLength;
    while (rest > 127) {
      buffer[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    buffer[at++] = rest;
    rest = valueLength;
    while (rest > 127) {
      buffer[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    buffer[at++] = rest;
    this.#used = at;
  }

  #copy(from: Uint8Array, start: number, length: number): void {
    const buffer = this.#buffer;
    const at = this.#used;
    if (length > 48) buffer.set(from.subarray(start, start + length), at);
    else for (let i = 0; i < length; i++) buffer[at + i] = from[start + i];
    this.#used = at + length;
  }

  #flush(): void {
    if (this.#used === 0) return;
    const bytes = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    this.#write(bytes);
  }

  #write(bytes: Uint8Array): void {
    this.#crc = crc32(bytes, this.#crc);
    attempt(this.#path, () => {
      for (let done = 0; done < bytes.length;) done += writeSync(this.#fd, bytes, done);
    });
    this.#written += bytes.length;
  }
}

function attempt<T>(path: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MapReduceError("SCRATCH_UNUSABLE", `segment file ${path}: can't be written: ${reason}`, {
      cause,
    });
  }
}
