// Owns the order of a map's records: by partition, then by key, then as they were emitted. LSD radix sort over the
// partition and the first eight key bytes (Knuth, vol. 3, 5.2.5), 16 bits a pass; what is still equal then is sorted by
// the rest of the keys. Nothing is moved but entry numbers.

import { compareBytes } from "../../shared/keys/order.ts";
import type { Arena } from "./arena.ts";
import {
  entryWidth,
  fieldLength,
  fieldOffset,
  fieldPartition,
  fieldPrefixHigh,
  fieldPrefixLow,
  type EntryList,
} from "./entries.ts";

const radix = 65536;

/** Entry numbers in the order in which records are to be written. */
export function sortEntries(entries: EntryList, arena: Arena, partitions: number): Uint32Array {
  const { fields, count } = entries;
  let order = new Uint32Array(count);
  for (let i = 0; i < count; i++) order[i] = i;
  if (count < 2) return order;
  let other = new Uint32Array(count);
  const counts = new Uint32Array(radix);
  const pass = (field: number, shift: number): void => {
    if (radixPass(fields, field, shift, order, other, counts)) [order, other] = [other, order];
  };
  pass(fieldPrefixLow, 0);
  pass(fieldPrefixLow, 16);
  pass(fieldPrefixHigh, 0);
  pass(fieldPrefixHigh, 16);
  pass(fieldPartition, 0);
  if (partitions > radix) pass(fieldPartition, 16);
  sortTies(entries, arena, order);
  return order;
}

/** One stable pass by 16 bits of a field; false where all are equal there, and nothing was moved. */
function radixPass(
  fields: Int32Array,
  field: number,
  shift: number,
  from: Uint32Array,
  to: Uint32Array,
  counts: Uint32Array,
): boolean {
  const count = from.length;
  counts.fill(0);
  for (let i = 0; i < count; i++) counts[(fields[i * entryWidth + field] >>> shift) & 0xffff]++;
  if (counts[(fields[field] >>> shift) & 0xffff] === count) return false;
  let sum = 0;
  for (let digit = 0; digit < radix; digit++) {
    const digitCount = counts[digit];
    counts[digit] = sum;
    sum += digitCount;
  }
  for (let i = 0; i < count; i++) {
    const entry = from[i];
    to[counts[(fields[entry * entryWidth + field] >>> shift) & 0xffff]++] = entry;
  }
  return true;
}

/** Sorts each run of entries that are equal so far by what follows their first eight bytes. */
function sortTies(entries: EntryList, arena: Arena, order: Uint32Array): void {
  const { fields } = entries;
  const { bytes } = arena;
  // The padding makes "ab" and "ab\0" alike in their first eight bytes: lengths decide, so compare from the start.
  const compare = (a: number, b: number): number => {
    const left = a * entryWidth;
    const right = b * entryWidth;
    const leftOffset = fields[left + fieldOffset];
    const rightOffset = fields[right + fieldOffset];
    const difference = compareBytes(
      bytes,
      leftOffset,
      leftOffset + fields[left + fieldLength],
      bytes,
      rightOffset,
      rightOffset + fields[right + fieldLength],
    );
    return difference !== 0 ? difference : a - b;
  };
  const count = order.length;
  for (let start = 0; start < count;) {
    const first = order[start] * entryWidth;
    let end = start + 1;
    while (end < count && isTie(fields, first, order[end] * entryWidth)) end++;
    if (end - start > 1) sortRun(order, start, end, compare);
    start = end;
  }
}

function isTie(fields: Int32Array, a: number, b: number): boolean {
  return (
    fields[a + fieldPrefixLow] === fields[b + fieldPrefixLow] &&
    fields[a + fieldPrefixHigh] === fields[b + fieldPrefixHigh] &&
    fields[a + fieldPartition] === fields[b + fieldPartition]
  );
}

function sortRun(
  order: Uint32Array,
  start: number,
  end: number,
  compare: (a: number, b: number) => number,
): void {
  if (end - start > 16) {
    // One key emitted many times is the usual long run, and in order already: the passes above are stable.
    let at = start + 1;
    while (at < end && compare(order[at - 1], order[at]) < 0) at++;
    if (at < end) order.subarray(start, end).sort(compare);
    return;
  }
  for (let i = start + 1; i < end; i++) {
    const entry = order[i];
    let at = i - 1;
    while (at >= start && compare(order[at], entry) > 0) {
      order[at + 1] = order[at];
      at--;
    }
    order[at + 1] = entry;
  }
}
