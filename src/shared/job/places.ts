// Owns where a job's own files lie in storage: what the client stages, what the master adds, what the client reads back.

import type { HashedFile } from "./document.ts";
import type { JobId } from "./ids.ts";

/** The directory of a job's own files. `storageRoot` is a URL without a trailing slash. */
export function jobDirectory(storageRoot: string, jobId: JobId): string {
  return `${storageRoot}/jobs/${jobId}`;
}

/** The place of a bundle: known before it is put there, as the document names it. */
export function bundleFile(storageRoot: string, jobId: JobId, sha256: string): HashedFile {
  return { url: `${jobDirectory(storageRoot, jobId)}/bundle-${sha256}.mjs`, sha256 };
}

export function documentFile(storageRoot: string, jobId: JobId, sha256: string): HashedFile {
  return { url: `${jobDirectory(storageRoot, jobId)}/document-${sha256}.json`, sha256 };
}

/** The master's plan: splits of every map task, the shuffle token, the output place. */
export function planUrl(storageRoot: string, jobId: JobId): string {
  return `${jobDirectory(storageRoot, jobId)}/plan.json`;
}

/** The splits of one map task that has too many of them for a message. */
export function splitsUrl(storageRoot: string, jobId: JobId, map: number): string {
  return `${jobDirectory(storageRoot, jobId)}/splits-${map}.json`;
}

/** The JobResult, once the job is over: all that is kept of a job's own files. */
export function resultUrl(storageRoot: string, jobId: JobId): string {
  return `${jobDirectory(storageRoot, jobId)}/result.json`;
}
