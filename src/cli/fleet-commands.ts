// Owns the commands that need a fleet and come with it: they are listed, and say so when used.

import type { Command } from "commander";
import { MapReduceError } from "../shared/job/errors.ts";

const fleetCommands = {
  submit: "run a job on a fleet",
  jobs: "list the jobs of a fleet",
  status: "tell where a job stands",
  logs: "show what a job's tasks printed",
  cancel: "cancel a job",
  master: "be a fleet's master",
  worker: "be one of a fleet's workers",
  dead: "list, replay or drop dead letters",
  k8s: "render, apply, watch or delete the Kubernetes manifest",
} as const;

/** Adds them to the help; using one is NOT_YET_AVAILABLE. */
export function addFleetCommands(program: Command): void {
  for (const [name, summary] of Object.entries(fleetCommands)) {
    program
      .command(name)
      .description(`${summary} (comes with the fleet)`)
      .argument("[arguments...]")
      .allowUnknownOption()
      .helpOption(false)
      .action(() => {
        throw new MapReduceError(
          "NOT_YET_AVAILABLE",
          `mapreduce ${name}: comes with the fleet, which this version does not have yet`,
        );
      });
  }
}
