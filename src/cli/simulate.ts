// Owns `mapreduce simulate`: how long a job of any size would take under each scheduling policy, without machines.

import { InvalidArgumentError, type Command } from "commander";
import type { FleetSize } from "../simulation/makespan.ts";
import { count, duration } from "./units.ts";

const examples = `
Examples:
  mapreduce simulate --maps 200 --reduces 5 --workers 2
  mapreduce simulate --maps 200000 --reduces 5000 --workers 2000   the paper's size; takes minutes

A map takes 20 to 60 s, a reduce 30 to 90 s; one worker of several is five times slower than the others.`;

interface SimulateCommandOptions extends FleetSize {
  readonly seed?: number;
}

/** Adds `simulate`. */
export function addSimulateCommand(program: Command): void {
  program
    .command("simulate")
    .description("tell how long a job would take under each scheduling policy")
    .requiredOption("--maps <M>", "how many map tasks", wholeNumber(1_000_000))
    .requiredOption("--reduces <R>", "how many reduce tasks", wholeNumber(100_000))
    .requiredOption("--workers <W>", "how many workers, each on a machine of its own", wholeNumber(10_000))
    .option("--slots <N>", "how many tasks a worker runs at once", wholeNumber(1_000), 1)
    .option(
      "--seed <N>",
      "the same seed gives the same table (default: one by chance)",
      wholeNumber(2 ** 32 - 1),
    )
    .addHelpText("after", examples)
    .action(async ({ seed, ...size }: SimulateCommandOptions) => {
      process.stdout.write(await describeMakespans(size, seed ?? Math.floor(Math.random() * 2 ** 32)));
    });
}

async function describeMakespans(size: FleetSize, seed: number): Promise<string> {
  const { policyNames, simulateMakespan } = await import("../simulation/makespan.ts");
  const { default: Table } = await import("cli-table3");
  const table = new Table({
    head: ["policy", "makespan", "slots in use", "backups", "decisions"],
    colAligns: ["left", "right", "right", "right", "right"],
    style: { head: [], border: [], compact: true },
  });
  for (const policy of policyNames) {
    const { elapsedMs, use, backups, decisions } = simulateMakespan(policy, size, seed);
    table.push([
      policy,
      duration(elapsedMs),
      `${(use * 100).toFixed(0)} %`,
      count(backups),
      count(decisions),
    ]);
  }
  const { maps, reduces, workers, slots } = size;
  return `${count(maps)} maps, ${count(reduces)} reduces, ${count(workers)} workers with ${count(slots)} slots each, seed ${seed}
${table.toString()}
`;
}

function wholeNumber(most: number): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^[1-9]\d{0,9}$/.test(text) && number <= most) return number;
    throw new InvalidArgumentError(`Expected an integer from 1 to ${most}.`);
  };
}
