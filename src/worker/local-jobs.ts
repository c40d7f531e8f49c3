// Owns what a worker has of each job it works on: its document and bundle, brought here once and checked by their hash.

import { createHash, randomUUID } from "node:crypto";
import { rename, writeFile } from "node:fs/promises";
import type { HashedFile, JobDocument } from "../shared/job/document.ts";
import { MapReduceError } from "../shared/job/errors.ts";
import type { JobId } from "../shared/job/ids.ts";
import { protocolVersion } from "../shared/messages/messages.ts";
import type { Storage } from "../shared/storage/storage.ts";
import type { LoadRequest } from "./executor/protocol.ts";
import { unusable, type Scratch } from "./scratch.ts";

/** The values of a job's secrets, by name; they are in no document and no message. */
export type Secrets = { readonly [name: string]: string };

/** The jobs that a worker has brought to its scratch disk. */
export class LocalJobs {
  readonly #storage: Storage;
  readonly #scratch: Scratch;
  readonly #secrets: Secrets;
  readonly #jobs = new Map<JobId, Promise<LoadRequest>>();

  constructor(storage: Storage, scratch: Scratch, secrets: Secrets) {
    this.#storage = storage;
    this.#scratch = scratch;
    this.#secrets = secrets;
  }

  /**
   * What an executor needs to serve this job, brought here by whoever asks first.
   * @throws MapReduceError BUNDLE_INVALID, STORAGE_FAILED, SCRATCH_UNUSABLE; the next to ask tries again
   */
  get(jobId: JobId, document: HashedFile): Promise<LoadRequest> {
    let job = this.#jobs.get(jobId);
    if (job === undefined) {
      job = this.#bring(jobId, document);
      job.catch(() => this.#jobs.delete(jobId));
      this.#jobs.set(jobId, job);
    }
    return job;
  }

  release(jobId: JobId): void {
    this.#jobs.delete(jobId);
  }

  async #bring(jobId: JobId, file: HashedFile): Promise<LoadRequest> {
    const made = this.#scratch.makeJob(jobId);
    const document = await this.#readDocument(jobId, file);
    const bundle = await this.#readHashed(document.bundle, `bundle of job ${jobId}`);
    await made;
    const bundlePath = this.#scratch.bundlePath(jobId, document.bundle.sha256);
    // Two workers of one process may share the scratch directory.
    const unfinished = `${bundlePath}.${randomUUID()}`;
    try {
      await writeFile(unfinished, bundle);
      await rename(unfinished, bundlePath);
    } catch (error) {
      throw unusable(bundlePath, error);
    }
    return { kind: "load", bundlePath, document, secrets: this.#secretsOf(document) };
  }

  async #readDocument(jobId: JobId, file: HashedFile): Promise<JobDocument> {
    const bytes = await this.#readHashed(file, `document of job ${jobId}`);
    const document = JSON.parse(new TextDecoder().decode(bytes)) as JobDocument;
    if (document.protocol === protocolVersion && document.jobId === jobId) return document;
    const found = `protocol ${document.protocol} and job ${document.jobId}`;
    throw new MapReduceError(
      "MESSAGE_INVALID",
      `document of job ${jobId}: found ${found}, expected protocol 1`,
    );
  }

  async #readHashed(file: HashedFile, subject: string): Promise<Uint8Array> {
    const bytes = await this.#storage.read(file.url);
    const found = createHash("sha256").update(bytes).digest("hex");
    if (found === file.sha256) return bytes;
    throw new MapReduceError("BUNDLE_INVALID", `${subject}: found SHA-256 ${found}, expected ${file.sha256}`);
  }

  #secretsOf(document: JobDocument): Secrets {
    const known = document.secrets.filter((name) => Object.hasOwn(this.#secrets, name));
    return Object.fromEntries(known.map((name) => [name, this.#secrets[name] ?? ""]));
  }
}
