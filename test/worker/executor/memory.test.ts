// Holds how an executor's memory is shared out.

import { expect, test } from "vitest";
import { collectorBytes, heapBytes, mergeBytes } from "../../../src/worker/executor/memory.ts";

const mebibyte = 2 ** 20;

test("heap and record buffers fit into the memory together, the least one included", () => {
  for (const memory of [128, 256, 512, 4096].map((size) => size * mebibyte)) {
    const buffers = Math.max(collectorBytes(memory), mergeBytes(memory));
    expect(buffers).toBeGreaterThan(0);
    expect(heapBytes(memory) + buffers).toBeLessThan(memory);
  }
});

test("records are spilled before 32-bit places end, however large the memory", () => {
  expect(collectorBytes(1024 * 1024 * mebibyte)).toBe(1024 * mebibyte);
});
