// Owns the command `mapreduce`: which commands there are, what is told of an error, and the exit status. What a command
// does is in its own file, loaded when it is used.

import { readFileSync } from "node:fs";
import { Command, CommanderError } from "commander";
import { addFleetCommands } from "./fleet-commands.ts";
import { exitStatus, tellError } from "./errors.ts";
import { addRunCommand } from "./run.ts";
import { addSimulateCommand } from "./simulate.ts";

/**
 * Runs one command line to its end.
 * @param args what follows the command's name
 * @returns the exit status: 0 done, 1 what fails a job after its first attempt began, 2 what stops it before, 130
 *   cancelled. Everything else is on stdout (results) and stderr.
 */
export async function main(args: readonly string[]): Promise<number> {
  readEnvironmentFile();
  let status = 0;
  const program = createProgram((result) => (status = result));
  try {
    await program.parseAsync(args, { from: "user" });
    return status;
  } catch (error) {
    // commander has told its own errors already; --help and --version end this way too.
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitStatus.stoppedBefore;
    tellError(error);
    return exitStatus.stoppedBefore;
  }
}

function createProgram(end: (status: number) => void): Command {
  const program = new Command("mapreduce")
    .description("MapReduce for TypeScript: on all cores of this machine, or on a fleet of workers.")
    .exitOverride()
    .configureOutput({
      outputError: (text, write) => write(`${text.trim().replace(/\n\s*/g, " ")}\n`),
    })
    .version(packageVersion(), "-V, --version", "print the version")
    .addHelpText("after", "\nOf one command: mapreduce run --help");
  addRunCommand(program, end);
  addSimulateCommand(program);
  addFleetCommands(program);
  return program;
}

function packageVersion(): string {
  const manifest = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(manifest) as { readonly version: string }).version;
}

/** Reads `.env` of the current directory; what the environment has already stays. */
function readEnvironmentFile(): void {
  try {
    process.loadEnvFile();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") tellError(error);
  }
}
