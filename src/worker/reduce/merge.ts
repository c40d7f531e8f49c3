// Owns the merging of sorted segments into one sequence of records: a tree of losers (Knuth, vol. 3, 5.4.1) over the
// first eight bytes of each segment's present key. Records of equal keys come in the order of the segments.

import { compareBytes } from "../../shared/keys/order.ts";
import { SegmentReader, type Segment } from "./segment-reader.ts";

/** Greater than the first four bytes of any key, whose first byte is a tag: where an exhausted segment stands. */
const exhausted = 0x7fffffff;
const prefixBytes = 8;

/**
 * A cursor over the records of all segments. Besides the present record's place it says whether its key is new.
 * Reading may throw what SegmentReader throws. Close it.
 */
export class Merge {
  /** Stands at the present record: `reader.bytes`, `valueStart`, `valueEnd`. */
  reader: SegmentReader;
  /** Whether the present record has the key of the record before. */
  sameKey = false;
  /**
   * The present record's key, encoded: `keyLength` bytes from 0. It stays there while the next key is met, and may be
   * used until the one after.
   */
  key: Buffer = Buffer.allocUnsafeSlow(256);
  keyLength = 0;
  #otherKey: Buffer = Buffer.allocUnsafeSlow(256);
  readonly #readers: readonly SegmentReader[];
  /** First and second four bytes of each segment's present key, as integers that compare like them; its length. */
  readonly #high: Int32Array;
  readonly #low: Int32Array;
  readonly #length: Int32Array;
  /** At 1 to n-1 the loser of each match; the leaves, n to 2n-1, are not kept. */
  readonly #losers: Int32Array;
  #winner = 0;
  #begun = false;

