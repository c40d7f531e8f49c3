// Owns what a job must come to: the whole of MapReduce in memory, in order, on plain arrays. Slow and obvious on purpose;
// of the engine it takes only where a key goes (the hash is tested bit by bit elsewhere).

import { encodeKey } from "../../src/shared/keys/codec.ts";
import { hashKey, partitionOf } from "../../src/shared/keys/hash.ts";
import type { Emit, Key } from "../../src/shared/registry/functions.ts";

/** What a job computes, without a word of how. */
export interface Computation {
  readonly map: (line: string, emit: Emit<Key, unknown>, offset: number) => void;
  readonly reduce: (key: Key, values: Iterable<unknown>, emit: Emit<Key, unknown>) => void;
}

/** The text of every part file, by partition. Input is read file by file, line by line. */
export function referenceParts(
  computation: Computation,
  inputs: readonly string[],
  reduceTasks: number,
): string[] {
  const partitions = Array.from({ length: reduceTasks }, () => [] as { key: Key; value: unknown }[]);
  for (const input of inputs) {
    for (const { line, offset } of linesOf(input)) {
      computation.map(
        line,
        (key, value) => partitions[partitionFor(key, reduceTasks)].push({ key, value }),
        offset,
      );
    }
  }
  return partitions.map((records) => {
    let text = "";
    // The sort is stable: the values of a key stay in input order.
    records.sort((a, b) => compareKeys(a.key, b.key));
    for (let at = 0; at < records.length;) {
      const { key } = records[at];
      let end = at;
      while (end < records.length && compareKeys(records[end].key, key) === 0) end++;
      const values = records.slice(at, end).map(({ value }) => value);
      computation.reduce(key, values, (outKey, outValue) => (text += textRecord(outKey, outValue)));
      at = end;
    }
    return text;
  });
}

/** The lines of a text with the offsets of their first bytes: LF or CRLF ends a line, the last one may lack it. */
export function linesOf(text: string): { line: string; offset: number }[] {
  const lines: { line: string; offset: number }[] = [];
  let offset = 0;
  for (const [whole] of text.matchAll(/[^\n]*\n|[^\n]+$/g)) {
    lines.push({ line: whole.replace(/\r?\n$/, ""), offset });
    offset += Buffer.byteLength(whole);
  }
  return lines;
}

function partitionFor(key: Key, reduceTasks: number): number {
  const bytes = encodeKey(key);
  return partitionOf(hashKey(bytes, 0, bytes.length), reduceTasks);
}

/** Numbers before strings before bytes before tuples. */
const rank = (key: Key): number =>
  typeof key === "number" ? 0 : typeof key === "string" ? 1 : key instanceof Uint8Array ? 2 : 3;

function compareKeys(a: Key, b: Key): number {
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (typeof a === "number") return a < (b as number) ? -1 : a > (b as number) ? 1 : 0;
  if (typeof a === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b as string));
  if (a instanceof Uint8Array) return Buffer.compare(a, b as Uint8Array);
  const other = b as readonly Key[];
  for (let i = 0; i < Math.min(a.length, other.length); i++) {
    const order = compareKeys(a[i], other[i]);
    if (order !== 0) return order;
  }
  return a.length - other.length;
}

/** Key, TAB, value, LF; no TAB and no value where there is none. */
function textRecord(key: Key, value: unknown): string {
  return value === null || value === undefined ? `${plain(key)}\n` : `${plain(key)}\t${plain(value)}\n`;
}

function plain(value: unknown): string {
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "bigint") return String(value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("utf8");
  return JSON.stringify(value);
}
