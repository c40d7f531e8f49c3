// Holds what is drawn while a job runs: bars on a terminal, lines elsewhere, and other lines whole between them.

import { PassThrough } from "node:stream";
import { describe, expect, test } from "vitest";
import { createProgressDisplay, type ProgressMode, type ProgressStream } from "../../src/cli/progress.ts";
import type { Progress } from "../../src/shared/job/result.ts";

function progress(map: number, reduce: number): Progress {
  const phase = (fraction: number) => ({ tasks: 4, done: Math.floor(4 * fraction), running: 1, fraction });
  return {
    jobId: "j",
    map: phase(map),
    shuffle: { bytes: 2_000_000 * map, fraction: map },
    reduce: phase(reduce),
    inputBytes: 10_000_000,
    workers: 1,
    counters: {},
  };
}

/** A display on a stream that is a terminal or not, and what was written to it. */
async function display(mode: ProgressMode, isTTY: boolean) {
  const stream: ProgressStream & PassThrough = Object.assign(new PassThrough(), { isTTY, columns: 120 });
  let text = "";
  stream.setEncoding("utf8").on("data", (part: string) => (text += part));
  const shown = await createProgressDisplay(mode, stream);
  return { shown, text: () => text };
}

describe("plain lines", () => {
  test("are the first state and the last one, whatever came between at once", async () => {
    const { shown, text } = await display("auto", false);
    for (const fraction of [0.25, 0.5, 0.75]) shown.update(progress(fraction, 0));
    shown.update(progress(1, 1));
    shown.stop();
    shown.stop();
    const lines = text().trimEnd().split("\n");
    expect(lines).toHaveLength(2);
    expect(lines[0]).toMatch(
      /^map 25% \(1\/4 tasks, .* MB\/s\) {2}shuffle 25% \(500\.0 kB, .* MB\/s\) {2}reduce 0% /,
    );
    expect(lines[1]).toMatch(
      /^map 100% \(4\/4 tasks, .* {2}shuffle 100% \(2\.0 MB, .* {2}reduce 100% \(4\/4 tasks/,
    );
  });

  test("are what a terminal gets too where they are asked for", async () => {
    const { shown, text } = await display("plain", true);
    shown.update(progress(0.5, 0));
    shown.stop();
    expect(text()).toMatch(/^map 50% .*\n$/);
  });

  test("none of them is written with none, but what user code prints is", async () => {
    const { shown, text } = await display("none", true);
    shown.update(progress(0.5, 0));
    shown.line("from a mapper");
    shown.stop();
    expect(text()).toBe("from a mapper\n");
  });
});

describe("bars", () => {
  test("there is one for each phase, with percent, tasks and rate", async () => {
    const { shown, text } = await display("auto", true);
    shown.update(progress(1, 0.5));
    shown.stop();
    expect(text()).toMatch(/map {5}\[=+\] 100% \| 4\/4 tasks, \d+\.\d MB\/s/);
    expect(text()).toMatch(/shuffle \[=+\] 100% \| 2\.0 MB, \d+\.\d MB\/s/);
    expect(text()).toMatch(/reduce {2}\[=+ +\] 50% \| 2\/4 tasks, \d+\.\d MB\/s/);
  });

  test("a line that is printed meanwhile stands whole, above them", async () => {
    const { shown, text } = await display("auto", true);
    shown.line("from a mapper");
    shown.stop();
    shown.line("after the bars");
    expect(text()).toContain("from a mapper\u001b[K\n");
    expect(text().indexOf("from a mapper")).toBeLessThan(text().lastIndexOf("reduce"));
    expect(text()).toMatch(/after the bars\n$/);
  });

  test("the cursor is hidden while they stand and comes back with stop", async () => {
    const { shown, text } = await display("auto", true);
    expect(text()).toContain("\u001b[?25l");
    expect(text()).not.toContain("\u001b[?25h");
    shown.stop();
    expect(text()).toContain("\u001b[?25h");
  });
});
