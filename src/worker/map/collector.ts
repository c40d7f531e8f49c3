// Owns what happens to an emitted record until it is spilled: three collectors, one for each way of combining. Each keeps
// keys and values as bytes in an arena, and gives its records in order to a segment writer.

import { MapReduceError } from "../../shared/job/errors.ts";
import { decodeKey } from "../../shared/keys/codec.ts";
import { partitionOf } from "../../shared/keys/hash.ts";
import { compareBytes } from "../../shared/keys/order.ts";
import { decodeValue, valueTags } from "../../shared/values/codec.ts";
import type { SegmentWriter } from "../shuffle/segment-writer.ts";
import { Arena } from "./arena.ts";
import {
  EntryList,
  entryWidth,
  fieldFirst,
  fieldLength,
  fieldOffset,
  fieldPartition,
  fieldSecond,
  KeyTable,
} from "./entries.ts";
import { sortEntries } from "./sort.ts";

/** Chooses a key's partition: by its hash, or by the user's function of the key itself. */
export type ChoosePartition = (key: unknown, hash: number) => number;

/** The documented hash partitioning. */
export function hashPartition(reduceTasks: number): ChoosePartition {
  return (_key, hash) => partitionOf(hash, reduceTasks);
}

/** Holds emitted records until they are written out, in order, as segments of every partition. */
export interface Collector {
  /** Takes one record. @throws MapReduceError KEY_INVALID, VALUE_INVALID, PARTITION_INVALID */
  add(key: unknown, value: unknown): void;
  /** Bytes in use. */
  readonly usedBytes: number;
  /** How many records `write` would write now, before a user's combiner has seen them. */
  readonly count: number;
  /** Writes every partition's segment, ending each, and forgets all records; returns how many were written. */
  write(writer: SegmentWriter): number;
  /** Gives the memory back. The collector takes no record afterwards. */
  free(): void;
}

/** Ends segments until `partition` is the one being written. */
function advanceTo(writer: SegmentWriter, partition: number): void {
  while (writer.partition < partition) writer.endSegment();
}

/** No combiner: every record is kept, value behind key. */
export class PairCollector implements Collector {
  readonly #arena: Arena;
  readonly #entries = new EntryList();
  readonly #reduceTasks: number;
  readonly #choosePartition: ChoosePartition;

  constructor(maxKeyBytes: number, reduceTasks: number, choosePartition: ChoosePartition) {
    this.#arena = new Arena(maxKeyBytes);
    this.#reduceTasks = reduceTasks;
    this.#choosePartition = choosePartition;
  }

  get usedBytes(): number {
    return this.#arena.used + this.#entries.usedBytes;
  }

  get count(): number {
    return this.#entries.count;
  }

  add(key: unknown, value: unknown): void {
    const arena = this.#arena;
    arena.putKey(key);
    // The entry first: it reads the padding behind the key, where the value goes.
    const entry = this.#entries.add(arena, this.#choosePartition(key, arena.keyHash));
    const valueLength = arena.putValue(value, arena.used + arena.keyLength);
    this.#entries.fields[entry * entryWidth + fieldFirst] = valueLength;
    arena.used += arena.keyLength + valueLength;
  }

  free(): void {
    this.#arena.free();
  }

