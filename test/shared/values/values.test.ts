// Holds the encoding of values to bringing back what went in, or refusing it by its path.

import { isDeepStrictEqual } from "node:util";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeValue, encodeValue } from "../../../src/shared/values/codec.ts";

const scalar = fc.oneof(
  fc.double(),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.bigInt(),
  fc.string({ unit: "grapheme" }).filter((each) => each.isWellFormed()),
  fc.boolean(),
  fc.constantFrom(null, undefined, Number.NaN, -0, Number.POSITIVE_INFINITY, 2 ** 32, 2 ** 32 - 1, 127, 128),
  fc.uint8Array(),
);
const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    scalar,
    fc.array(tie("value"), { maxLength: 4 }),
    fc.dictionary(
      fc.oneof(
        fc.constantFrom("__proto__", "constructor", ""),
        fc.string().filter((each) => each.isWellFormed()),
      ),
      tie("value"),
      { maxKeys: 4, noNullPrototype: true },
    ),
  ),
})).value;

describe("an encoded value", () => {
  test("comes back equal", () => {
    fc.assert(
      fc.property(value, (each) => {
        const bytes = encodeValue(each);
        const padded = Buffer.concat([Buffer.from([7]), bytes, Buffer.from([7])]);
        expect(isDeepStrictEqual(decodeValue(padded, 1, 1 + bytes.length), each)).toBe(true);
      }),
    );
  });

  test("brings a Buffer back as a Uint8Array that shares nothing", () => {
    const bytes = encodeValue(Buffer.from("abc"));
    const back = decodeValue(bytes, 0, bytes.length);
    expect(back).toStrictEqual(new Uint8Array([97, 98, 99]));
    bytes.fill(0);
    expect(back).toStrictEqual(new Uint8Array([97, 98, 99]));
  });

  test("is refused with its path for what would not come back equal", () => {
    class Point {
      readonly x = 1;
    }
    const cycle: unknown[] = [];
    cycle.push(cycle);
    for (const [bad, message] of [
      [() => 1, "value: found a function"],
      [{ a: [1, new Point()] }, "value.a[1]: found an instance of Point"],
      [new Map(), "value: found an instance of Map"],
      [Symbol("s"), "value: found a symbol"],
      [{ a: { b: "\udc00" } }, "value.a.b: a string with a lone surrogate"],
      [new Array(1), "value[0]: found a hole"],
      [cycle, "nested deeper than 256"],
    ] as const) {
      expect(() => encodeValue(bad)).toThrow(message);
    }
  });
});
