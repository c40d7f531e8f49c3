// Owns the folder in which an embedded run keeps what a fleet keeps in its storage: staged files, plan, result. Below the
// scratch directory, one for each run, gone with it; what dead runs left is swept by the next.
//
//   <scratch>/runs/                                   1777: users of a machine may share a scratch directory
//   <scratch>/runs/<job id>~<pid>~<process start>/    0700: its name is its lock, so that it is never without an owner

import { chmod, lstat, mkdir, readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { MapReduceError } from "../shared/job/errors.ts";
import type { JobId } from "../shared/job/ids.ts";
import { isAlive, thisProcess } from "../worker/process-identity.ts";
import { makeDirectory } from "../shared/storage/files/make-directory.ts";

/** A run's own folder. */
export interface RunDirectory {
  readonly path: string;
  /** Removes it with all that is in it. Twice is fine. */
  remove(): Promise<void>;
}

/**
 * Makes the folder of a run of this process, and sweeps those of dead ones.
 * @throws MapReduceError SCRATCH_UNUSABLE
 */
export async function makeRunDirectory(scratchDirectory: string, jobId: JobId): Promise<RunDirectory> {
  const runs = join(scratchDirectory, "runs");
  const { pid, start } = thisProcess();
  const path = join(runs, [jobId, pid, ...start.split(" ")].join("~"));
  try {
    if ((await makeDirectory(runs)) !== undefined) await chmod(runs, 0o1777);
    await mkdir(path, { mode: 0o700 });
    await sweep(runs);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MapReduceError("SCRATCH_UNUSABLE", `scratch ${runs}: ${why}`, { cause });
  }
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Removes folders of this user's whose process is gone. */
async function sweep(runs: string): Promise<void> {
  for (const name of await readdir(runs)) {
    const [, pid, ...start] = name.split("~");
    if (pid === undefined || isAlive({ pid: Number(pid), start: start.join(" ") })) continue;
    const path = join(runs, name);
    // Another run may be sweeping too: gone is gone.
    const found = await lstat(path).catch(() => undefined);
    if (found?.uid === process.geteuid?.()) await rm(path, { recursive: true, force: true });
  }
}
