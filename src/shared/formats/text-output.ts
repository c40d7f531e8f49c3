// Owns the output format "text": key, TAB, value, LF; no TAB and no value where the value is null or undefined. Strings,
// numbers and bytes stand as they are, bigints in digits, everything else as JSON. In JSON, bigints are digits too, bytes
// are base64, and what JSON does not know is as JSON.stringify has it: NaN is null, an undefined property is left out.

import { MapReduceError } from "../job/errors.ts";
import { checkWellFormed, decodeKey, encodeKey, tagBytes, tagString } from "../keys/codec.ts";
import type { Key } from "../registry/functions.ts";
import { ByteSink, decodeValue, valueTags, writeValue } from "../values/codec.ts";
import type { OutputBuffer } from "./output-buffer.ts";
import type { RecordWriter } from "./record-writer.ts";

const tab = 9;
const lineFeed = 10;
const zero = 48;
/** A longer string is written faster by one call into the runtime than character by character. */
const longText = 48;

/** Known to Node 24, not to the compiler's library yet. */
const { rawJSON: rawJson } = JSON as unknown as { rawJSON(this: void, text: string): unknown };

/** Writes records as text. */
export class TextOutput implements RecordWriter {
  readonly #buffer: OutputBuffer;
  readonly #sink = new ByteSink();

  constructor(buffer: OutputBuffer) {
    this.#buffer = buffer;
  }

  write(key: unknown, value: unknown): void {
    if (typeof key === "string") this.#text(key, "key");
    else this.#key(key);
    this.#endWith(value);
  }

  writeWithKey(key: Uint8Array, keyLength: number, value: unknown): void {
    this.#encodedKey(key, keyLength);
    this.#endWith(value);
  }

  writeEncoded(
    key: Uint8Array,
    keyLength: number,
    values: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void {
    const tag = values[valueStart];
    if (tag !== valueTags.string && tag !== valueTags.bytes) {
      this.writeWithKey(key, keyLength, decodeValue(values, valueStart, valueEnd));
      return;
    }
    this.#encodedKey(key, keyLength);
    this.#byte(tab);
    // Tag and length stand before the bytes, which go to the value's end.
    let start = valueStart + 1;
    while (values[start] > 127) start++;
    this.#bytes(values, start + 1, valueEnd);
    this.#byte(lineFeed);
  }

  #encodedKey(key: Uint8Array, keyLength: number): void {
    if (key[0] === tagString || key[0] === tagBytes) this.#bytes(key, 1, keyLength);
    else this.#key(decodeKey(key, 0, keyLength));
  }

  #key(key: unknown): void {
    if (typeof key === "number" && !Number.isNaN(key)) this.#number(key);
    else if (key instanceof Uint8Array) this.#bytes(key, 0, key.length);
    else {
      // It throws for what is no key.
      encodeKey(key as Key);
      this.#json(key);
    }
  }

  #endWith(value: unknown): void {
    if (value !== undefined && value !== null) {
      this.#byte(tab);
      this.#value(value);
    }
    this.#byte(lineFeed);
  }

  #value(value: unknown): void {
    if (typeof value === "number") this.#number(value);
    else if (typeof value === "string") this.#text(value, "value");
    else if (typeof value === "bigint") this.#latin1(value.toString());
    else if (value instanceof Uint8Array) this.#bytes(value, 0, value.length);
    else {
      // What is no value is refused, with its path, by the codec that every other value passes.
      this.#sink.length = 0;
      writeValue(value, this.#sink);
      this.#json(value);
    }
  }

  #byte(byte: number): void {
    const buffer = this.#buffer;
    buffer.reserve(1);
    buffer.bytes[buffer.used++] = byte;
  }

  #bytes(from: Uint8Array, start: number, end: number): void {
    const buffer = this.#buffer;
    const length = end - start;
    buffer.reserve(length);
    const { bytes, used } = buffer;
    if (length > longText) bytes.set(from.subarray(start, end), used);
    else for (let i = 0; i < length; i++) bytes[used + i] = from[start + i];
    buffer.used = used + length;
  }

  #text(text: string, what: "key" | "value"): void {
    const buffer = this.#buffer;
    const { length } = text;
    // One unit of UTF-16 is at most three bytes of UTF-8.
    buffer.reserve(length * 3);
    const { bytes, used } = buffer;
    if (length <= longText) {
      let i = 0;
      for (; i < length; i++) {
        const code = text.charCodeAt(i);
        if (code > 127) break;
        bytes[used + i] = code;
      }
      if (i === length) {
        buffer.used = used + length;
        return;
      }
    }
    checkWellFormed(text, what, what === "key" ? "KEY_INVALID" : "VALUE_INVALID");
    buffer.used = used + bytes.write(text, used, "utf8");
  }

  #number(number: number): void {
    if (number < 0 || number > 0x7fffffff || (number | 0) !== number) {
      this.#latin1(String(number));
      return;
    }
    const buffer = this.#buffer;
    buffer.reserve(10);
    const { bytes } = buffer;
    let digits = 1;
    for (let limit = 10; number >= limit && digits < 10; limit *= 10) digits++;
    let rest = number | 0;
    for (let at = buffer.used + digits - 1; at >= buffer.used; at--) {
      const next = (rest / 10) | 0;
      bytes[at] = zero + rest - next * 10;
      rest = next;
    }
    buffer.used += digits;
  }

  #latin1(text: string): void {
    const buffer = this.#buffer;
    buffer.reserve(text.length);
    buffer.used += buffer.bytes.write(text, buffer.used, "latin1");
  }

  #json(value: unknown): void {
    const text: string | undefined = JSON.stringify(value, replaceForJson);
    if (text === undefined) throw new MapReduceError("VALUE_INVALID", "value: can't be written as JSON");
    const buffer = this.#buffer;
    buffer.reserve(text.length * 3);
    buffer.used += buffer.bytes.write(text, buffer.used, "utf8");
  }
}

/** `this` holds the property: a Buffer would come as what its toJSON gives. */
function replaceForJson(this: unknown, name: string, value: unknown): unknown {
  const own = (this as Record<string, unknown>)[name];
  if (own instanceof Uint8Array)
    return Buffer.from(own.buffer, own.byteOffset, own.length).toString("base64");
  return typeof value === "bigint" ? rawJson(value.toString()) : value;
}
