// Owns the manifest of a job's output, `_SUCCESS`, and the names of what the engine keeps beside the result files.

import type { Counters } from "../../shared/job/counters.ts";
import { MapReduceError } from "../../shared/job/errors.ts";
import type { Storage } from "../../shared/storage/storage.ts";

export const successName = "_SUCCESS";
export const temporaryName = "_temporary";

/** What a finished job says of its output directory; written last, as JSON, under the name `_SUCCESS`. */
export interface Manifest {
  readonly jobId: string;
  readonly name: string;
  /** Names relative to the output directory, in the order of their UTF-8 bytes. */
  readonly files: readonly { readonly name: string; readonly records: number; readonly bytes: number }[];
  readonly counters: Counters;
}

/**
 * Reads the manifest of an output directory: undefined where there is none, "foreign" where another system wrote
 * a `_SUCCESS` of its own.
 * @throws MapReduceError STORAGE_FAILED
 */
export async function readManifest(
  storage: Storage,
  output: string,
): Promise<Manifest | "foreign" | undefined> {
  const bytes = await readIfThere(storage, `${output}/${successName}`);
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    return "foreign";
  }
  return isManifest(value) ? value : "foreign";
}

/** A file's bytes, or undefined where there is none. */
export async function readIfThere(storage: Storage, url: string): Promise<Uint8Array | undefined> {
  try {
    return await storage.read(url);
  } catch (error) {
    if (error instanceof MapReduceError && error.code === "INPUT_NOT_FOUND") return undefined;
    throw error;
  }
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== "object" || value === null) return false;
  const { jobId, files } = value as Partial<Manifest>;
  return (
    typeof jobId === "string" &&
    Array.isArray(files) &&
    files.every((file: unknown) => {
      if (typeof file !== "object" || file === null) return false;
      const { name } = file as { name?: unknown };
      // Names become paths when an output is replaced: none may lead out of its directory.
      return typeof name === "string" && name !== "" && !name.split("/").includes("..");
    })
  );
}
