// Owns the master's core: what an event leads to. `decide` updates the state that it is given and returns what is to be done.
// It has no clock, does no I/O, draws no random number and awaits nothing: the same events give the same state and effects.

import { fromFailure } from "../../shared/job/errors.ts";
import { taskId } from "../../shared/job/ids.ts";
import { announceInTurn, progressOf } from "./announce.ts";
import { issueBackups } from "./backup.ts";
import type { Effect, MasterEvent } from "./events.ts";
import { cancelJob, commitWhenDone, failJob, forgetTasks, succeedJob } from "./finish.ts";
import { takeHeartbeat } from "./heartbeat.ts";
import { issueTasks } from "./issue.ts";
import { findSilence, loseWorker } from "./loss.ts";
import { deadLettered, takeReport } from "./report.ts";
import { newJob, newTasks, type MasterState } from "./state.ts";
import { giveTurns } from "./waiting.ts";
import { returnWorker } from "./workers.ts";

/** Progress is told no more often than this. */
const progressMs = 200;
/** Slow attempts are looked for no more often than this: a look costs as much as there are live attempts. */
const backupsMs = 1_000;

/** Takes an event into the state; gives the effects, in the order in which they are to be begun. */
export function decide(state: MasterState, event: MasterEvent): Effect[] {
  state.nowMs = Math.max(state.nowMs, event.atMs);
  const effects: Effect[] = [];
  switch (event.kind) {
    case "JobSubmitted":
      submit(state, event.jobId, effects);
      break;
    case "JobPlanned":
      plan(state, event, effects);
      break;
    case "JobRefused":
      refuse(state, event, effects);
      break;
    case "CancelRequested": {
      const job = state.jobs.get(event.jobId);
      if (job !== undefined) cancelJob(state, job, effects);
      break;
    }
    case "Reported":
      takeReport(state, event.report, effects);
      break;
    case "TaskDeadLettered":
      deadLettered(state, event, effects);
      break;
    case "TaskGivenUp": {
      const { jobId, phase, number, failure } = event;
      const job = state.jobs.get(jobId);
      if (job?.state === "running") failJob(state, job, fromFailure(failure), taskId(phase, number), effects);
      break;
    }
    case "WorkerReturned":
      returnWorker(state, event.worker);
      break;
    case "WorkerLost":
      loseWorker(state, event.worker, effects);
      break;
    case "Committed": {
      const job = state.jobs.get(event.jobId);
      if (job !== undefined) succeedJob(state, job, effects);
      break;
    }
    case "CommitFailed": {
      const job = state.jobs.get(event.jobId);
      if (job?.state === "committing") failJob(state, job, fromFailure(event.failure), undefined, effects);
      break;
    }
    case "Heartbeat":
      takeHeartbeat(state, event.heartbeat, effects);
      break;
    case "Tick":
      tick(state, effects);
      break;
    default:
      event satisfies never;
  }
  issueTasks(state, effects);
  return effects;
}

function submit(state: MasterState, jobId: string, effects: Effect[]): void {
  const known = state.jobs.get(jobId);
  if (known === undefined) {
    state.jobs.set(jobId, newJob(jobId, state.nowMs));
    effects.push({ kind: "PlanJob", jobId });
  } else if (known.state !== "planning") effects.push({ kind: "AcceptJob", jobId });
}

function plan(
  state: MasterState,
  event: Extract<MasterEvent, { kind: "JobPlanned" }>,
  effects: Effect[],
): void {
  const job = state.jobs.get(event.jobId);
  if (job?.state !== "planning") return;
  const { name, maxAttempts, backupTasks, scheduling } = event.settings;
  job.settings = { name, maxAttempts, backupTasks, scheduling };
  job.inputBytes = event.inputBytes;
  job.map = newTasks("map", event.mapTasks);
  job.reduce = newTasks("reduce", event.reduceTasks);
  job.countedMaps = new Uint8Array(event.mapTasks);
  job.state = "running";
  effects.push({ kind: "AcceptJob", jobId: job.id });
  giveTurns(state, job);
  commitWhenDone(state, job, effects);
}

/** What stops a job before its first attempt leaves no result: the client is told why instead. */
function refuse(
  state: MasterState,
  event: Extract<MasterEvent, { kind: "JobRefused" }>,
  effects: Effect[],
): void {
  const { jobId, failure } = event;
  const job = state.jobs.get(jobId);
  if (job?.state !== "planning") return;
  state.jobs.delete(jobId);
  forgetTasks(state, job);
  effects.push({ kind: "RejectJob", jobId, failure }, { kind: "ReleaseJob", jobId });
}

function tick(state: MasterState, effects: Effect[]): void {
  findSilence(state, effects);
  const tellProgress = state.nowMs - state.lastProgressMs >= progressMs;
  if (tellProgress) state.lastProgressMs = state.nowMs;
  const makeBackups = state.nowMs - state.lastBackupsMs >= backupsMs;
  if (makeBackups) state.lastBackupsMs = state.nowMs;
  for (const job of state.jobs.values()) {
    if (job.state !== "running") continue;
    announceInTurn(state, job, effects);
    if (makeBackups) issueBackups(state, job, effects);
    if (tellProgress)
      effects.push({ kind: "AnnounceProgress", jobId: job.id, progress: progressOf(state, job) });
  }
}
