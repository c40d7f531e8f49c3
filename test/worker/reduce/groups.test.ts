// Holds what user code sees of a group: its values, lazily, once, during its call alone.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Groups } from "../../../src/worker/reduce/groups.ts";
import { Merge } from "../../../src/worker/reduce/merge.ts";
import { writeSegment } from "../segments.ts";

let directory: string;
let merge: Merge;
let groups: Groups;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "groups-"));
  const first = writeSegment(join(directory, "0"), [
    ["a", 1],
    ["a", 2],
    ["c", 3],
  ]);
  const second = writeSegment(join(directory, "1"), [
    ["a", 4],
    ["b", [5]],
    ["c", 6],
  ]);
  merge = new Merge([first, second], 64, () => undefined);
  groups = new Groups(merge);
});
afterEach(() => {
  merge.close();
  rmSync(directory, { recursive: true });
});

test("groups come in key order, their values in the order of the segments", () => {
  const found: unknown[] = [];
  while (groups.next()) found.push([groups.decodeKey(), [...groups.values()], groups.records]);
  expect(found).toEqual([
    ["a", [1, 2, 4], 3],
    ["b", [[5]], 1],
    ["c", [3, 6], 2],
  ]);
  expect(groups.next()).toBe(false);
});

test("values that are not read are passed, and counted", () => {
  const found: unknown[] = [];
  while (groups.next()) {
    for (const value of groups.values()) {
      found.push(value);
      break;
    }
    groups.skip();
    found.push(groups.records);
  }
  expect(found).toEqual([1, 3, [5], 1, 3, 2]);
});

test("values read a second time are an error, not an empty list", () => {
  groups.next();
  const values = groups.values();
  expect([...values]).toEqual([1, 2, 4]);
  expect(() => [...values]).toThrow("values of a group: read a second time, expected once");
});

test("values kept beyond their call are an error, not those of the next group", () => {
  groups.next();
  const kept = groups.values();
  groups.skip();
  expect(() => [...kept]).toThrow("values of a group: read after its call, expected during it");
  groups.next();
  expect(() => (kept as IterableIterator<unknown>).next()).toThrow("read after its call");
  expect([...groups.values()]).toEqual([[5]]);
});
