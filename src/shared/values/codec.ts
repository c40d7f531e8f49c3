// Owns the encoding of values: any number (NaN, -0 and infinities exact), bigint, string, boolean, null, undefined,
// Uint8Array, arrays and plain objects of these. What would not come back equal is refused with its path.
//
//   tag, then: uint varint | float64 LE | varint byte length and bytes | varint count and elements |
//   varint count and (varint length, name, value) each. Varints are LEB128, unsigned.

import { MapReduceError } from "../job/errors.ts";
import { checkWellFormed, decodeText } from "../keys/codec.ts";

export const valueTags = {
  undefined: 0,
  null: 1,
  false: 2,
  true: 3,
  uint: 4,
  float: 5,
  bigint: 6,
  negativeBigint: 7,
  string: 8,
  bytes: 9,
  array: 10,
  object: 11,
} as const;

/** Nesting deeper than this is refused: it bounds the recursion, and finds cycles. */
const maxDepth = 256;

/** Bytes that grow: where values are encoded, one behind the other. */
export class ByteSink {
  bytes: Buffer = Buffer.allocUnsafeSlow(256);
  length = 0;

  /** Makes room for `count` more bytes. */
  reserve(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const grown = Buffer.allocUnsafeSlow(Math.max(this.bytes.length * 2, this.length + count));
    this.bytes.copy(grown, 0, 0, this.length);
    this.bytes = grown;
  }

  varint(value: number): void {
    this.reserve(8);
    let rest = value;
    while (rest > 127) {
      this.bytes[this.length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.length++] = rest;
  }

  text(text: string): void {
    const length = Buffer.byteLength(text);
    this.varint(length);
    this.reserve(length);
    this.length += this.bytes.write(text, this.length, "utf8");
  }

  tag(tag: number): void {
    this.reserve(1);
    this.bytes[this.length++] = tag;
  }
}

/**
 * Encodes one value into fresh bytes.
 * @throws MapReduceError VALUE_INVALID naming the path and what was found
 */
export function encodeValue(value: unknown): Uint8Array {
  const sink = new ByteSink();
  writeValue(value, sink);
  return sink.bytes.subarray(0, sink.length);
}

/** Appends an encoded value to `sink`; throws as encodeValue does. */
export function writeValue(value: unknown, sink: ByteSink, path = "value", depth = 0): void {
  switch (typeof value) {
    case "number":
      writeNumber(value, sink);
      return;
    case "string":
      checkWellFormed(value, path, "VALUE_INVALID");
      sink.tag(valueTags.string);
      sink.text(value);
      return;
    case "boolean":
      sink.tag(value ? valueTags.true : valueTags.false);
      return;
    case "undefined":
      sink.tag(valueTags.undefined);
      return;
    case "bigint":
      writeBigint(value, sink);
      return;
    case "object":
      writeObject(value, sink, path, depth);
      return;
    default:
      throw invalid(path, `a ${typeof value}`);
  }
}

function writeNumber(value: number, sink: ByteSink): void {
  if (value >= 0 && value <= 0xffffffff && Number.isInteger(value) && !Object.is(value, -0)) {
    sink.tag(valueTags.uint);
    sink.varint(value);
    return;
  }
  sink.tag(valueTags.float);
  sink.reserve(8);
  sink.length = sink.bytes.writeDoubleLE(value, sink.length);
}

function writeBigint(value: bigint, sink: ByteSink): void {
  const digits = (value < 0n ? -value : value).toString(16);
  const magnitude = Buffer.from(digits.length % 2 === 0 ? digits : `0${digits}`, "hex");
  sink.tag(value < 0n ? valueTags.negativeBigint : valueTags.bigint);
  sink.varint(magnitude.length);
  sink.reserve(magnitude.length);
  sink.length += magnitude.copy(sink.bytes, sink.length);
}

function writeObject(value: object | null, sink: ByteSink, path: string, depth: number): void {
  if (value === null) {
    sink.tag(valueTags.null);
    return;
  }
  if (depth === maxDepth)
    throw new MapReduceError("VALUE_INVALID", `${path}: nested deeper than ${maxDepth}`);
  if (value instanceof Uint8Array) {
    sink.tag(valueTags.bytes);
    sink.varint(value.length);
    sink.reserve(value.length);
    sink.bytes.set(value, sink.length);
    sink.length += value.length;
    return;
  }
  if (Array.isArray(value)) {
    sink.tag(valueTags.array);
    sink.varint(value.length);
    for (let i = 0; i < value.length; i++) {
      if (!(i in value)) throw invalid(`${path}[${i}]`, "a hole");
      writeValue(value[i], sink, `${path}[${i}]`, depth + 1);
    }
    return;
  }
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) {
    throw invalid(path, `an instance of ${value.constructor.name}`);
  }
  if (Object.getOwnPropertySymbols(value).length > 0) throw invalid(path, "an object with symbol properties");
  const names = Object.keys(value);
  sink.tag(valueTags.object);
  sink.varint(names.length);
  for (const name of names) {
    checkWellFormed(name, `${path}: property name`, "VALUE_INVALID");
    sink.text(name);
    writeValue((value as Record<string, unknown>)[name], sink, `${path}.${name}`, depth + 1);
  }
}

