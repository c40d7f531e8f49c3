// Owns how a running job is shown on stderr: bars on a terminal, else plain lines. It only draws what it is told.

import type { MultiBar, SingleBar } from "cli-progress";
import type { Progress } from "../shared/job/result.ts";
import { bytes, rate } from "./units.ts";

export type ProgressMode = "auto" | "plain" | "none";

/** Shows one job. */
export interface ProgressDisplay {
  update(progress: Progress): void;
  /** A line that someone else prints meanwhile, without its LF: above the bars, not through them. */
  line(text: string): void;
  /** Leaves what was last shown, and the terminal as it was. Twice is fine. */
  stop(): void;
}

const phases = ["map", "shuffle", "reduce"] as const;
type Phase = (typeof phases)[number];

/** Plain lines are for logs: at most one in so many ms, but for the last one. */
const plainIntervalMs = 2_000;

/** "auto" is bars where stderr is a terminal that can draw them, else plain lines. */
export async function createProgressDisplay(mode: ProgressMode): Promise<ProgressDisplay> {
  const drawable = process.stderr.isTTY && process.env["TERM"] !== "dumb";
  if (mode === "auto" && drawable) return await createBars();
  return mode === "none" ? silent : new PlainLines();
}

const writeLine = (text: string): void => void process.stderr.write(`${text}\n`);

const silent: ProgressDisplay = { update() {}, line: writeLine, stop() {} };

async function createBars(): Promise<ProgressDisplay> {
  const { MultiBar } = (await import("cli-progress")).default;
  return new Bars(
    new MultiBar({
      stream: process.stderr,
      format: "{phase} [{bar}] {percentage}% | {detail}",
      barCompleteChar: "=",
      barIncompleteChar: " ",
      barsize: 32,
      hideCursor: true,
      emptyOnZero: true,
      // Signals are the command's: it cancels, and stops the display itself.
      gracefulExit: false,
      forceRedraw: true,
    }),
  );
}

class Bars implements ProgressDisplay {
  readonly #all: MultiBar;
  readonly #bars = new Map<Phase, SingleBar>();
  readonly #clock = new PhaseClock();
  #stopped = false;

  constructor(all: MultiBar) {
    this.#all = all;
    for (const phase of phases) {
      this.#bars.set(phase, all.create(1, 0, { phase: phase.padEnd(7), detail: "" }));
    }
  }

  update(progress: Progress): void {
    if (this.#stopped) return;
    for (const phase of phases) {
      this.#bars
        .get(phase)
        ?.update(progress[phase].fraction, { detail: this.#clock.detail(phase, progress) });
    }
  }

  line(text: string): void {
    // What was drawn there before may be longer.
    if (this.#stopped) writeLine(text);
    else this.#all.log(`${text}\u001b[K\n`);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    this.#all.update();
    this.#all.stop();
  }
}

class PlainLines implements ProgressDisplay {
  readonly #clock = new PhaseClock();
  #last: Progress | undefined;
  #shown = "";
  #shownAt = -Infinity;

  update(progress: Progress): void {
    this.#last = progress;
    const now = performance.now();
    const text = this.#text(progress);
    if (now - this.#shownAt < plainIntervalMs || text === this.#shown) return;
    this.#shownAt = now;
    this.#show(text);
  }

  line(text: string): void {
    writeLine(text);
  }

  stop(): void {
    const text = this.#last === undefined ? "" : this.#text(this.#last);
    if (text !== "" && text !== this.#shown) this.#show(text);
  }

  #text(progress: Progress): string {
    return phases
      .map((phase) => {
        const percent = `${Math.floor(progress[phase].fraction * 100)}%`;
        return `${phase} ${percent} (${this.#clock.detail(phase, progress)})`;
      })
      .join("  ");
  }

  #show(text: string): void {
    this.#shown = text;
    writeLine(text);
  }
}

/** Knows since when each phase runs and how long it took: a rate is over the phase's own time. */
class PhaseClock {
  readonly #startedAt = new Map<Phase, number>();
  readonly #tookMs = new Map<Phase, number>();

  detail(phase: Phase, progress: Progress): string {
    const { fraction } = progress[phase];
    const moved = bytesMoved(phase, progress);
    const speed = fraction > 0 ? rate(moved, this.#elapsedMs(phase, fraction)) : rate(0, 0);
    if (phase === "shuffle") return `${bytes(moved)}, ${speed}`;
    const { done, tasks } = progress[phase];
    return `${done}/${tasks} tasks, ${speed}`;
  }

  #elapsedMs(phase: Phase, fraction: number): number {
    const now = performance.now();
    const startedAt = this.#startedAt.get(phase) ?? now;
    this.#startedAt.set(phase, startedAt);
    if (fraction < 1) this.#tookMs.delete(phase);
    else if (!this.#tookMs.has(phase)) this.#tookMs.set(phase, now - startedAt);
    return this.#tookMs.get(phase) ?? now - startedAt;
  }
}

/** Maps read the input, reduces what was shuffled. */
function bytesMoved(phase: Phase, { inputBytes, map, shuffle, reduce }: Progress): number {
  switch (phase) {
    case "map":
      return inputBytes * map.fraction;
    case "shuffle":
      return shuffle.bytes;
    case "reduce":
      return shuffle.bytes * reduce.fraction;
    default:
      return phase satisfies never;
  }
}
