// Owns the commit of a job: pending outputs become result files, all or (seen through `_SUCCESS`) none. Only the master
// commits, once all tasks are accepted. Every step may be repeated: a master that takes over starts from the first.

import type { Counters } from "../../shared/job/counters.ts";
import type { JobId } from "../../shared/job/ids.ts";
import type { PendingOutput, Storage } from "../../shared/storage/storage.ts";
import { readIfThere, readManifest, successName, temporaryName, type Manifest } from "./manifest.ts";

/** Renames and multipart completions in flight: hides the latency of S3, far below its request limits. */
const concurrency = 32;

export interface Commit {
  readonly output: string;
  readonly jobId: JobId;
  readonly name: string;
  readonly counters: Counters;
  readonly pending: readonly PendingOutput[];
}

/** The manifest as it lies below `_temporary` while the job commits: with the names that it takes the place of. */
interface CommittingManifest extends Manifest {
  readonly replaces: readonly string[];
}

/**
 * Commits a job: manifest below `_temporary`, then what it replaces and every pending output, `_SUCCESS` last, then
 * `_temporary` goes.
 * @throws MapReduceError STORAGE_FAILED; the same call may then be made again
 */
export async function commitJob(storage: Storage, commit: Commit): Promise<void> {
  const { output, jobId } = commit;
  const present = await readManifest(storage, output);
  const done = typeof present === "object" && present.jobId === jobId;
  if (!done) {
    const manifest = await writeManifest(storage, commit, present);
    const kept = new Set(manifest.files.map((file) => file.name));
    // From here to the new _SUCCESS the directory must not pass for a whole output.
    if (present !== undefined) await storage.remove(`${output}/${successName}`);
    await eachOf(manifest.replaces, async (name) => {
      if (!kept.has(name)) await storage.remove(fileUrl(output, name));
    });
    await eachOf(commit.pending, (pending) => storage.commitPending(output, pending));
    const { replaces: _, ...success } = manifest;
    await storage.write(`${output}/${successName}`, encode(success));
  }
  await storage.remove(`${output}/${temporaryName}`);
}

/** Removes pending outputs that the master did not accept. */
export async function discardPending(storage: Storage, pending: readonly PendingOutput[]): Promise<void> {
  await eachOf(pending, (each) => storage.discardPending(each));
}

/** The URL of a result file by its name in the manifest. */
export function fileUrl(output: string, name: string): string {
  return `${output}/${name.split("/").map(encodeURIComponent).join("/")}`;
}

async function writeManifest(
  storage: Storage,
  { output, jobId, name, counters, pending }: Commit,
  present: Manifest | "foreign" | undefined,
): Promise<CommittingManifest> {
  const url = `${output}/${temporaryName}/${jobId}/manifest.json`;
  const before = await readIfThere(storage, url);
  if (before !== undefined) return JSON.parse(new TextDecoder().decode(before)) as CommittingManifest;
  const manifest: CommittingManifest = {
    jobId,
    name,
    files: pending
      .map((each) => ({ name: each.name, records: each.records, bytes: each.bytes }))
      .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name))),
    counters,
    replaces: typeof present === "object" ? present.files.map((file) => file.name) : [],
  };
  await storage.write(url, encode(manifest));
  return manifest;
}

async function eachOf<T>(items: readonly T[], act: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const lanes = Array.from({ length: Math.min(concurrency, items.length) }, async () => {
    for (const item of queue) await act(item);
  });
  await Promise.all(lanes);
}

function encode(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
