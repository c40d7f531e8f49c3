// Owns how tests run: which files, and in what processes. How they are called is in scripts/test.mjs.

import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const source = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  resolve: {
    // Longest first: an alias matches by prefix.
    alias: [
      { find: /^mapreduce-fleet\/testing$/, replacement: source("./src/testing/index.ts") },
      { find: /^mapreduce-fleet$/, replacement: source("./src/index.ts") },
    ],
  },
  test: {
    include: ["test/**/*.test.ts"],
    // Processes, not threads: the suite forks executors, changes directory and sends signals.
    pool: "forks",
    // A whole job on a busy two-core machine; nothing asserts a time.
    testTimeout: 30_000,
    hookTimeout: 30_000,
  },
});
