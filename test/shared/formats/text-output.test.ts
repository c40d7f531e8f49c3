// Holds how records look as text.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { OutputBuffer } from "../../../src/shared/formats/output-buffer.ts";
import { TextOutput } from "../../../src/shared/formats/text-output.ts";
import type { RecordWriter } from "../../../src/shared/formats/record-writer.ts";
import { encodeKey } from "../../../src/shared/keys/codec.ts";
import type { Key } from "../../../src/shared/registry/functions.ts";
import { encodeValue } from "../../../src/shared/values/codec.ts";

function written(write: (records: RecordWriter) => void): string {
  const blocks: Buffer[] = [];
  const buffer = new OutputBuffer((bytes) => blocks.push(Buffer.from(bytes)));
  write(new TextOutput(buffer));
  buffer.flush();
  return Buffer.concat(blocks).toString("utf8");
}

/** The record as text, which must be the same however much of it is encoded already. */
function line(key: Key, value: unknown): string {
  const text = written((records) => records.write(key, value));
  const keyBytes = encodeKey(key);
  const valueBytes = Buffer.concat([Buffer.from("xy"), encodeValue(value), Buffer.from("z")]);
  expect(written((records) => records.writeWithKey(keyBytes, keyBytes.length, value))).toBe(text);
  const end = valueBytes.length - 1;
  expect(written((records) => records.writeEncoded(keyBytes, keyBytes.length, valueBytes, 2, end))).toBe(
    text,
  );
  return text;
}

describe("text", () => {
  test.each<[string, Key, unknown, string]>([
    ["a string and a count", "word", 12, "word\t12\n"],
    ["an empty key and value", "", "", "\t\n"],
    ["nothing for null", "word", null, "word\n"],
    ["nothing for undefined", "word", undefined, "word\n"],
    ["numbers as JavaScript has them", -1.5, Number.NaN, "-1.5\tNaN\n"],
    ["large numbers", 2147483648, 1e21, "2147483648\t1e+21\n"],
    ["bytes as they are", Buffer.from("é"), new Uint8Array([65, 66]), "é\tAB\n"],
    ["strings that are not ASCII", "größe", "日本", "größe\t日本\n"],
    ["bigints in digits", "n", -12345678901234567890n, "n\t-12345678901234567890\n"],
    ["booleans", "is", false, "is\tfalse\n"],
    ["tuples as JSON", ["a", 1, ["é"]], [1, "x"], '["a",1,["é"]]\t[1,"x"]\n'],
    ["objects as JSON, bigints in digits there too", "o", { a: 1, b: [2n] }, 'o\t{"a":1,"b":[2]}\n'],
    [
      "bytes within JSON as base64",
      [Buffer.from("hi")],
      { b: Buffer.from("hi") },
      '["aGk="]\t{"b":"aGk="}\n',
    ],
  ])("%s", (_, key, value, expected) => {
    expect(line(key, value)).toBe(expected);
  });

  test("any string and any integer come out as they are", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme", maxLength: 80 }), fc.integer(), (text, number) => {
        expect(line(text, number)).toBe(`${text}\t${number}\n`);
        expect(line(number, text)).toBe(`${number === 0 ? 0 : number}\t${text}\n`);
      }),
    );
  });

  test("a string larger than the buffer, among many small records", () => {
    const large = "é".repeat(1_500_000);
    const text = written((records) => {
      for (let i = 0; i < 100_000; i++) records.write("key", i);
      records.write("large", large);
      for (let i = 0; i < 100_000; i++) records.write("key", i);
    });
    const many = Array.from({ length: 100_000 }, (_, i) => `key\t${i}\n`).join("");
    expect(text === `${many}large\t${large}\n${many}`).toBe(true);
  });

  test.each<[string, unknown, unknown, string]>([
    ["a null key", null, 1, "KEY_INVALID"],
    ["a key that is NaN", Number.NaN, 1, "KEY_INVALID"],
    ["a key that is an object", {}, 1, "KEY_INVALID"],
    ["a key with a lone surrogate", "a\ud800", 1, "KEY_INVALID"],
    ["a long key with a lone surrogate", `${"a".repeat(100)}\ud800`, 1, "KEY_INVALID"],
    ["a value with a lone surrogate", "a", "\udc00", "VALUE_INVALID"],
    ["a function", "a", () => 1, "VALUE_INVALID"],
    ["a class instance within a value", "a", { when: new Date(0) }, "VALUE_INVALID"],
    ["a symbol", "a", Symbol("s"), "VALUE_INVALID"],
  ])("%s is refused", (_, key, value, code) => {
    expect(() => written((records) => records.write(key, value))).toThrow(expect.objectContaining({ code }));
  });
});
