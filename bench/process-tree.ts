// Owns the measuring of one command as a whole: wall time, CPU seconds and peak memory of the process and all below it.
// Memory comes from /proc and is left out where there is none.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";

/** Often enough for runs of a tenth of a second; a sample costs some tens of microseconds a process. */
const sampleMs = 10;

export interface Measurement {
  readonly wallSeconds: number;
  /** User and system time of the process and of every descendant that was waited for. */
  readonly cpuSeconds: number;
  /** The largest sum of resident bytes over the tree, as sampled; null without /proc. Shared pages count in each process. */
  readonly peakBytes: number | null;
}

/**
 * Runs a shell command to its end.
 * @throws Error with what the command wrote to stderr where it ends with another status than 0
 */
export async function measure(command: string, environment: NodeJS.ProcessEnv): Promise<Measurement> {
  // `times` of the shell gives its descendants' CPU time, exactly and everywhere, on a descriptor of its own.
  const script = `(${command}\n) 3>&-; status=$?; times >&3; exit $status`;
  const startedAt = performance.now();
  const shell = spawn("sh", ["-c", script], {
    env: environment,
    stdio: ["ignore", "ignore", "pipe", "pipe"],
  });
  let errors = "";
  let times = "";
  shell.stderr!.setEncoding("utf8").on("data", (text: string) => (errors = (errors + text).slice(-4096)));
  shell.stdio[3]!.on("data", (bytes: Buffer) => (times += bytes.toString()));
  let peakBytes: number | null = null;
  const sampling = setInterval(() => {
    peakBytes = Math.max(peakBytes ?? 0, residentBytes(shell.pid!));
  }, sampleMs);
  if (!existsSync("/proc/self/statm")) clearInterval(sampling);
  let wallSeconds = 0;
  shell.once("exit", () => (wallSeconds = (performance.now() - startedAt) / 1000));
  const [status] = (await once(shell, "close")) as [number | null];
  clearInterval(sampling);
  if (status !== 0) throw new Error(`${command}\nended with status ${status}: ${errors.trim()}`);
  return { wallSeconds, cpuSeconds: cpuSecondsOf(times), peakBytes };
}

/** `times` prints the shell's own times, then those of what it waited for: "0m1.250000s 0m0.310000s". */
function cpuSecondsOf(times: string): number {
  const children = times.split("\n")[1] ?? "";
  return [...children.matchAll(/(\d+)m([\d.]+)s/g)].reduce(
    (sum, [, m, s]) => sum + Number(m) * 60 + Number(s),
    0,
  );
}

const pageBytes = 4096;

function residentBytes(pid: number): number {
  try {
    let bytes = Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]) * pageBytes;
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${thread}/children`, "utf8").trim();
      for (const child of children === "" ? [] : children.split(" ")) bytes += residentBytes(Number(child));
    }
    return bytes;
  } catch {
    return 0; // it ended between two reads
  }
}
