// Holds the reading of sizes and durations.

import { describe, expect, test } from "vitest";
import { parseDuration, parseSize } from "../../../src/shared/job/quantities.ts";

describe("sizes", () => {
  test.each([
    [0, 0],
    [1536, 1536],
    ["1536", 1536],
    ["1.5KiB", 1536],
    ["64MiB", 64 * 2 ** 20],
    ["64 mib", 64 * 2 ** 20],
    ["2GiB", 2 ** 31],
    ["1TiB", 2 ** 40],
    ["1kB", 1000],
    ["64MB", 64e6],
    ["7B", 7],
  ])("%j is %d bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each([
    "",
    "MiB",
    "64 MiBs",
    "64M",
    "-1MiB",
    "1e3",
    "0.3KiB",
    1.5,
    Number.NaN,
    null,
    undefined,
    "9".repeat(400),
  ])("%j is no size", (text) => {
    expect(parseSize(text)).toBeUndefined();
  });
});

describe("durations", () => {
  test.each([
    [500, 500],
    ["500", 500],
    ["10m", 600_000],
    ["1.5 hours", 5_400_000],
    ["30s", 30_000],
    ["250ms", 250],
  ])("%j is %d ms", (text, ms) => {
    expect(parseDuration(text)).toBe(ms);
  });

  test.each([
    "",
    "soon",
    "10 parsecs",
    "m",
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    undefined,
    "1".repeat(101),
  ])("%j is no duration", (text) => {
    expect(parseDuration(text)).toBeUndefined();
  });
});