  /**
   * Opens all segments and reads their first blocks.
   * @param segments at least one
   */
  constructor(segments: readonly Segment[], blockBytes: number, onRead: (bytes: number) => void) {
    const readers: SegmentReader[] = [];
    this.#readers = readers;
    this.#high = new Int32Array(segments.length);
    this.#low = new Int32Array(segments.length);
    this.#length = new Int32Array(segments.length);
    this.#losers = new Int32Array(segments.length);
    try {
      for (const segment of segments) {
        const reader = new SegmentReader(segment, blockBytes, onRead);
        readers.push(reader);
        this.#stand(readers.length - 1, reader.advance());
      }
    } catch (error) {
      this.close();
      throw error;
    }
    this.#winner = this.#playAll();
    this.reader = readers[this.#winner];
  }

  /** Goes on to the next record; false when all segments are at their end. */
  advance(): boolean {
    if (this.#begun) {
      const { reader } = this;
      const more = reader.advance();
      // It has won against all others with this key already.
      if (more && reader.repeated) {
        this.sameKey = true;
        return true;
      }
      this.#stand(this.#winner, more);
      this.#replay();
    } else this.#begun = true;
    const winner = this.#winner;
    if (this.#high[winner] === exhausted) return false;
    const reader = this.#readers[winner];
    this.reader = reader;
    this.sameKey = this.#isKey(reader);
    if (!this.sameKey) this.#keepKey(reader);
    return true;
  }

  /** Reads all segments to their ends for their checksums. @throws what SegmentReader.verify throws */
  verify(): void {
    for (const reader of this.#readers) reader.verify();
  }

  /** Closes all files. Twice is fine. */
  close(): void {
    for (const reader of this.#readers) reader.close();
  }

  /** Notes where a segment stands now. */
  #stand(source: number, more: boolean): void {
    if (!more) {
      this.#high[source] = exhausted;
      return;
    }
    const { bytes, keyStart, keyEnd } = this.#readers[source];
    const length = keyEnd - keyStart;
    let high: number;
    let low: number;
    if (length >= prefixBytes) {
      high =
        (bytes[keyStart] << 24) |
        (bytes[keyStart + 1] << 16) |
        (bytes[keyStart + 2] << 8) |
        bytes[keyStart + 3];
      low =
        (bytes[keyStart + 4] << 24) |
        (bytes[keyStart + 5] << 16) |
        (bytes[keyStart + 6] << 8) |
        bytes[keyStart + 7];
    } else {
      high = 0;
      low = 0;
      for (let i = 0; i < length; i++) {
        if (i < 4) high |= bytes[keyStart + i] << (24 - 8 * i);
        else low |= bytes[keyStart + i] << (56 - 8 * i);
      }
    }
    this.#high[source] = high;
    // The sign bit turned: signed integers then compare like unsigned bytes. The first byte is a tag, below 128.
    this.#low[source] = low ^ 0x80000000;
    this.#length[source] = length;
  }

  /** Plays all matches from the leaves up; gives the winner. */
  #playAll(): number {
    const count = this.#readers.length;
    const winners = new Int32Array(count * 2);
    for (let i = 0; i < count; i++) winners[count + i] = i;
    for (let node = count - 1; node > 0; node--) {
      const left = winners[node * 2];
      const right = winners[node * 2 + 1];
      const leftWins = this.#beats(left, right);
      winners[node] = leftWins ? left : right;
      this.#losers[node] = leftWins ? right : left;
    }
    return winners[1];
  }

  /** The last winner, which stands at another key now, plays the losers on its way up. */
  #replay(): void {
    const losers = this.#losers;
    const highs = this.#high;
    const lows = this.#low;
    let winner = this.#winner;
    let high = highs[winner];
    let low = lows[winner];
    for (let node = (winner + losers.length) >> 1; node > 0; node >>= 1) {
      const rival = losers[node];
      const rivalHigh = highs[rival];
      if (rivalHigh > high) continue;
      if (rivalHigh === high) {
        const rivalLow = lows[rival];
        if (rivalLow > low) continue;
        if (rivalLow === low && !this.#beatsTied(rival, winner)) continue;
      }
      losers[node] = winner;
      winner = rival;
      high = rivalHigh;
      low = lows[rival];
    }
    this.#winner = winner;
  }

  #beats(a: number, b: number): boolean {
    if (this.#high[a] !== this.#high[b]) return this.#high[a] < this.#high[b];
    if (this.#low[a] !== this.#low[b]) return this.#low[a] < this.#low[b];
    return this.#beatsTied(a, b);
  }

  /** Whether `a` goes before `b` where the first eight bytes, shorter keys padded with zeros, are equal. */
  #beatsTied(a: number, b: number): boolean {
    if (this.#high[a] === exhausted) return a < b;
    const aLength = this.#length[a];
    const bLength = this.#length[b];
    if (aLength <= prefixBytes || bLength <= prefixBytes) {
      return aLength === bLength ? a < b : aLength < bLength;
    }
    const aReader = this.#readers[a];
    const bReader = this.#readers[b];
    const difference = compareBytes(
      aReader.bytes,
      aReader.keyStart + prefixBytes,
      aReader.keyEnd,
      bReader.bytes,
      bReader.keyStart + prefixBytes,
      bReader.keyEnd,
    );
    return difference === 0 ? a < b : difference < 0;
  }

  #isKey(reader: SegmentReader): boolean {
    const { bytes, keyStart, keyEnd } = reader;
    const { key, keyLength } = this;
    if (keyEnd - keyStart !== keyLength) return false;
    // From the end: neighbours in a sorted sequence differ late.
    for (let i = keyLength - 1; i >= 0; i--) if (bytes[keyStart + i] !== key[i]) return false;
    return true;
  }

  #keepKey(reader: SegmentReader): void {
    const { bytes, keyStart, keyEnd } = reader;
    const length = keyEnd - keyStart;
    let key = this.#otherKey;
    if (key.length < length) key = Buffer.allocUnsafeSlow(length * 2);
    if (length > 48) bytes.copy(key, 0, keyStart, keyEnd);
    else for (let i = 0; i < length; i++) key[i] = bytes[keyStart + i];
    this.#otherKey = this.key;
    this.key = key;
    this.keyLength = length;
  }
}
