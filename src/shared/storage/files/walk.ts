// Owns the walk through a directory tree: its files in the order of the UTF-8 bytes of their paths, links followed.
// It holds one directory's names per level, never the tree.

import { readdir, realpath, stat } from "node:fs/promises";
import { MapReduceError } from "../../job/errors.ts";

/** Names of files that are being written: no listing shows them. */
const temporaryPattern = /^\.mapreduce-[0-9a-f-]{36}\.tmp$/;

/** The name of a file that is being written, beside its place-to-be. */
export function temporaryName(uuid: string): string {
  return `.mapreduce-${uuid}.tmp`;
}

/** Threads of Node's file pool are four; some more asked at once keep them busy. */
const statsInFlight = 32;

interface Named {
  readonly name: string;
  readonly size: number;
  readonly type: "file" | "directory" | "linked directory";
}

/** A file below the walked directory: its path from there, and its size in bytes. */
export interface WalkedFile {
  readonly relativePath: string;
  readonly size: number;
}

/**
 * Walks through everything below a directory. What vanishes meanwhile is left out, as is what is neither file nor
 * directory.
 * @throws MapReduceError STORAGE_FAILED for a link into its own parents, a link that leads nowhere and is not hidden,
 *   a name that is not UTF-8; and what the file system throws
 */
export async function* walk(directory: string): AsyncGenerator<WalkedFile, void, undefined> {
  yield* walkBelow(directory, "", [await realpath(directory)]);
}

async function* walkBelow(
  root: string,
  prefix: string,
  entered: readonly string[],
): AsyncGenerator<WalkedFile, void, undefined> {
  for (const { name, size, type } of await readSorted(`${root}/${prefix}`)) {
    const relativePath = prefix + name;
    if (type === "file") yield { relativePath, size };
    else if (type === "directory") yield* walkBelow(root, `${relativePath}/`, entered);
    else {
      const target = await realpath(`${root}/${relativePath}`);
      if (entered.some((each) => each === target || each.startsWith(`${target}/`))) {
        throw failed(`${root}/${relativePath}`, `found a link to ${target}, which holds it`);
      }
      yield* walkBelow(root, `${relativePath}/`, [...entered, target]);
    }
  }
}

/** A directory's entries, so that walking them in turn gives paths in byte order: a directory sorts as "name/". */
async function readSorted(directory: string): Promise<Named[]> {
  const names = await readNames(directory);
  const found: Named[] = [];
  for (let start = 0; start < names.length; start += statsInFlight) {
    const some = await Promise.all(
      names.slice(start, start + statsInFlight).map((each) => look(directory, each)),
    );
    for (const each of some) if (each !== undefined) found.push(each);
  }
  return found
    .map((named) => ({ named, bytes: Buffer.from(named.type === "file" ? named.name : `${named.name}/`) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ named }) => named);
}

interface Entry {
  readonly name: string;
  readonly isLink: boolean;
}

async function readNames(directory: string): Promise<Entry[]> {
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    return entries
      .filter((entry) => !temporaryPattern.test(entry.name))
      .map((entry) => ({ name: entry.name, isLink: entry.isSymbolicLink() }));
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

async function look(directory: string, { name, isLink }: Entry): Promise<Named | undefined> {
  try {
    const stats = await stat(`${directory}${name}`);
    if (stats.isFile()) return { name, size: stats.size, type: "file" };
    if (stats.isDirectory()) return { name, size: 0, type: isLink ? "linked directory" : "directory" };
    return undefined;
  } catch (error) {
    if (!isGone(error)) throw error;
    // A read that replaced bad bytes gives a name that nothing has.
    if (name.includes("\uFFFD")) throw failed(`${directory}${name}`, "found a name that is not UTF-8", error);
    // Editors lock files by links to nowhere, under hidden names.
    if (isLink && !name.startsWith("."))
      throw failed(`${directory}${name}`, "found a link to nowhere", error);
    return undefined;
  }
}

/** Whether an error of the file system says that there is nothing of this name. */
export function isGone(error: unknown): boolean {
  const code = errorCodeOf(error);
  return code === "ENOENT" || code === "ENOTDIR";
}

/** The file system's own code of an error: "ENOENT". */
export function errorCodeOf(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function failed(path: string, why: string, cause?: unknown): MapReduceError {
  return new MapReduceError("STORAGE_FAILED", `list ${path}: ${why}`, { cause });
}
