// `npm test`: format, lint, types, tests, each to its end, so that one run tells everything. Arguments go to vitest:
// npm test -- test/cli. The last line is "N passed, N failed, N skipped"; a check that fails counts as one failure.

import { spawn } from "node:child_process";
import { readFileSync, rmSync } from "node:fs";
import { delimiter } from "node:path";
import { ensureInstalled, node, root } from "./setup.mjs";

const resultFile = `${root}out/test-results.json`;

const checks = [
  ["prettier", "--check", "--log-level", "warn", "."],
  ["oxlint", "--type-aware", "--quiet"],
  ["tsc", "-p", "."],
];
const vitest = ["vitest", "run", "--reporter=default", "--reporter=json", `--outputFile.json=${resultFile}`];

/** Runs a tool of node_modules/.bin on the clone's own Node; true when it found nothing wrong. */
function passes([tool, ...args]) {
  const bin = `${root}node_modules/.bin`;
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  return new Promise((resolve, reject) => {
    spawn(node, [`${bin}/${tool}`, ...args], { cwd: root, stdio: "inherit", env })
      .on("error", reject)
      .on("close", (code) => resolve(code === 0));
  });
}

/** Counts of the tests; a run that left no result is one failure. */
function readCounts() {
  try {
    const result = JSON.parse(readFileSync(resultFile, "utf8"));
    return {
      passed: result.numPassedTests,
      failed: result.numFailedTests,
      skipped: result.numPendingTests + result.numTodoTests,
    };
  } catch {
    return { passed: 0, failed: 0, skipped: 0 };
  }
}

ensureInstalled();
rmSync(resultFile, { force: true });
let failures = 0;
for (const check of checks) {
  if (await passes(check)) continue;
  console.error(`failed: ${check.join(" ")}\n`);
  failures++;
}
const testsPass = await passes([...vitest, ...process.argv.slice(2)]);
const { passed, failed, skipped } = readCounts();
// A test file that can't be loaded, or an error between tests, fails no test of its own.
failures += failed === 0 && !testsPass ? 1 : failed;
console.log(`${passed} passed, ${failures} failed, ${skipped} skipped`);
process.exitCode = failures === 0 ? 0 : 1;
