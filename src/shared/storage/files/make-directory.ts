// Owns making a directory with its parents. Node's own `mkdir(path, { recursive: true })` never returns where a parent exists
// and yet can't hold the directory, as below /proc: each of these gives up after one try of each parent.

import { mkdirSync, statSync } from "node:fs";
import { mkdir, stat } from "node:fs/promises";
import { dirname } from "node:path";

/** Makes a directory and what is missing above it; gives the first that was made, or undefined where all were there. */
export async function makeDirectory(path: string): Promise<string | undefined> {
  try {
    await mkdir(path);
    return path;
  } catch (error) {
    if (await isDirectory(path)) return undefined;
    if (!isMissingParent(error, path)) throw error;
  }
  const firstMade = await makeDirectory(dirname(path));
  const madeHere = await mkdir(path).then(
    () => true,
    async (error: unknown) => {
      // Somebody else may have been faster.
      if (await isDirectory(path)) return false;
      throw error;
    },
  );
  return firstMade ?? (madeHere ? path : undefined);
}

/** The same at once, for executors. */
export function makeDirectorySync(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true) return;
    if (!isMissingParent(error, path)) throw error;
    makeDirectorySync(dirname(path));
    mkdirOnce(path);
  }
}

function mkdirOnce(path: string): void {
  try {
    mkdirSync(path);
  } catch (error) {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) throw error;
  }
}

async function isDirectory(path: string): Promise<boolean> {
  return await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
}

function isMissingParent(error: unknown, path: string): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "ENOENT" && dirname(path) !== path;
}
