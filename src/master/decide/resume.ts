// Owns what a master that has replayed its journal does first: effects that its predecessor may not have come to. Tasks are
// not among them: heartbeats tell which attempts live, and all others are issued anew.

import type { Effect } from "./events.ts";
import { commitEffect } from "./finish.ts";
import type { MasterState } from "./state.ts";

/** What is to be done once after a replay; all of it may have been done already. */
export function resume(state: MasterState): Effect[] {
  return [...state.jobs.values()].flatMap((job): Effect[] => {
    const jobId = job.id;
    switch (job.state) {
      case "planning":
        return [{ kind: "PlanJob", jobId }];
      case "running": {
        const { givingUp } = job;
        const accept: Effect = { kind: "AcceptJob", jobId };
        return givingUp === undefined ? [accept] : [accept, { kind: "Propose", event: givingUp }];
      }
      case "committing":
        return [{ kind: "AcceptJob", jobId }, commitEffect(state, job)];
      case "succeeded":
      case "failed":
      case "cancelled": {
        const { result } = job;
        const release: Effect = { kind: "ReleaseJob", jobId };
        return result === undefined ? [release] : [{ kind: "FinishJob", jobId, result }, release];
      }
      default:
        return job.state satisfies never;
    }
  });
}