function invalid(path: string, found: string): MapReduceError {
  return new MapReduceError(
    "VALUE_INVALID",
    `${path}: found ${found}, expected a number, bigint, string, boolean, null, undefined, bytes, or an array or plain object of these`,
  );
}

/** Decodes bytes start..end (exclusive) of what encodeValue gave. */
export function decodeValue(bytes: Uint8Array, start: number, end: number): unknown {
  const tag = bytes[start];
  if (tag === valueTags.uint && end === start + 2) return bytes[start + 1];
  return new ValueReader(bytes, start, end).read();
}

class ValueReader {
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;

  constructor(bytes: Uint8Array, start: number, end: number) {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  read(): unknown {
    const tag = this.#bytes[this.#at++];
    switch (tag) {
      case valueTags.undefined:
        return undefined;
      case valueTags.null:
        return null;
      case valueTags.false:
        return false;
      case valueTags.true:
        return true;
      case valueTags.uint:
        return this.#varint();
      case valueTags.float: {
        const at = this.#take(8);
        return new DataView(this.#bytes.buffer, this.#bytes.byteOffset + at, 8).getFloat64(0, true);
      }
      case valueTags.bigint:
        return this.#magnitude();
      case valueTags.negativeBigint:
        return -this.#magnitude();
      case valueTags.string:
        return this.#text();
      case valueTags.bytes: {
        const length = this.#varint();
        const at = this.#take(length);
        return new Uint8Array(this.#bytes.subarray(at, at + length));
      }
      case valueTags.array:
        return Array.from({ length: this.#varint() }, () => this.read());
      case valueTags.object:
        return this.#object();
      default:
        throw new MapReduceError("SEGMENT_CORRUPT", `value: tag ${tag} is unknown`);
    }
  }

  #object(): object {
    const object: Record<string, unknown> = {};
    for (let left = this.#varint(); left > 0; left--) {
      const name = this.#text();
      const value = this.read();
      // "__proto__" as an own property: assignment would set the prototype.
      if (name === "__proto__")
        Object.defineProperty(object, name, { value, enumerable: true, writable: true, configurable: true });
      else object[name] = value;
    }
    return object;
  }

  #text(): string {
    const length = this.#varint();
    const at = this.#take(length);
    return decodeText(this.#bytes, at, at + length);
  }

  #magnitude(): bigint {
    const length = this.#varint();
    const at = this.#take(length);
    return BigInt(`0x${Buffer.from(this.#bytes.subarray(at, at + length)).toString("hex")}`);
  }

  #varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#bytes[this.#take(1)];
      value += (byte & 127) * scale;
      if (byte < 128) return value;
      scale *= 128;
    }
  }

  #take(count: number): number {
    const at = this.#at;
    this.#at += count;
    if (this.#at > this.#end) throw new MapReduceError("SEGMENT_CORRUPT", "value: it is cut short");
    return at;
  }
}
