// Holds an execution's counters to their sums, their names and their bounds.

import { expect, test } from "vitest";
import { CounterSet } from "../../../src/worker/executor/counters.ts";

test("counts of one name add up, and a counter that was only named is there with 0", () => {
  const counters = new CounterSet();
  counters.counter("seen").add(2);
  counters.counter("seen").add(0.5);
  counters.counter("never");
  counters.add("mapreduce.map.input.records", 3);
  expect(counters.snapshot()).toEqual({ seen: 2.5, never: 0, "mapreduce.map.input.records": 3 });
});

test("a name of the engine's own is refused", () => {
  expect(() => new CounterSet().counter("mapreduce.map.input.records")).toThrow(/reserved/);
});

test.each([Number.NaN, Infinity, "1" as unknown as number])("adding %o is refused", (n) => {
  expect(() => new CounterSet().counter("seen").add(n)).toThrow(/expected a finite number/);
});

test("names without end are refused before a report can't carry them", () => {
  const counters = new CounterSet();
  expect(() => {
    for (let i = 0; ; i++) counters.counter(`word ${i}`);
  }).toThrow(RangeError);
  expect(JSON.stringify(counters.snapshot()).length).toBeLessThan(256 * 1024);
});
