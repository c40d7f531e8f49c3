// Owns the format of a map execution's output: one file of R segments, their index and a footer. A file counts only if
// its footer is whole; a segment counts only if its bytes have the CRC-32 that the index gives.
//
//   segment 0 | segment 1 | ... | segment R-1 | index | footer
//
//   segment   records in key order: k, v, key, value. k (varint) is the key's length, or 0: the key of the record
//             before, whose bytes are left out (a key is never empty). v (varint) is the value's length. Keys and values
//             are encoded (shared/keys/codec.ts, shared/values/codec.ts). Varints are LEB128, unsigned.
//   index     R entries of 24 bytes, little-endian: offset f64, length f64, records u32, crc u32
//   footer    24 bytes: "MRSEG001", R u32, crc of the index u32, offset of the index f64

import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { crc32 } from "node:zlib";
import { MapReduceError } from "../../shared/job/errors.ts";

const entryBytes = 24;
const footerBytes = 24;
const magic = Buffer.from("MRSEG001", "latin1");

/** Where one segment lies in its file. */
export interface SegmentPlace {
  readonly offset: number;
  readonly length: number;
  readonly records: number;
  readonly crc: number;
}

/** Builds index and footer of segments that lie one behind the other from offset 0. */
export function encodeSegmentIndex(segments: readonly SegmentPlace[]): Uint8Array {
  const bytes = Buffer.alloc(segments.length * entryBytes + footerBytes);
  let end = 0;
  segments.forEach((segment, partition) => {
    const at = partition * entryBytes;
    bytes.writeDoubleLE(segment.offset, at);
    bytes.writeDoubleLE(segment.length, at + 8);
    bytes.writeUInt32LE(segment.records, at + 16);
    bytes.writeUInt32LE(segment.crc, at + 20);
    end = segment.offset + segment.length;
  });
  const footer = segments.length * entryBytes;
  magic.copy(bytes, footer);
  bytes.writeUInt32LE(segments.length, footer + 8);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, footer)), footer + 12);
  bytes.writeDoubleLE(end, footer + 16);
  return bytes;
}

/** An open segment file whose footer and index were found whole. Close it. */
export class SegmentFile {
  readonly path: string;
  readonly fd: number;
  readonly partitions: number;
  readonly #index: Buffer;

  /** @throws MapReduceError SEGMENT_UNAVAILABLE where the file can't be read, SEGMENT_CORRUPT where it is not whole */
  constructor(path: string) {
    this.path = path;
    try {
      this.fd = openSync(path, "r");
    } catch (cause) {
      throw new MapReduceError("SEGMENT_UNAVAILABLE", `segment file ${path}: can't be opened`, { cause });
    }
    try {
      const size = fstatSync(this.fd).size;
      const footer = readExactly(this.fd, path, size - footerBytes, footerBytes);
      this.partitions = footer.readUInt32LE(8);
      const indexOffset = footer.readDoubleLE(16);
      const indexBytes = this.partitions * entryBytes;
      if (!footer.subarray(0, 8).equals(magic) || indexOffset !== size - footerBytes - indexBytes) {
        throw new MapReduceError("SEGMENT_CORRUPT", `segment file ${path}: its footer is not whole`);
      }
      this.#index = readExactly(this.fd, path, indexOffset, indexBytes);
      if (crc32(this.#index) !== footer.readUInt32LE(12)) {
        throw new MapReduceError("SEGMENT_CORRUPT", `segment file ${path}: its index fails its checksum`);
      }
    } catch (error) {
      closeSync(this.fd);
      throw error;
    }
  }

  /** Where a partition's segment lies. */
  place(partition: number): SegmentPlace {
    const at = partition * entryBytes;
    return {
      offset: this.#index.readDoubleLE(at),
      length: this.#index.readDoubleLE(at + 8),
      records: this.#index.readUInt32LE(at + 16),
      crc: this.#index.readUInt32LE(at + 20),
    };
  }

  close(): void {
    closeSync(this.fd);
  }
}

function readExactly(fd: number, path: string, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let read = 0;
  while (offset >= 0 && read < length) {
    const count = readSync(fd, bytes, read, length - read, offset + read);
    if (count === 0) break;
    read += count;
  }
  if (read < length || offset < 0)
    throw new MapReduceError("SEGMENT_CORRUPT", `segment file ${path}: it is cut short`);
  return bytes;
}
