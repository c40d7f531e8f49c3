// Owns the index over an arena: one entry of 32 bytes for each record, or for each key where records are combined, in a
// typed array; and the open-addressing table that finds a key's entry. Entries keep the first eight bytes of their key,
// so that most comparisons, in the table and in the sort, never touch the arena.

import type { Arena } from "./arena.ts";

/** 32-bit integers per entry. */
export const entryWidth = 8;

// Fields of an entry. `first` and `second` belong to whoever owns the values: a length, a chain, or a float64.
export const fieldOffset = 0;
export const fieldLength = 1;
export const fieldPartition = 2;
export const fieldHash = 3;
export const fieldFirst = 4;
export const fieldSecond = 5;
export const fieldPrefixHigh = 6;
export const fieldPrefixLow = 7;

const firstEntries = 4096;

/** A growing list of entries, in the order in which they were added. */
export class EntryList {
  fields: Int32Array = new Int32Array(firstEntries * entryWidth);
  /** The same memory: `floats[entry * 4 + 2]` is the float64 in `first` and `second`. */
  floats: Float64Array = new Float64Array(this.fields.buffer);
  count = 0;

  /** Bytes in use, for budgets. */
  get usedBytes(): number {
    return this.count * entryWidth * 4;
  }

  clear(): void {
    this.count = 0;
  }

  /** Adds an entry for the key that lies at the arena's `used`; returns its number. Its first two value fields are 0. */
  add(arena: Arena, partition: number): number {
    const entry = this.count++;
    if (this.count * entryWidth > this.fields.length) this.#grow();
    const fields = this.fields;
    const at = entry * entryWidth;
    fields[at + fieldOffset] = arena.used;
    fields[at + fieldLength] = arena.keyLength;
    fields[at + fieldPartition] = partition;
    fields[at + fieldHash] = arena.keyHash;
    fields[at + fieldFirst] = 0;
    fields[at + fieldSecond] = 0;
    fields[at + fieldPrefixHigh] = arena.view.getInt32(arena.used);
    fields[at + fieldPrefixLow] = arena.view.getInt32(arena.used + 4);
    return entry;
  }

  #grow(): void {
    const grown = new Int32Array(this.fields.length * 2);
    grown.set(this.fields);
    this.fields = grown;
    this.floats = new Float64Array(grown.buffer);
  }
}

/** Finds the entry of a key. Open addressing with linear probing (Knuth, vol. 3, 6.4, algorithm L), at most half full. */
export class KeyTable {
  readonly entries: EntryList = new EntryList();
  readonly #arena: Arena;
  /** Pairs: hash, entry + 1; the second is 0 where nothing is. */
  #slots: Int32Array = new Int32Array(firstEntries * 4);
  #mask = firstEntries * 2 - 1;

  constructor(arena: Arena) {
    this.#arena = arena;
  }

  /** Bytes in use, for budgets: each entry has two slots, since the table is half full at most. */
  get usedBytes(): number {
    return this.entries.usedBytes + this.entries.count * 16;
  }

  clear(): void {
    this.entries.clear();
    this.#slots.fill(0);
  }

  /** The entry of the key that lies at the arena's `used`, or -1. */
  find(): number {
    const hash = this.#arena.keyHash;
    const slots = this.#slots;
    const mask = this.#mask;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const entry = slots[slot * 2 + 1];
      if (entry === 0) return -1;
      if (slots[slot * 2] === hash && this.#isKeyOf(entry - 1)) return entry - 1;
    }
  }

  /** Adds an entry for that key, which must not have one. */
  add(partition: number): number {
    const entry = this.entries.add(this.#arena, partition);
    if (this.entries.count * 2 > this.#mask) this.#rehash();
    else this.#place(this.#arena.keyHash, entry);
    return entry;
  }

  #place(hash: number, entry: number): void {
    let slot = hash & this.#mask;
    while (this.#slots[slot * 2 + 1] !== 0) slot = (slot + 1) & this.#mask;
    this.#slots[slot * 2] = hash;
    this.#slots[slot * 2 + 1] = entry + 1;
  }

  #rehash(): void {
    this.#mask = this.#mask * 2 + 1;
    this.#slots = new Int32Array((this.#mask + 1) * 2);
    const fields = this.entries.fields;
    for (let entry = 0; entry < this.entries.count; entry++) {
      this.#place(fields[entry * entryWidth + fieldHash], entry);
    }
  }

  #isKeyOf(entry: number): boolean {
    const arena = this.#arena;
    const fields = this.entries.fields;
    const at = entry * entryWidth;
    const length = arena.keyLength;
    const view = arena.view;
    if (
      fields[at + fieldLength] !== length ||
      fields[at + fieldPrefixHigh] !== view.getInt32(arena.used) ||
      fields[at + fieldPrefixLow] !== view.getInt32(arena.used + 4)
    ) {
      return false;
    }
    const bytes = arena.bytes;
    const mine = arena.used;
    const other = fields[at + fieldOffset];
    for (let i = 8; i < length; i++) if (bytes[mine + i] !== bytes[other + i]) return false;
    return true;
  }
}