  write(writer: SegmentWriter): number {
    const { bytes } = this.#arena;
    const { fields, count } = this.#entries;
    const order = sortEntries(this.#entries, this.#arena, this.#reduceTasks);
    let previousStart = 0;
    let previousLength = 0;
    for (let i = 0; i < count; i++) {
      const at = order[i] * entryWidth;
      const start = fields[at + fieldOffset];
      const length = fields[at + fieldLength];
      if (fields[at + fieldPartition] !== writer.partition) {
        advanceTo(writer, fields[at + fieldPartition]);
        previousLength = 0;
      }
      const repeated =
        length === previousLength &&
        compareBytes(bytes, previousStart, previousStart + length, bytes, start, start + length) === 0;
      writer.append(bytes, start, repeated ? 0 : length, bytes, start + length, fields[at + fieldFirst]);
      previousStart = start;
      previousLength = length;
    }
    advanceTo(writer, this.#reduceTasks);
    this.#arena.clear();
    this.#entries.clear();
    return count;
  }
}

/** The built-in `sum`: one float64 for each key, added to in place. */
export class SumCollector implements Collector {
  readonly #arena: Arena;
  readonly #table: KeyTable;
  readonly #reduceTasks: number;
  readonly #choosePartition: ChoosePartition;

  constructor(maxKeyBytes: number, reduceTasks: number, choosePartition: ChoosePartition) {
    this.#arena = new Arena(maxKeyBytes);
    this.#table = new KeyTable(this.#arena);
    this.#reduceTasks = reduceTasks;
    this.#choosePartition = choosePartition;
  }

  get usedBytes(): number {
    return this.#arena.used + this.#table.usedBytes;
  }

  get count(): number {
    return this.#table.entries.count;
  }

  add(key: unknown, value: unknown): void {
    if (typeof value !== "number") {
      throw new MapReduceError(
        "VALUE_INVALID",
        `value: found a ${typeof value}, expected a number, since the combiner is sum`,
      );
    }
    const arena = this.#arena;
    arena.putKey(key);
    const entry = this.#table.find();
    if (entry >= 0) {
      this.#table.entries.floats[entry * 4 + 2] += value;
      return;
    }
    const added = this.#table.add(this.#choosePartition(key, arena.keyHash));
    this.#table.entries.floats[added * 4 + 2] = value;
    arena.used += arena.keyLength;
  }

  free(): void {
    this.#arena.free();
  }

  write(writer: SegmentWriter): number {
    const { bytes } = this.#arena;
    const { entries } = this.#table;
    const { fields, floats, count } = entries;
    const value = new Uint8Array(9);
    const order = sortEntries(entries, this.#arena, this.#reduceTasks);
    for (let i = 0; i < count; i++) {
      const entry = order[i];
      const at = entry * entryWidth;
      advanceTo(writer, fields[at + fieldPartition]);
      const valueLength = encodeNumber(floats[entry * 4 + 2], value);
      writer.append(bytes, fields[at + fieldOffset], fields[at + fieldLength], value, 0, valueLength);
    }
    advanceTo(writer, this.#reduceTasks);
    this.#arena.clear();
    this.#table.clear();
    return count;
  }
}

/** Writes a number as shared/values/codec.ts defines it; returns its length, 9 at most. */
export function encodeNumber(number: number, into: Uint8Array): number {
  if (number >= 0 && number <= 0xffffffff && Number.isInteger(number) && !Object.is(number, -0)) {
    into[0] = valueTags.uint;
    let at = 1;
    let rest = number;
    for (; rest > 127; rest = Math.floor(rest / 128)) into[at++] = (rest % 128) | 128;
    into[at++] = rest;
    return at;
  }
  into[0] = valueTags.float;
  new DataView(into.buffer, into.byteOffset).setFloat64(1, number, true);
  return 9;
}

/** Calls a user's combiner for one key; what it emits for that key goes to `emit`. */
export type CombineGroup = (
  key: unknown,
  values: Iterable<unknown>,
  emit: (key: unknown, value: unknown) => void,
) => void;

/** Bytes before each value in its chain: where the next one lies, and its length. */
const linkBytes = 8;

/** A user's combiner: the values of a key are chained in the arena, and combined when they are written. */
export class GroupCollector implements Collector {
  readonly #arena: Arena;
  readonly #table: KeyTable;
  readonly #emitted: Arena;
  readonly #reduceTasks: number;
  readonly #choosePartition: ChoosePartition;
  readonly #combine: CombineGroup;
  #count = 0;

  constructor(
    maxKeyBytes: number,
    reduceTasks: number,
    choosePartition: ChoosePartition,
    combine: CombineGroup,
  ) {
    this.#arena = new Arena(maxKeyBytes);
    this.#table = new KeyTable(this.#arena);
    this.#emitted = new Arena(maxKeyBytes);
    this.#reduceTasks = reduceTasks;
    this.#choosePartition = choosePartition;
    this.#combine = combine;
  }

  get usedBytes(): number {
    return this.#arena.used + this.#table.usedBytes;
  }

  get count(): number {
    return this.#count;
  }

  add(key: unknown, value: unknown): void {
    const arena = this.#arena;
    arena.putKey(key);
    let entry = this.#table.find();
    const isNew = entry < 0;
    if (isNew) {
      entry = this.#table.add(this.#choosePartition(key, arena.keyHash));
      arena.used += arena.keyLength;
    }
    const link = arena.used;
    arena.reserve(linkBytes);
    const valueLength = arena.putValue(value, link + linkBytes);
    arena.view.setInt32(link, 0);
    arena.view.setInt32(link + 4, valueLength);
    arena.used = link + linkBytes + valueLength;
    const fields = this.#table.entries.fields;
    const at = entry * entryWidth;
    if (isNew) fields[at + fieldFirst] = link;
    else arena.view.setInt32(fields[at + fieldSecond], link);
    fields[at + fieldSecond] = link;
    this.#count++;
  }

  free(): void {
    this.#arena.free();
  }

  write(writer: SegmentWriter): number {
    const { entries } = this.#table;
    const { fields, count } = entries;
    const order = sortEntries(entries, this.#arena, this.#reduceTasks);
    let written = 0;
    for (let i = 0; i < count; i++) {
      const at = order[i] * entryWidth;
      advanceTo(writer, fields[at + fieldPartition]);
      written += this.#combineGroup(at, writer);
    }
    advanceTo(writer, this.#reduceTasks);
    this.#arena.clear();
    this.#table.clear();
    this.#count = 0;
    return written;
  }

  #combineGroup(at: number, writer: SegmentWriter): number {
    const { bytes } = this.#arena;
    const fields = this.#table.entries.fields;
    const start = fields[at + fieldOffset];
    const length = fields[at + fieldLength];
    const emitted = this.#emitted;
    let written = 0;
    const emit = (key: unknown, value: unknown): void => {
      emitted.clear();
      emitted.putKey(key);
      if (compareBytes(emitted.bytes, 0, emitted.keyLength, bytes, start, start + length) !== 0) {
        throw new MapReduceError("KEY_INVALID", "key: a combiner emitted another key than that of its group");
      }
      const valueLength = emitted.putValue(value, emitted.keyLength);
      writer.append(bytes, start, written === 0 ? length : 0, emitted.bytes, emitted.keyLength, valueLength);
      written++;
    };
    this.#combine(decodeKey(bytes, start, start + length), this.#values(fields[at + fieldFirst]), emit);
    return written;
  }

  *#values(first: number): Generator {
    const { bytes, view } = this.#arena;
    for (let link = first; link !== 0; link = view.getInt32(link)) {
      yield decodeValue(bytes, link + linkBytes, link + linkBytes + view.getInt32(link + 4));
    }
  }
}
