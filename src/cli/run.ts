// Owns `mapreduce run`: its options and their help. What it does is in run-job.ts, loaded when it is used.

import { InvalidArgumentError, Option, type Command } from "commander";
import { addJobOptions } from "./job-options.ts";
import type { RunOptions } from "./run-job.ts";

const examples = `
Examples:
  mapreduce run job.ts                                   as the job file says
  mapreduce run job.ts --input 'logs/**/*.log' --output out/errors --overwrite
  mapreduce run job.ts --param level=warn --slots 4
  mapreduce run job.ts --output - | sort -k2nr | head    the result on stdout
  mapreduce run job.ts --plan                            splits, tasks and bytes; runs nothing
  mapreduce run job.ts --json > result.json              counters, outputs, times; of a failed job too

Results go to stdout, everything else to stderr. Exit status: 0 done, 1 failed, 2 stopped before the first attempt,
130 cancelled (the first Ctrl-C cancels and cleans up, the second ends at once).`;

/** Adds `run`. @param end gets the exit status of a run that came to its end */
export function addRunCommand(program: Command, end: (status: number) => void): void {
  const command = program
    .command("run")
    .description("run a job on this machine, on all its cores")
    .argument("<JOB.ts>", "exports a specification as its default");
  addJobOptions(command);
  command
    .option("--slots <N>", "how many tasks run at once (default: the cores)", positiveInteger)
    .addOption(
      new Option("--scratch <dir>", "where intermediate files lie (default: /tmp/mapreduce)").env(
        "MAPREDUCE_SCRATCH_DIR",
      ),
    )
    .addOption(
      new Option("--isolation <mode>", "none: all in one process, one task at a time, for a debugger")
        .choices(["process", "none"])
        .default("process"),
    )
    .option("--plan", "prints splits, tasks and bytes and runs nothing")
    .option("--json", "prints the result as one JSON object")
    .addOption(
      new Option("--progress <mode>", "auto: bars on a terminal, else plain lines")
        .choices(["auto", "plain", "none"])
        .default("auto"),
    )
    .addHelpText("after", examples)
    .action(async (path: string, options: RunOptions) => {
      const { runJob } = await import("./run-job.ts");
      end(await runJob(path, options));
    });
}

function positiveInteger(text: string): number {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError("Expected an integer from 1.");
  return Number(text);
}
