// Owns the check of a job's output place before its first attempt, and how the place is left as it was when the job
// does not succeed. It never touches a result file.

import { MapReduceError } from "../../shared/job/errors.ts";
import type { JobId } from "../../shared/job/ids.ts";
import type { Storage } from "../../shared/storage/storage.ts";
import { readManifest, successName, temporaryName } from "./manifest.ts";

/** What must be known to leave an output place as it was. */
export interface OutputPlace {
  /** The output directory. */
  readonly url: string;
  /** The nearest directory that was there before the job: the output itself or one of its parents. */
  readonly keep: string;
}

/**
 * Checks that a job may write to its output directory: it is empty or absent, or with `overwrite` holds nothing but
 * what the manifest there lists. What a dead job left in `_temporary` is removed.
 * @param isLive whether a job with this id is still at work; its `_temporary` is not touched
 * @throws MapReduceError OUTPUT_EXISTS naming what is in the way, OUTPUT_NOT_WRITABLE
 */
export async function checkOutputPlace(
  storage: Storage,
  output: string,
  overwrite: boolean,
  isLive: (jobId: JobId) => boolean,
): Promise<OutputPlace> {
  const manifest = overwrite ? await readManifest(storage, output) : undefined;
  const replaceable = new Set<string>();
  if (typeof manifest === "object") {
    for (const { name } of manifest.files) replaceable.add(name);
    replaceable.add(successName);
  }
  const dead = new Set<string>();
  for await (const { url } of storage.list(output)) {
    if (url === output)
      throw new MapReduceError("OUTPUT_EXISTS", `output ${output}: is a file, expected a directory`);
    const name = decodeURIComponent(url.slice(output.length + 1));
    if (name.startsWith(`${temporaryName}/`)) {
      const owner = name.split("/")[1] ?? "";
      if (isLive(owner)) {
        throw new MapReduceError("OUTPUT_EXISTS", `output ${output}: job ${owner} is writing there`);
      }
      dead.add(`${output}/${temporaryName}`);
    } else if (!replaceable.has(name)) {
      const why = overwrite
        ? "which no earlier job's manifest lists"
        : "expected an empty or absent directory";
      throw new MapReduceError("OUTPUT_EXISTS", `output ${output}: holds ${name}, ${why}`);
    }
  }
  for (const url of dead) await storage.remove(url);
  const keep = await storage.nearestDirectory(output);
  await storage.checkWritable(output);
  return { url: output, keep };
}

/** Removes what a job that did not succeed left at its output place, directories that it made included. May be repeated. */
export async function abandonOutput(storage: Storage, place: OutputPlace, jobId: JobId): Promise<void> {
  const temporary = `${place.url}/${temporaryName}`;
  await storage.remove(`${temporary}/${jobId}`);
  await storage.removeEmpty(temporary, place.keep);
}
