// Owns the few lines on stderr that say what a job came to.

import { counterNames } from "../shared/job/counters.ts";
import type { JobResult } from "../shared/job/result.ts";
import { bytes, count, duration, rate } from "./units.ts";

/** Writes the summary of a job that is over; why one failed is told elsewhere. */
export function tellSummary(result: JobResult): void {
  process.stderr.write(`${summaryLines(result).join("\n")}\n`);
}

function summaryLines(result: JobResult): string[] {
  const { name, state, elapsedMs, attempts, tasks, outputs } = result;
  const counter = (key: keyof typeof counterNames): number => result.counters[counterNames[key]] ?? 0;
  const again = attempts.failed === 0 ? "" : `, ${count(attempts.failed)} failed attempts`;
  const head = `${name}: ${state} in ${duration(elapsedMs)} (${count(tasks.map.count)} map and ${count(tasks.reduce.count)} reduce tasks${again})`;
  if (state !== "succeeded") return [head];
  const inputBytes = counter("mapInputBytes");
  const outputBytes = outputs.reduce((sum, output) => sum + output.bytes, 0);
  const rows: [string, number, string, number][] = [
    ["input", counter("mapInputRecords"), "records", inputBytes],
    ["shuffled", counter("reduceInputRecords"), "records", counter("shuffleBytes")],
    ["groups", counter("reduceInputGroups"), "groups", 0],
    ["output", counter("reduceOutputRecords"), "records", outputBytes],
  ];
  const lines = rows.map(
    ([label, number, unit, size]) =>
      `  ${label.padEnd(9)}${count(number).padStart(15)} ${unit}${size === 0 ? "" : `, ${bytes(size)}`}`,
  );
  const skipped = counter("skippedRecords");
  if (skipped > 0) lines.push(`  ${"skipped".padEnd(9)}${count(skipped).padStart(15)} records`);
  return [head, ...lines, `  ${"speed".padEnd(9)}${rate(inputBytes, elapsedMs).padStart(15)} of input`];
}
