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

/** Where progress is shown: stderr. */
export type ProgressStream = NodeJS.WritableStream & { readonly isTTY?: boolean };

/** "auto" is bars where the stream is a terminal that can draw them, else plain lines. */
export async function createProgressDisplay(
  mode: ProgressMode,
  stream: ProgressStream = process.stderr,
): Promise<ProgressDisplay> {
  const writeLine = (text: string): void => void stream.write(`${text}\n`);
  if (mode === "none") return { update() {}, line: writeLine, stop() {} };
  const drawable = stream.isTTY === true && process.env["TERM"] !== "dumb";
  return mode === "auto" && drawable ? await createBars(stream) : new PlainLines(writeLine);
}

async function createBars(stream: ProgressStream): Promise<ProgressDisplay> {
  const { MultiBar } = (await import("cli-progress")).default;
  const bars = new MultiBar({
    stream,
    format: "{phase} [{bar}] {percentage}% | {detail}",
    barCompleteChar: "=",
    barIncompleteChar: " ",
    barsize: 32,
    hideCursor: true,
    emptyOnZero: true,
    // Signals are the command's: it cancels, and stops the display itself.
    gracefulExit: false,
    forceRedraw: true,
  });
  return new Bars(bars, (text) => void stream.write(`${text}\n`));
}

class Bars implements ProgressDisplay {
  readonly #all: MultiBar;
  readonly #bars = new Map<Phase, SingleBar>();
  readonly #clock = new PhaseClock();
  readonly #writeLine: (text: string) => void;
  #stopped = false;

  constructor(all: MultiBar, writeLine: (text: string) => void) {
    this.#all = all;
    this.#writeLine = writeLine;
    for (const phase of phases) {
      this.#bars.set(phase, all.create(1, 0, { phase: phase.padEnd(7), detail: "" }));
    }
  }

  update(progress: Progress): void {
    if (this.#stopped) return;
    this.#clock.see(progress);
    for (const phase of phases) {
      this.#bars
        .get(phase)
        ?.update(progress[phase].fraction, { detail: this.#clock.detail(phase, progress) });
    }
  }

  line(text: string): void {
    // What was drawn there before may be longer.
    if (this.#stopped) this.#writeLine(text);
    else this.#all.log(`${text}\u001b[K\n`);
  }

  stop(): void {
    if (this.#stopped) return;
    this.#stopped = true;
    // Stopping draws the bars but not the lines that wait to be drawn above them.
    this.#all.update();
    this.#all.stop();
  }
}

class PlainLines implements ProgressDisplay {
  readonly line: (text: string) => void;
  readonly #clock = new PhaseClock();
  #last: Progress | undefined;
  #shown: Progress | undefined;
  #shownAt = -Infinity;

  constructor(writeLine: (text: string) => void) {
    this.line = writeLine;
  }

  update(progress: Progress): void {
    this.#last = progress;
    this.#clock.see(progress);
    if (performance.now() - this.#shownAt >= plainIntervalMs) this.#show(progress);
  }

  stop(): void {
    if (this.#last !== undefined && this.#last !== this.#shown) this.#show(this.#last);
  }

  #show(progress: Progress): void {
    this.#shown = progress;
    this.#shownAt = performance.now();
    const parts = phases.map((phase) => {
      const percent = `${Math.floor(progress[phase].fraction * 100)}%`;
      return `${phase} ${percent} (${this.#clock.detail(phase, progress)})`;
    });
    this.line(parts.join("  "));
  }
}

/** Knows since when each phase runs and how long it took: a rate is over the phase's own time. */
class PhaseClock {
  /** When it was last seen not to have begun. */
  readonly #startedAt = new Map<Phase, number>(phases.map((phase) => [phase, performance.now()]));
  readonly #endedAt = new Map<Phase, number>();

  see(progress: Progress): void {
    const now = performance.now();
    for (const phase of phases) {
      const { fraction } = progress[phase];
      if (fraction === 0) this.#startedAt.set(phase, now);
      if (fraction < 1) this.#endedAt.delete(phase);
      else if (!this.#endedAt.has(phase)) this.#endedAt.set(phase, now);
    }
  }

  detail(phase: Phase, progress: Progress): string {
    const moved = bytesMoved(phase, progress);
    const endedAt = this.#endedAt.get(phase) ?? performance.now();
    const speed = rate(moved, endedAt - (this.#startedAt.get(phase) ?? endedAt));
    if (phase === "shuffle") return `${bytes(moved)}, ${speed}`;
    const { done, tasks } = progress[phase];
    return `${done}/${tasks} tasks, ${speed}`;
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
