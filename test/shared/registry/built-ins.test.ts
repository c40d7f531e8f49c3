// Holds the built-in reducers to what they give.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { ReduceContext } from "../../../src/shared/registry/functions.ts";
import { builtIns } from "../../../src/shared/registry/built-ins.ts";

function reduce(name: string, values: readonly unknown[]): unknown[] {
  const emitted: unknown[] = [];
  const fn = builtIns.find((each) => each.name === `mapreduce.${name}`)!.fn;
  const context = undefined as unknown as ReduceContext; // no built-in looks at it
  void fn("k", values, (key, value) => emitted.push([key, value]), context);
  return emitted;
}

describe("built-in reducers", () => {
  test("sum adds numbers up under the key it got", () => {
    expect(reduce("sum", [1, 2.5, -3])).toEqual([["k", 0.5]]);
  });

  test("sum refuses what is not a number, by its type", () => {
    expect(() => reduce("sum", [1, "2"])).toThrow(/a value of type string, expected a number/);
  });

  test("identity gives every value, in order", () => {
    expect(reduce("identity", [3, 1, 2])).toEqual([
      ["k", 3],
      ["k", 1],
      ["k", 2],
    ]);
  });

  test("min and max follow key order: numbers, strings by UTF-8, bytes, tuples", () => {
    const ascending = [
      Number.NEGATIVE_INFINITY,
      -1,
      0,
      2,
      "",
      "a",
      "b",
      "\uffff",
      "\u{10000}",
      new Uint8Array(),
      [],
      [1],
    ];
    fc.assert(
      fc.property(fc.shuffledSubarray(ascending, { minLength: 1 }), (values) => {
        const order = values.map((value) => ascending.indexOf(value));
        expect(reduce("min", values)).toEqual([["k", ascending[Math.min(...order)]]]);
        expect(reduce("max", values)).toEqual([["k", ascending[Math.max(...order)]]]);
      }),
    );
  });

  test("min and max refuse values that could not be keys", () => {
    expect(() => reduce("min", [1, Number.NaN])).toThrow(expect.objectContaining({ code: "KEY_INVALID" }));
    expect(() => reduce("max", [null])).toThrow(expect.objectContaining({ code: "KEY_INVALID" }));
  });
});
