// Owns the encoding of keys: comparing the bytes gives the order of the keys. Numbers by value, then strings by their
// UTF-8 bytes, then bytes, then tuples element by element, a prefix first. After the tuple layer of FoundationDB
// (design/tuple.md): a tag, then the element; inside a tuple, strings and bytes escape 0x00 as 00 FF and end with 00.

import type { Key } from "../registry/functions.ts";

export const tagNumber = 0x01;
export const tagString = 0x02;
export const tagBytes = 0x03;
export const tagTuple = 0x04;

/**
 * Encodes one key into fresh bytes. The hot path has its own writer (worker/map/arena.ts); this one defines the format.
 * @throws MapReduceError KEY_INVALID naming what was found
 */
export declare function encodeKey(key: Key): Uint8Array;
/** Decodes bytes start..end (exclusive) of what encodeKey gave. */
export declare function decodeKey(bytes: Uint8Array, start: number, end: number): Key;
