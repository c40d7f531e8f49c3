// `npm run bench`: measures whole processes, ours and what the machine has, over the same input, interleaved, and prints
// medians and ratios. Absolute times drift with whatever else runs; ratios within one table mean something.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import Table from "cli-table3";
import { measureCore } from "./core.ts";
import { writeCorpus } from "./corpus.ts";
import { measure, type Measurement } from "./process-tree.ts";
import { findWorkloads, type Workload } from "./workloads.ts";

const usage = `npm run bench -- [options]
  --size MIB      size of the made corpus (default 300)
  --seed N        seed of the made corpus (default 1)
  --corpus PATH   measure on this text instead
  --runs N        runs of each contender (default 3)
  --slots N       slots of ours, threads of DuckDB (default: cores)
  --only REGEXP   workloads and contenders whose "workload: contender" it matches
  --python PATH   an interpreter that may have DuckDB (default python3)
  --core          measure the master's core instead, at three sizes; --only is then of scheduling policies`;

const { values: options } = parseArgs({
  options: {
    size: { type: "string", default: "300" },
    seed: { type: "string", default: "1" },
    corpus: { type: "string" },
    runs: { type: "string", default: "3" },
    slots: { type: "string", default: String(availableParallelism()) },
    only: { type: "string", default: "" },
    python: { type: "string", default: "python3" },
    core: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

const folder = fileURLToPath(new URL("../out/bench/", import.meta.url));
/** Bytes in C order everywhere: what rivals sort must be what we sort. */
const environment = { ...process.env, LC_ALL: "C", NO_COLOR: "1" };

interface Outcome {
  readonly name: string;
  readonly runs: readonly Measurement[];
  /** SHA-256 of the normalised output. */
  readonly digest: string;
}

async function main(): Promise<void> {
  if (options.help) return console.log(usage);
  if (options.core) return measureCore(new RegExp(options.only));
  mkdirSync(folder, { recursive: true });
  const inputs = { corpus: prepareCorpus(), line: `${folder}line.txt` };
  writeFileSync(inputs.line, "the quick brown fox jumps over the lazy dog\n");
  console.log(
    `${inputs.corpus}: ${(statSync(inputs.corpus).size / 2 ** 20).toFixed(1)} MiB, ${options.slots} slots\n`,
  );
  const only = new RegExp(options.only);
  for (const workload of findWorkloads({ slots: Number(options.slots), python: options.python })) {
    const contenders = workload.contenders.filter(({ name }) => only.test(`${workload.name}: ${name}`));
    if (contenders.length === 0) continue;
    print(workload, await compete({ ...workload, contenders }, inputs[workload.input]));
  }
}

function prepareCorpus(): string {
  if (options.corpus !== undefined) return resolve(options.corpus);
  const path = `${folder}corpus-${options.size}-${options.seed}.txt`;
  if (!existsSync(path)) writeCorpus(path, Math.round(Number(options.size) * 2 ** 20), Number(options.seed));
  return path;
}

/** Runs all contenders in turn, as often as asked for: A B C A B C, so that drift meets all alike. */
async function compete(workload: Workload, input: string): Promise<Outcome[]> {
  const outcomes = workload.contenders.map(({ name }) => ({ name, runs: [] as Measurement[], digest: "" }));
  for (let run = 0; run < Number(options.runs); run++) {
    for (const [index, { command }] of workload.contenders.entries()) {
      const output = `${folder}result`;
      rmSync(output, { recursive: true, force: true });
      const outcome = outcomes[index];
      outcome.runs.push(await measure(command, { ...environment, INPUT: input, OUTPUT: output }));
      outcome.digest = digest(output, workload.normalise);
      rmSync(output, { recursive: true, force: true });
    }
  }
  return outcomes;
}

function digest(output: string, normalise: string): string {
  const script = `find ${output} -type f ! -name '_*' -exec cat {} + | ${normalise} | sha256sum`;
  return execFileSync("sh", ["-c", script], { encoding: "utf8", env: environment }).slice(0, 16);
}

function print(workload: Workload, outcomes: readonly Outcome[]): void {
  const table = new Table({
    head: [workload.name, "wall s", "CPU s", "peak MB", "wall ratio", "CPU ratio", "result"],
    style: { head: [], border: [] },
    colAligns: ["left", "right", "right", "right", "right", "right", "left"],
  });
  const first = outcomes[0];
  const wall = (outcome: Outcome): number => median(outcome.runs.map((run) => run.wallSeconds));
  const cpu = (outcome: Outcome): number => median(outcome.runs.map((run) => run.cpuSeconds));
  for (const outcome of outcomes) {
    const peaks = outcome.runs.map((run) => run.peakBytes).filter((bytes) => bytes !== null);
    table.push([
      outcome.name,
      wall(outcome).toFixed(2),
      cpu(outcome).toFixed(2),
      peaks.length === 0 ? "?" : (median(peaks) / 1e6).toFixed(0),
      (wall(outcome) / wall(first)).toFixed(2),
      (cpu(outcome) / cpu(first)).toFixed(2),
      outcome.digest === first.digest ? "same" : "differs",
    ]);
  }
  console.log(`${table.toString()}\n`);
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1] + sorted[sorted.length >> 1]) / 2;
}

await main();
