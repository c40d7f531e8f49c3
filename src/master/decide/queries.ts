// Owns what the state tells to those who ask. It changes nothing.

import type { JobId } from "../../shared/job/ids.ts";
import type { JobSummary, WorkerMapOutputs } from "../../shared/messages/messages.ts";
import { outputsByWorker, progressOf } from "./announce.ts";
import type { MasterState } from "./state.ts";

/** A job in brief, without its result's URL, or undefined where there is none. */
export function summaryOf(state: MasterState, jobId: JobId): Omit<JobSummary, "resultUrl"> | undefined {
  const job = state.jobs.get(jobId);
  if (job === undefined) return undefined;
  return { jobId, name: job.settings?.name ?? "", state: job.state, progress: progressOf(state, job) };
}

/** Ready outputs of `limit` maps from `fromMap` on; undefined where the job does not run. */
export function mapOutputsOf(
  state: MasterState,
  jobId: JobId,
  fromMap: number,
  limit: number,
): { sequence: number; workers: readonly WorkerMapOutputs[]; nextMap: number | null } | undefined {
  const job = state.jobs.get(jobId);
  if (job?.state !== "running") return undefined;
  const end = Math.min(fromMap + limit, job.map.count);
  const maps = Array.from({ length: Math.max(0, end - fromMap) }, (_, i) => fromMap + i);
  const workers = outputsByWorker(state, job, maps, () => undefined);
  return { sequence: job.sequence, workers, nextMap: end < job.map.count ? end : null };
}
