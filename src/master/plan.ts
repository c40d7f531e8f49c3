// Owns a job's plan: which splits each map task reads, under which token its segments are fetched, and how its output place
// was found. Made once, before the job's first attempt, and kept in storage, so that a master that takes over makes the
// same tasks even though the input has changed since. Decides nothing about attempts.

import { createHash, randomBytes } from "node:crypto";
import type { HashedFile, JobDocument, Split } from "../shared/job/document.ts";
import { MapReduceError } from "../shared/job/errors.ts";
import type { JobId } from "../shared/job/ids.ts";
import { planUrl } from "../shared/job/places.ts";
import type { Storage } from "../shared/storage/storage.ts";
import { readIfThere } from "./commit/manifest.ts";
import { checkOutputPlace, type OutputPlace } from "./commit/place.ts";
import { cutSplits } from "./split/cut.ts";
import { listInputs } from "./split/list.ts";

export interface Plan {
  readonly shuffleToken: string;
  readonly place: OutputPlace;
  readonly inputBytes: number;
  /** Splits by map number. */
  readonly splits: readonly (readonly Split[])[];
}

/** A job as the loop holds it beside the core: what tasks are made of. */
export interface PlannedJob {
  readonly document: JobDocument;
  readonly plan: Plan;
}

/**
 * Makes a job's plan and keeps it in storage; one that is there already is the plan.
 * @param isLive whether another job with this id is at work, so that its output place is taken
 * @throws MapReduceError what stops a job before its first attempt: input, output place, document
 */
export async function planJob(
  storage: Storage,
  storageRoot: string,
  file: HashedFile,
  jobId: JobId,
  isLive: (jobId: JobId) => boolean,
): Promise<PlannedJob> {
  const [document, before] = await Promise.all([
    readDocument(storage, file, jobId),
    readJson<Plan>(storage, planUrl(storageRoot, jobId)),
  ]);
  if (before !== undefined) return { document, plan: before };
  const splits = await planSplits(storage, document);
  const place = await checkOutputPlace(storage, document.output, document.overwrite, isLive);
  const plan: Plan = {
    shuffleToken: randomBytes(32).toString("base64url"),
    place,
    inputBytes: splits.flat().reduce((sum, { start, end }) => sum + end - start, 0),
    splits,
  };
  await storage.write(planUrl(storageRoot, jobId), new TextEncoder().encode(JSON.stringify(plan)));
  return { document, plan };
}

/**
 * Lists a job's inputs and cuts them: the splits of each map task, by map number.
 * @throws MapReduceError what stops a job whose inputs can't be listed or cut
 */
export async function planSplits(storage: Storage, document: JobDocument): Promise<Split[][]> {
  return cutSplits(await listInputs(storage, document), {
    splitSize: document.splitSize,
    filesPerTask: document.filesPerTask,
    mayShare: (a, b) => sharedTaskKey(document, a) === sharedTaskKey(document, b),
  });
}

/**
 * Reads the job document, which must be the bytes that were submitted.
 * @throws MapReduceError MESSAGE_INVALID where they are not, STORAGE_FAILED
 */
async function readDocument(
  storage: Storage,
  { url, sha256 }: HashedFile,
  jobId: JobId,
): Promise<JobDocument> {
  const bytes = await storage.read(url);
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found !== sha256) {
    throw new MapReduceError(
      "MESSAGE_INVALID",
      `document ${url}: found SHA-256 ${found}, expected ${sha256}`,
    );
  }
  const document = JSON.parse(new TextDecoder().decode(bytes)) as JobDocument;
  if (document.jobId !== jobId) {
    throw new MapReduceError(
      "MESSAGE_INVALID",
      `document ${url}: found job ${document.jobId}, expected ${jobId}`,
    );
  }
  return document;
}

async function readJson<T>(storage: Storage, url: string): Promise<T | undefined> {
  const bytes = await readIfThere(storage, url);
  return bytes === undefined ? undefined : (JSON.parse(new TextDecoder().decode(bytes)) as T);
}

/** Inputs whose records are made and mapped alike may share a task. */
function sharedTaskKey(document: JobDocument, input: number): string {
  const { format, mapper } = document.inputs[input] ?? {};
  return JSON.stringify([format, mapper]);
}
