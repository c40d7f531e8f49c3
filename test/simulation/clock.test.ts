// Holds virtual time to its order, and chance to its seed.

import * as fc from "fast-check";
import { expect, test } from "vitest";
import { Clock } from "../../src/simulation/clock.ts";
import { Random } from "../../src/simulation/random.ts";

test("things happen in the order of their time, those of one time in the order in which they were asked for", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(20)), (times) => {
      const clock = new Clock();
      const happened: [number, number][] = [];
      times.forEach((ms, order) => clock.after(ms, () => happened.push([clock.nowMs, order])));
      expect(clock.run(Infinity, () => false)).toBe(false);
      expect(happened).toEqual(
        times.map((ms, order): [number, number] => [ms, order]).sort(([a, i], [b, j]) => a - b || i - j),
      );
    }),
  );
});

test("time stops when it is over, and before what comes too late", () => {
  const clock = new Clock();
  let happened = 0;
  const again = (): void => {
    happened++;
    clock.after(10, again);
  };
  again();
  expect(clock.run(35, () => false)).toBe(false);
  expect([happened, clock.nowMs]).toEqual([4, 30]);
  expect(clock.run(1_000, () => happened === 6)).toBe(true);
  expect(clock.nowMs).toBe(50);
});

test("a seed says every number that follows, and numbers keep to their bounds", () => {
  const draw = (seed: number): number[] => {
    const random = new Random(seed);
    return Array.from({ length: 1_000 }, () => random.integer(3, 6));
  };
  expect(draw(7)).toEqual(draw(7));
  expect(draw(7)).not.toEqual(draw(8));
  expect(new Set(draw(7))).toEqual(new Set([3, 4, 5, 6]));
});
