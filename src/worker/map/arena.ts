// Owns the bytes of emitted records: one growing block into which keys and values are encoded, one behind the other.
// No object, no closure and no promise per record.

import { MapReduceError } from "../../shared/job/errors.ts";
import { checkWellFormed, encodeKey, tagBytes, tagString, writeNumberKey } from "../../shared/keys/codec.ts";
import { finishHash, fnvOffset, fnvPrime, hashKey } from "../../shared/keys/hash.ts";
import type { Key } from "../../shared/registry/functions.ts";
import { ByteSink, valueTags, writeValue } from "../../shared/values/codec.ts";

const stringStart = Math.imul(fnvOffset ^ tagString, fnvPrime);
/** Zeroed behind every key, so that its first eight bytes can be read whatever its length. */
const padding = 8;
const firstBytes = 64 * 1024;

/** Places in an arena are 32-bit integers. Budgets are far below: only one enormous record can come to this. */
const maxBytes = 2 ** 31 - 1;

/** An arena holds less than 2 GiB. */
export class Arena {
  bytes: Buffer = Buffer.allocUnsafeSlow(firstBytes);
  view: DataView = new DataView(this.bytes.buffer);
  /** Where the next key goes. */
  used = 0;
  /** Hash and length of the key that `putKey` wrote at `used`, which belongs to nobody until `used` moves past it. */
  keyHash = 0;
  keyLength = 0;
  readonly #maxKeyBytes: number;
  readonly #sink = new ByteSink();

  constructor(maxKeyBytes: number) {
    this.#maxKeyBytes = maxKeyBytes;
  }

  /** Forgets everything; the memory stays. */
  clear(): void {
    this.used = 0;
  }

  /** Gives the memory back at once, where V8 would keep it until its own heap fills. The arena is of no use afterwards. */
  free(): void {
    // A Buffer of its own memory: allocUnsafeSlow takes none of a pool.
    (this.bytes.buffer as ArrayBuffer).transfer(0);
  }

  /**
   * Encodes a key at `used`, as shared/keys/codec.ts defines it, and hashes it.
   * @throws MapReduceError KEY_INVALID naming what was found
   */
  putKey(key: unknown): void {
    if (typeof key === "string") this.#putString(key);
    else if (key instanceof Uint8Array) this.#putBytes(key);
    else if (typeof key === "number") {
      this.reserve(9);
      writeNumberKey(key, this.bytes, this.used);
      this.#hashed(9);
    } else this.#putEncoded(encodeKey(key as Key));
    if (this.keyLength > this.#maxKeyBytes) {
      throw new MapReduceError(
        "KEY_INVALID",
        `key: found ${this.keyLength} bytes, at most ${this.#maxKeyBytes} expected (maxKeyBytes)`,
      );
    }
    const end = this.used + this.keyLength;
    this.view.setInt32(end, 0);
    this.view.setInt32(end + 4, 0);
  }

  /**
   * Encodes a value at `at`, as shared/values/codec.ts defines it, and returns its length.
   * @throws MapReduceError VALUE_INVALID naming the path and what was found
   */
  putValue(value: unknown, at: number): number {
    if (
      typeof value === "number" &&
      value >= 0 &&
      value < 128 &&
      (value | 0) === value &&
      !Object.is(value, -0)
    ) {
      this.#reserveTo(at + 2);
      this.bytes[at] = valueTags.uint;
      this.bytes[at + 1] = value;
      return 2;
    }
    const sink = this.#sink;
    sink.length = 0;
    writeValue(value, sink);
    this.#reserveTo(at + sink.length);
    this.bytes.set(sink.bytes.subarray(0, sink.length), at);
    return sink.length;
  }

  /** Makes room for `count` bytes and the padding behind `used`. */
  reserve(count: number): void {
    this.#reserveTo(this.used + count);
  }

  #reserveTo(end: number): void {
    if (end + padding <= this.bytes.length) return;
    if (end + padding > maxBytes) {
      throw new MapReduceError(
        "VALUE_INVALID",
        `record: ends ${end} bytes into its arena, expected less than ${maxBytes}`,
      );
    }
    const grown = Buffer.allocUnsafeSlow(Math.max(Math.min(this.bytes.length * 2, maxBytes), end + padding));
    grown.set(this.bytes);
    this.free();
    this.bytes = grown;
    this.view = new DataView(grown.buffer);
  }

  #putString(key: string): void {
    const length = key.length;
    this.reserve(1 + length);
    const bytes = this.bytes;
    let at = this.used;
    bytes[at++] = tagString;
    let hash = stringStart;
    for (let i = 0; i < length; i++) {
      const code = key.charCodeAt(i);
      if (code > 127) {
        this.#putUtf8(key);
        return;
      }
      bytes[at++] = code;
      hash = Math.imul(hash ^ code, fnvPrime);
    }
    this.keyHash = finishHash(hash);
    this.keyLength = length + 1;
  }

  #putUtf8(key: string): void {
    checkWellFormed(key, "key");
    this.reserve(1 + key.length * 3);
    const length = this.bytes.write(key, this.used + 1, "utf8");
    this.#hashed(1 + length);
  }

  #putBytes(key: Uint8Array): void {
    const length = key.length;
    this.reserve(1 + length);
    const bytes = this.bytes;
    const at = this.used + 1;
    bytes[at - 1] = tagBytes;
    let hash = Math.imul(fnvOffset ^ tagBytes, fnvPrime);
    for (let i = 0; i < length; i++) {
      const byte = key[i];
      bytes[at + i] = byte;
      hash = Math.imul(hash ^ byte, fnvPrime);
    }
    this.keyHash = finishHash(hash);
    this.keyLength = length + 1;
  }

  #putEncoded(encoded: Uint8Array): void {
    this.reserve(encoded.length);
    this.bytes.set(encoded, this.used);
    this.#hashed(encoded.length);
  }

  #hashed(length: number): void {
    this.keyLength = length;
    this.keyHash = hashKey(this.bytes, this.used, this.used + length);
  }
}
