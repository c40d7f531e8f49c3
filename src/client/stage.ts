// Owns what a client puts into storage before it submits a job: the bundle and the job document. Both are named by their
// SHA-256, so that putting them twice is the same as once.

import { createHash } from "node:crypto";
import type { HashedFile, JobDocument } from "../shared/job/document.ts";
import { documentFile } from "../shared/job/places.ts";
import type { Storage } from "../shared/storage/storage.ts";

/**
 * Puts bundle and document into storage, and gives the document's place and hash.
 * @throws MapReduceError STORAGE_FAILED
 */
export async function stageJob(
  storage: Storage,
  storageRoot: string,
  document: JobDocument,
  bundle: Uint8Array,
): Promise<HashedFile> {
  const bytes = new TextEncoder().encode(JSON.stringify(document));
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  const file = documentFile(storageRoot, document.jobId, sha256);
  await Promise.all([storage.write(document.bundle.url, bundle), storage.write(file.url, bytes)]);
  return file;
}
