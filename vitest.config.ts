// Owns how tests run: which files, in what processes, and where the machine-readable result goes for .ci/run.

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
    reporters: process.env["CI"] === undefined ? ["default"] : ["default", "json"],
    outputFile: { json: source("./out/test-results.json") },
  },
});
