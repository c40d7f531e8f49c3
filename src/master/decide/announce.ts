// Owns what is told to all who follow a job: map outputs as they become ready, in batches, and progress.

import type { PhaseProgress, Progress } from "../../shared/job/result.ts";
import type { WorkerMapOutputs } from "../../shared/messages/messages.ts";
import { counterNames } from "../../shared/job/counters.ts";
import type { Effect } from "./events.ts";
import type { Job, MasterState, Tasks } from "./state.ts";

/** Map outputs in one announcement: some 120 bytes each, an eighth of the largest message. */
const maxBatch = 256;
/** Each announcement goes to every worker that follows the job: those of a second travel together, if a batch holds them. */
const announceMs = 1_000;

/** Announces what is ready, if it is time to. */
export function announceInTurn(state: MasterState, job: Job, effects: Effect[]): void {
  const isDue = state.nowMs - job.announcedMs >= announceMs || job.unannounced.length >= maxBatch;
  if (isDue && job.unannounced.length > 0) announceOutputs(state, job, effects);
}

/** Announces all that is ready; outputs of workers whose place is not known yet wait for it. */
export function announceOutputs(state: MasterState, job: Job, effects: Effect[]): void {
  const ready = job.unannounced;
  job.unannounced = [];
  job.announcedMs = state.nowMs;
  for (let at = 0; at < ready.length; at += maxBatch) {
    const batch = ready.slice(at, at + maxBatch);
    const workers = outputsByWorker(state, job, batch, (map) => job.unannounced.push(map));
    if (workers.length === 0) continue;
    effects.push({ kind: "AnnounceMapOutputs", jobId: job.id, sequence: ++job.sequence, workers });
  }
}

/** Groups ready outputs by the worker that holds them. @param onUnplaced told of those whose worker is not known yet */
export function outputsByWorker(
  state: MasterState,
  job: Job,
  maps: Iterable<number>,
  onUnplaced: (map: number) => void,
): WorkerMapOutputs[] {
  const groups = new Map<
    string,
    { readonly place: WorkerMapOutputs; readonly outputs: WorkerMapOutputs["outputs"][number][] }
  >();
  for (const map of maps) {
    const output = job.outputs[map];
    if (output === undefined) continue;
    let group = groups.get(output.worker);
    if (group === undefined) {
      const place = state.workers.get(output.worker)?.place;
      if (place === undefined) {
        onUnplaced(map);
        continue;
      }
      const outputs: WorkerMapOutputs["outputs"][number][] = [];
      group = { place: { worker: output.worker, ...place, outputs }, outputs };
      groups.set(output.worker, group);
    }
    group.outputs.push({ map, attempt: output.attempt, executionId: output.executionId });
  }
  return [...groups.values()].map(({ place }) => place);
}

/** Where a job stands. */
export function progressOf(state: MasterState, job: Job): Progress {
  const { counters } = job;
  const map = phaseOf(job.map);
  const reduce = phaseOf(job.reduce);
  const begun = job.reduce.done + job.reduce.running;
  return {
    jobId: job.id,
    map,
    shuffle: {
      bytes: counters[counterNames.shuffleBytes] ?? 0,
      fraction: job.reduce.count === 0 ? 0 : Math.min(1, begun / job.reduce.count),
    },
    reduce,
    inputBytes: job.inputBytes,
    workers: state.workers.size,
    counters: { ...counters },
  };
}

function phaseOf({ count, done, running, parts }: Tasks): PhaseProgress {
  // Sums of fractions are a little off what they should be.
  const fraction = count === 0 ? 0 : Math.min(1, (done + Math.max(0, parts)) / count);
  return { tasks: count, done, running, fraction };
}
