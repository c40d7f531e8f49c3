// Owns what must be true of a job when it is over.

import type { ExecutionId } from "../shared/job/ids.ts";
import { parseTaskId } from "../shared/job/ids.ts";
import type { JobError } from "../shared/job/result.ts";
import type { JobRecord, Ledger } from "./ledger.ts";

/** Notes whatever is not as it must be with a job that is over. */
export function checkJob(ledger: Ledger, job: JobRecord, maxAttempts: number): void {
  const { jobId, result } = job;
  if (result === undefined) return;
  switch (result.state) {
    case "succeeded":
      checkOutputs(ledger, job);
      checkCounters(ledger, job);
      return;
    case "cancelled":
      if (!job.cancelAsked) ledger.problem(`${jobId}: cancelled, though nobody asked for that`);
      if (job.committed !== undefined) ledger.problem(`${jobId}: cancelled, though its output is in place`);
      return;
    case "failed":
      if (job.committed !== undefined) ledger.problem(`${jobId}: failed, though its output is in place`);
      if (result.error === undefined) ledger.problem(`${jobId}: failed without a cause`);
      else checkCause(ledger, job, result.error, maxAttempts);
      return;
    default:
      result.state satisfies never;
  }
}

/** Nothing that was written is left, once everything has come to rest. */
export function checkStorage(ledger: Ledger): void {
  for (const [url, jobId] of ledger.pending) {
    if (ledger.told.has(url)) ledger.problem(`${jobId}: ${url} is neither committed nor discarded`);
  }
}

function checkOutputs(ledger: Ledger, job: JobRecord): void {
  const { jobId, committed } = job;
  if (committed === undefined) return ledger.problem(`${jobId}: succeeded without a commit`);
  const partitions = committed.map((id) => ledger.executions.get(id)?.number);
  if (partitions.join() !== Array.from({ length: job.reduces }, (_, i) => i).join()) {
    ledger.problem(`${jobId}: committed partitions ${partitions.join()}, expected 0 to ${job.reduces - 1}`);
  }
  for (const id of committed) checkSources(ledger, job, id);
}

function checkSources(ledger: Ledger, job: JobRecord, reduce: ExecutionId): void {
  const sources = ledger.executions.get(reduce)?.sources ?? [];
  if (sources.length !== job.maps) {
    ledger.problem(`${job.jobId}: reduce ${reduce} read ${sources.length} maps, expected ${job.maps}`);
  }
  sources.forEach((id, map) => {
    const made = ledger.executions.get(id);
    const good =
      made?.jobId === job.jobId &&
      made.phase === "map" &&
      made.number === map &&
      made.outcome === "succeeded";
    if (!good) ledger.problem(`${job.jobId}: reduce ${reduce} read ${id} as the output of map ${map}`);
  });
}

function checkCounters(ledger: Ledger, { jobId, maps, reduces, result }: JobRecord): void {
  const counters = result?.counters ?? {};
  for (const [phase, count] of [
    ["m", maps],
    ["r", reduces],
  ] as const) {
    for (let number = 0; number < count; number++) {
      const times = counters[`${phase}${number}`] ?? 0;
      if (times !== 1) ledger.problem(`${jobId}: task ${phase}${number} is counted ${times} times`);
    }
  }
}

/** A job may only fail of what did happen. */
function checkCause(ledger: Ledger, job: JobRecord, { code, task }: JobError, maxAttempts: number): void {
  if (code === "STORAGE_FAILED" && job.commitRefused) return;
  const failed = parseTaskId(task ?? "");
  const failures = [...ledger.executions.values()].filter(
    (made) =>
      made.jobId === job.jobId &&
      made.phase === failed?.phase &&
      made.number === failed.number &&
      made.outcome === "failed",
  ).length;
  if ((code === "USER_CODE_THREW" || code === "BROKER_FAILED") && failures + job.deadLetters >= maxAttempts)
    return;
  ledger.problem(
    `${job.jobId}: failed with ${code} of task ${task}, which failed ${failures} of ${maxAttempts} times`,
  );
}
