// Owns the encoding of keys: comparing the bytes gives the order of the keys. Numbers by value, then strings by their
// UTF-8 bytes, then bytes, then tuples element by element, a prefix first. After the tuple layer of FoundationDB
// (design/tuple.md): a tag, then the element. What ends a key at top level is its length; inside a tuple, strings and
// bytes escape 00 as 00 FF and end with 00, and a tuple ends with 00, which is below every tag.

import { MapReduceError } from "../job/errors.ts";
import type { Key } from "../registry/functions.ts";

export const tagNumber = 0x01;
export const tagString = 0x02;
export const tagBytes = 0x03;
export const tagTuple = 0x04;

/** Nesting deeper than this is refused: it bounds the recursion. */
const maxDepth = 64;

const utf8Decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const scratch = new DataView(new ArrayBuffer(8));

/**
 * Encodes one key into fresh bytes.
 * @throws MapReduceError KEY_INVALID naming what was found
 */
export function encodeKey(key: Key): Uint8Array {
  if (typeof key === "string") {
    const bytes = Buffer.allocUnsafe(1 + Buffer.byteLength(key));
    bytes[0] = tagString;
    checkWellFormed(key, "key");
    bytes.write(key, 1, "utf8");
    return bytes;
  }
  if (typeof key === "number") {
    const bytes = new Uint8Array(9);
    writeNumberKey(key, bytes, 0);
    return bytes;
  }
  if (key instanceof Uint8Array) {
    const bytes = new Uint8Array(1 + key.length);
    bytes[0] = tagBytes;
    bytes.set(key, 1);
    return bytes;
  }
  const out: number[] = [];
  appendElement(key, out, "key", 0, "top");
  return Uint8Array.from(out);
}

/**
 * Writes a number key, tag and all, 9 bytes.
 * @throws MapReduceError KEY_INVALID for NaN
 */
export function writeNumberKey(key: number, into: Uint8Array, at: number): void {
  if (Number.isNaN(key)) throw invalid("key", key);
  // IEEE 754 bits sort like the numbers once a negative one is inverted and a positive one has its sign bit set.
  scratch.setFloat64(0, key === 0 ? 0 : key);
  const negative = scratch.getUint8(0) >= 0x80;
  into[at] = tagNumber;
  for (let i = 0; i < 8; i++) into[at + 1 + i] = scratch.getUint8(i) ^ (negative ? 0xff : i === 0 ? 0x80 : 0);
}

/** Throws KEY_INVALID or VALUE_INVALID where a string holds a lone surrogate, which UTF-8 can't carry. */
export function checkWellFormed(
  text: string,
  path: string,
  code: "KEY_INVALID" | "VALUE_INVALID" = "KEY_INVALID",
): void {
  if (!text.isWellFormed()) {
    throw new MapReduceError(
      code,
      `${path}: a string with a lone surrogate can't be encoded: ${JSON.stringify(text.slice(0, 40))}`,
    );
  }
}

/** Decodes bytes start..end (exclusive) of what encodeKey gave. Bytes are copied. */
export function decodeKey(bytes: Uint8Array, start: number, end: number): Key {
  switch (bytes[start]) {
    case tagNumber:
      return readNumber(bytes, start + 1);
    case tagString:
      return decodeText(bytes, start + 1, end);
    case tagBytes:
      return new Uint8Array(bytes.subarray(start + 1, end));
    case tagTuple:
      return readTuple(bytes, { at: start + 1 }, end);
    default:
      throw new MapReduceError("SEGMENT_CORRUPT", `key: tag ${bytes[start]} is unknown`);
  }
}

/** Decodes UTF-8 text; short ASCII, the common case, without a call into the decoder. */
export function decodeText(bytes: Uint8Array, start: number, end: number): string {
  if (end - start <= 24) {
    let text = "";
    let at = start;
    for (; at < end; at++) {
      const byte = bytes[at];
      if (byte > 127) break;
      text += String.fromCharCode(byte);
    }
    if (at === end) return text;
  }
  return utf8Decoder.decode(bytes.subarray(start, end));
}

function readNumber(bytes: Uint8Array, at: number): number {
  const positive = bytes[at] >= 0x80;
  for (let i = 0; i < 8; i++) scratch.setUint8(i, bytes[at + i] ^ (positive ? (i === 0 ? 0x80 : 0) : 0xff));
  return scratch.getFloat64(0);
}

function appendElement(
  key: unknown,
  out: number[],
  path: string,
  depth: number,
  place: "top" | "nested",
): void {
  if (typeof key === "number") {
    if (Number.isNaN(key)) throw invalid(path, key);
    const number = new Uint8Array(9);
    writeNumberKey(key, number, 0);
    for (const byte of number) out.push(byte);
  } else if (typeof key === "string") {
    checkWellFormed(key, path);
    out.push(tagString);
    appendEscaped(Buffer.from(key, "utf8"), out);
  } else if (key instanceof Uint8Array) {
    out.push(tagBytes);
    appendEscaped(key, out);
  } else if (Array.isArray(key)) {
    if (depth === maxDepth)
      throw new MapReduceError("KEY_INVALID", `${path}: nested deeper than ${maxDepth}`);
    out.push(tagTuple);
    for (let i = 0; i < key.length; i++) appendElement(key[i], out, `${path}[${i}]`, depth + 1, "nested");
    if (place === "nested") out.push(0);
  } else {
    throw invalid(path, key);
  }
}

function appendEscaped(bytes: Uint8Array, out: number[]): void {
  for (const byte of bytes) {
    out.push(byte);
    if (byte === 0) out.push(0xff);
  }
  out.push(0);
}

/** Reads elements up to the tuple's 00, or to the end of the bytes for the outermost tuple. */
function readTuple(bytes: Uint8Array, cursor: { at: number }, end: number): Key[] {
  const elements: Key[] = [];
  while (cursor.at < end) {
    const tag = bytes[cursor.at++];
    if (tag === 0) return elements;
    if (tag === tagNumber) {
      elements.push(readNumber(bytes, cursor.at));
      cursor.at += 8;
    } else if (tag === tagTuple) {
      elements.push(readTuple(bytes, cursor, end));
    } else {
      const element = readEscaped(bytes, cursor, end);
      elements.push(tag === tagString ? utf8Decoder.decode(element) : element);
    }
  }
  return elements;
}

function readEscaped(bytes: Uint8Array, cursor: { at: number }, end: number): Uint8Array {
  const out: number[] = [];
  while (cursor.at < end) {
    const byte = bytes[cursor.at++];
    if (byte === 0) {
      if (cursor.at >= end || bytes[cursor.at] !== 0xff) break;
      cursor.at++;
    }
    out.push(byte);
  }
  return Uint8Array.from(out);
}

function invalid(path: string, found: unknown): MapReduceError {
  const what =
    found === null
      ? "null"
      : Array.isArray(found)
        ? "an array"
        : typeof found === "object"
          ? "an object"
          : typeof found === "number"
            ? "NaN"
            : typeof found;
  return new MapReduceError(
    "KEY_INVALID",
    `${path}: found ${what}, expected a string, a number, bytes or a tuple of these`,
  );
}
