// Holds the encoding of keys to their order and the hash to its documentation, over random keys.

import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeKey, encodeKey } from "../../../src/shared/keys/codec.ts";
import { hashKey, partitionOf } from "../../../src/shared/keys/hash.ts";
import { compareBytes } from "../../../src/shared/keys/order.ts";
import type { Key } from "../../../src/shared/registry/functions.ts";

const text = fc.string({ unit: "grapheme" }).filter((each) => each.isWellFormed());
const scalar = fc.oneof(
  text,
  fc.double({ noNaN: true }),
  fc.integer(),
  fc.uint8Array({ maxLength: 12 }),
  fc.constantFrom("", "a\0", "a\0b", "\0", "\u{10000}", "\uffff"),
);
const key: fc.Arbitrary<Key> = fc.letrec<{ key: Key }>((tie) => ({
  key: fc.oneof({ depthSize: "small" }, scalar, fc.array(tie("key"), { maxLength: 4 })),
})).key;

/** The order of DESIGN section 3, said once more, the slow way. */
function compareKeys(a: Key, b: Key): number {
  const kind = (each: Key): number =>
    typeof each === "number" ? 0 : typeof each === "string" ? 1 : each instanceof Uint8Array ? 2 : 3;
  if (kind(a) !== kind(b)) return kind(a) - kind(b);
  if (typeof a === "number" && typeof b === "number") return a === b ? 0 : a < b ? -1 : 1;
  if (typeof a === "string" && typeof b === "string") return Buffer.compare(Buffer.from(a), Buffer.from(b));
  if (a instanceof Uint8Array && b instanceof Uint8Array) return Buffer.compare(a, b);
  const left = a as readonly Key[];
  const right = b as readonly Key[];
  for (let i = 0; i < Math.min(left.length, right.length); i++) {
    const difference = compareKeys(left[i], right[i]);
    if (difference !== 0) return difference;
  }
  return left.length - right.length;
}

describe("an encoded key", () => {
  test("decodes to the key, bytes as bytes, -0 as 0", () => {
    fc.assert(
      fc.property(key, (each) => {
        const bytes = encodeKey(each);
        const padded = Buffer.concat([Buffer.from([9, 9]), bytes, Buffer.from([0xff, 0])]);
        const positive = JSON.parse(JSON.stringify([0])) as Key;
        const expected = Object.is(each, -0) ? (positive as readonly Key[])[0] : each;
        expect(compareKeys(decodeKey(padded, 2, 2 + bytes.length), expected)).toBe(0);
      }),
    );
    expect(Object.is(decodeKey(encodeKey(-0), 0, 9), 0)).toBe(true);
    expect(
      decodeKey(
        encodeKey(["a", [1, []], new Uint8Array([0, 1])]),
        0,
        encodeKey(["a", [1, []], new Uint8Array([0, 1])]).length,
      ),
    ).toEqual(["a", [1, []], new Uint8Array([0, 1])]);
  });

  test("compares as bytes like the keys compare by value", () => {
    fc.assert(
      fc.property(key, key, (a, b) => {
        const left = encodeKey(a);
        const right = encodeKey(b);
        expect(Math.sign(compareBytes(left, 0, left.length, right, 0, right.length))).toBe(
          Math.sign(compareKeys(a, b)),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  test("is refused with its path for what is not a key", () => {
    for (const [bad, message] of [
      [Number.NaN, "key: found NaN"],
      [null, "key: found null"],
      [undefined, "key: found undefined"],
      [{}, "key: found an object"],
      ["\ud800", "lone surrogate"],
      [["a", [Number.NaN]], "key[1][0]: found NaN"],
      [[true], "key[0]: found boolean"],
    ] as const) {
      expect(() => encodeKey(bad as unknown as Key)).toThrow(message);
    }
  });
});

describe("the hash of a key", () => {
  test("is what the documentation says, bit by bit", () => {
    const hashes = ["", "a", "word", 0, 1, -1.5, new Uint8Array([1, 2]), ["a", 1]].map((each) => {
      const bytes = encodeKey(each);
      return hashKey(bytes, 0, bytes.length) >>> 0;
    });
    expect(hashes).toMatchInlineSnapshot(`
      [
        3689677661,
        534878030,
        1034786854,
        2690895299,
        1186919400,
        2047366909,
        1990218180,
        755295049,
      ]
    `);
  });

  test("spreads similar keys evenly over partitions", () => {
    const counts = new Array<number>(7).fill(0);
    for (let i = 0; i < 70_000; i++) {
      const bytes = encodeKey(`user-${i}`);
      counts[partitionOf(hashKey(bytes, 0, bytes.length), 7)]++;
    }
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });
});
