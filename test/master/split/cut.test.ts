// Owns the promises of cutting splits: every byte once, in input order, within the bounds that were asked for.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cutSplits, defaultSplitSize, maxMapTasks, type ListedFile } from "../../../src/master/split/cut.ts";

const MiB = 1024 * 1024;
const files = fc
  .array(fc.tuple(fc.nat(3), fc.nat(5000)), { maxLength: 40 })
  .map((sizes) =>
    sizes
      .sort(([a], [b]) => a - b)
      .map(([input, size], index): ListedFile => ({ input, url: `file:///in/${index}`, size })),
  );
const splitSize = fc.integer({ min: 1, max: 3000 });
const filesPerTask = fc.option(fc.integer({ min: 1, max: 5 }));
const mayShare = (a: number, b: number): boolean => a % 2 === b % 2;

describe("cutSplits", () => {
  test("puts every byte of every file into exactly one split, in input order", () => {
    fc.assert(
      fc.property(files, splitSize, filesPerTask, (listed, splitSize, filesPerTask) => {
        const splits = cutSplits(listed, { splitSize, filesPerTask, mayShare }).flat();
        let next = 0;
        for (const file of listed) {
          let offset = 0;
          do {
            const split = splits[next++];
            expect(split).toMatchObject({
              input: file.input,
              url: file.url,
              start: offset,
              fileSize: file.size,
            });
            offset = split?.end ?? NaN;
          } while (offset < file.size);
          expect(offset).toBe(file.size);
        }
        expect(next).toBe(splits.length);
      }),
    );
  });

  test("keeps tasks within split size and files per task, and never mixes inputs that differ", () => {
    fc.assert(
      fc.property(files, splitSize, filesPerTask, (listed, splitSize, filesPerTask) => {
        for (const task of cutSplits(listed, { splitSize, filesPerTask, mayShare })) {
          expect(task.reduce((sum, split) => sum + split.end - split.start, 0)).toBeLessThanOrEqual(
            splitSize,
          );
          expect(task.length).toBeLessThanOrEqual(filesPerTask ?? Infinity);
          expect(new Set(task.map((split) => split.input % 2)).size).toBe(1);
        }
      }),
    );
  });

  test("packs small files: no two neighbouring tasks would have fitted into one", () => {
    fc.assert(
      fc.property(files, splitSize, (listed, splitSize) => {
        const tasks = cutSplits(listed, { splitSize, filesPerTask: null, mayShare: () => true });
        for (const [index, task] of tasks.entries()) {
          const first = tasks[index + 1]?.[0];
          if (first === undefined) continue;
          const bytes = task.reduce((sum, split) => sum + split.end - split.start, 0);
          expect(bytes + first.end - first.start).toBeGreaterThan(splitSize);
        }
      }),
    );
  });

  test("reads an empty file as one split without bytes", () => {
    expect(
      cutSplits([{ input: 0, url: "file:///in/empty", size: 0 }], {
        splitSize: 10,
        filesPerTask: 1,
        mayShare,
      }),
    ).toEqual([[{ input: 0, url: "file:///in/empty", start: 0, end: 0, fileSize: 0 }]]);
  });

  test("takes a 64th of the input by default, at least 1 MiB and at most 64 MiB", () => {
    expect(defaultSplitSize(0)).toBe(MiB);
    expect(defaultSplitSize(300 * MiB)).toBe(Math.ceil((300 * MiB) / 64));
    expect(defaultSplitSize(1e12)).toBe(64 * MiB);
    const tasks = cutSplits([{ input: 0, url: "file:///in/large", size: 640 * MiB }], {
      splitSize: null,
      filesPerTask: null,
      mayShare,
    });
    expect(tasks).toHaveLength(64);
  });

  test("refuses a split size that gives more tasks than a job may have", () => {
    const file = { input: 0, url: "file:///in/large", size: maxMapTasks + 1 };
    expect(() => cutSplits([file], { splitSize: 1, filesPerTask: null, mayShare })).toThrow(
      /more than 1000000 map tasks/,
    );
  });
});
