// Owns a worker's scratch directory: what lies where in it, who may read it, whose it is, and that nothing is left over.
//
//   <scratch>/workers/<incarnation>.json          the lock of a live owner: pid and start time
//   <scratch>/jobs/                               1777, like /tmp: workers of several users may share a machine
//   <scratch>/jobs/<job id>/                      0700
//     owner-<incarnation>                         who works on the job: the folder goes with the last of them
//     bundle-<sha256>.mjs                         the job's bundle
//     map/<task>-<attempt>-<incarnation>          a finished map execution's segment file
//     executions/<execution id>/                  an execution's own folder, while it runs
//
// Every path is made here, of ids that were checked; none is ever taken from a message or a request. A name tells its
// owner's incarnation, and an owner's lock is there before anything else of it: what has no live owner is swept.

import { chmod, lstat, mkdir, readdir, readFile, rm, statfs, unlink, writeFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { MapReduceError } from "../shared/job/errors.ts";
import type { AttemptRef, ExecutionId, Incarnation, JobId } from "../shared/job/ids.ts";
import { isAlive, thisProcess, type ProcessIdentity } from "./process-identity.ts";
import { makeDirectory } from "../shared/storage/files/make-directory.ts";

/** A worker with less free disk than this is unfit: not even a small map's output is sure to find room. */
const minFreeBytes = 16 * 2 ** 20;
const uuidPattern = /[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/;
const wholeUuid = new RegExp(`^${uuidPattern.source}$`);

/** Where a map execution's finished segment file lies in a scratch directory, one's own or that of a neighbour. */
export function segmentPath(
  scratchDirectory: string,
  { jobId, taskId, attempt }: AttemptRef,
  incarnation: Incarnation,
): string {
  return join(jobFolderOf(scratchDirectory, jobId), "map", `${taskId}-${attempt}-${checked(incarnation)}`);
}

/** A scratch directory that this process owns. */
export class Scratch {
  readonly directory: string;
  readonly #incarnation: Incarnation;
  #opened = false;
  readonly #made = new Map<JobId, Promise<void>>();

  /** Touches nothing yet. @param directory made by `open` where it is missing */
  constructor(directory: string, incarnation: Incarnation) {
    this.directory = resolve(directory);
    this.#incarnation = checked(incarnation);
  }

  /**
   * Takes a place in the directory and sweeps what dead owners left.
   * @throws MapReduceError SCRATCH_UNUSABLE
   */
  async open(): Promise<void> {
    await usable(this.directory, async () => {
      await makeShared(join(this.directory, "workers"));
      await makeShared(join(this.directory, "jobs"));
      await writeFile(this.#lockPath(this.#incarnation), JSON.stringify(thisProcess()), { flag: "wx" });
      this.#opened = true;
      await this.#sweep();
    });
  }

  bundlePath(jobId: JobId, sha256: string): string {
    return join(jobFolderOf(this.directory, jobId), `bundle-${sha256}.mjs`);
  }

  segmentPath(attempt: AttemptRef): string {
    return segmentPath(this.directory, attempt, this.#incarnation);
  }

  /** Makes the folder of an execution. Remove it with `removeExecution`. */
  async makeExecution(jobId: JobId, executionId: ExecutionId): Promise<string> {
    await this.makeJob(jobId);
    const folder = this.#executionFolder(jobId, executionId);
    await usable(folder, () => mkdir(folder));
    return folder;
  }

  /** Removes an execution's folder, and the note of its records beside it. */
  async removeExecution(jobId: JobId, executionId: ExecutionId): Promise<void> {
    const folder = this.#executionFolder(jobId, executionId);
    await Promise.all([folder, `${folder}.record`].map((path) => rm(path, { recursive: true, force: true })));
  }

  /** Makes a job's folder, once. @throws MapReduceError SCRATCH_UNUSABLE, also where it is another user's */
  makeJob(jobId: JobId): Promise<void> {
    let made = this.#made.get(jobId);
    if (made === undefined) {
      made = this.#makeJob(jobFolderOf(this.directory, jobId));
      made.catch(() => this.#made.delete(jobId));
      this.#made.set(jobId, made);
    }
    return made;
  }

  /** Removes all that is left of a job. */
  async removeJob(jobId: JobId): Promise<void> {
    this.#made.delete(jobId);
    const folder = jobFolderOf(this.directory, jobId);
    await usable(folder, () => rm(folder, { recursive: true, force: true }));
  }

  /** What makes the directory unfit for work: a sentence, or null. Asked at every heartbeat. */
  async problem(): Promise<string | null> {
    const probe = join(this.directory, "jobs", `.probe-${this.#incarnation}`);
    try {
      await writeFile(probe, Buffer.alloc(4096));
      await unlink(probe);
      const { bavail, bsize } = await statfs(this.directory);
      if (bavail * bsize >= minFreeBytes) return null;
      return `scratch ${this.directory}: found ${bavail * bsize} bytes free, expected at least ${minFreeBytes}`;
    } catch (error) {
      return unusable(this.directory, error).message;
    }
  }

  /** Gives the place up and removes what is this worker's. Twice is fine. */
  async close(): Promise<void> {
    if (!this.#opened) return;
    this.#opened = false;
    await rm(this.#lockPath(this.#incarnation), { force: true });
    await this.#sweep();
  }

  #lockPath(incarnation: Incarnation): string {
    return join(this.directory, "workers", `${incarnation}.json`);
  }

  #executionFolder(jobId: JobId, executionId: ExecutionId): string {
    const [incarnation = "", serial] = executionId.split(".");
    return join(
      jobFolderOf(this.directory, jobId),
      "executions",
      `${checked(incarnation)}.${Number(serial)}`,
    );
  }

  async #makeJob(folder: string): Promise<void> {
    await usable(folder, async () => {
      await mkdir(folder, { mode: 0o700 }).catch(unless("EEXIST"));
      const found = await lstat(folder);
      if (!found.isDirectory() || found.uid !== process.geteuid?.()) throw new Error("it is another user's");
      await writeFile(join(folder, `owner-${this.#incarnation}`), "");
      await mkdir(join(folder, "map")).catch(unless("EEXIST"));
      await mkdir(join(folder, "executions")).catch(unless("EEXIST"));
    });
  }

  /** Removes what names an owner that is not live. What can't be entered is another user's, and swept by that user's workers. */
  async #sweep(): Promise<void> {
    await this.#sweepFolder(join(this.directory, "workers"));
    const jobs = join(this.directory, "jobs");
    for (const name of (await readdir(jobs).catch(unless("ENOENT"))) ?? []) {
      const folder = join(jobs, name);
      if (!wholeUuid.test(name)) continue;
      const found = await lstat(folder).catch(unless("ENOENT"));
      if (found?.isDirectory() !== true || found.uid !== process.geteuid?.()) continue;
      const parts = [folder, join(folder, "map"), join(folder, "executions")];
      const live = await Promise.all(parts.map((part) => this.#sweepFolder(part)));
      if (!live.includes(true)) await rm(folder, { recursive: true, force: true });
    }
  }

  /** Removes the entries of dead owners; whether there are some of live ones. */
  async #sweepFolder(folder: string): Promise<boolean> {
    let live = false;
    for (const name of (await readdir(folder).catch(unless("ENOENT"))) ?? []) {
      const owner = uuidPattern.exec(name)?.[0];
      if (owner === undefined) continue;
      if (await this.#isLive(owner)) live = true;
      else await rm(join(folder, name), { recursive: true, force: true }).catch(unless("EPERM", "EACCES"));
    }
    return live;
  }

  async #isLive(incarnation: string): Promise<boolean> {
    const text = await readFile(this.#lockPath(incarnation), "utf8").catch(unless("ENOENT", "EACCES"));
    // An empty lock is one that is being written.
    return text !== undefined && (text === "" || isAlive(JSON.parse(text) as ProcessIdentity));
  }
}

function jobFolderOf(scratchDirectory: string, jobId: JobId): string {
  return join(scratchDirectory, "jobs", checked(jobId));
}

/** An id that becomes part of a path is a UUID, whoever says it. */
function checked(id: string): string {
  if (wholeUuid.test(id)) return id;
  throw new MapReduceError("MESSAGE_INVALID", `id ${JSON.stringify(id)}: expected a UUID`);
}

/** A folder for all users of the machine, each of whom can remove only what is theirs. */
async function makeShared(folder: string): Promise<void> {
  if ((await makeDirectory(folder)) !== undefined) await chmod(folder, 0o1777);
}

/** Runs a step on the scratch disk; what it throws becomes SCRATCH_UNUSABLE. */
async function usable<T>(path: string, step: () => Promise<T>): Promise<T> {
  try {
    return await step();
  } catch (error) {
    throw unusable(path, error);
  }
}

/** What went wrong on the scratch disk, as SCRATCH_UNUSABLE. */
export function unusable(path: string, cause: unknown): MapReduceError {
  const reason = cause instanceof Error ? cause.message : String(cause);
  return new MapReduceError("SCRATCH_UNUSABLE", `scratch ${path}: ${reason}`, { cause });
}

/** Passes over errors of these codes; every other is thrown on. */
function unless(...codes: readonly string[]): (error: unknown) => undefined {
  return (error) => {
    if (!codes.includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
  };
}
