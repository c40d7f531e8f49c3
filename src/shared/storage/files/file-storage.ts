// Owns storage on a file system: file:// URLs, for one machine or for a directory that a whole fleet shares. A file is
// written beside its place under a hidden name and moved there whole.

import { randomUUID } from "node:crypto";
import type { Stats } from "node:fs";
import { link, open, rename, rm, rmdir, stat, writeFile, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";
import { MapReduceError, type ErrorCode } from "../../job/errors.ts";
import type { PendingOutput, Storage, StoredFile } from "../storage.ts";
import { childFileUrl, parentFileUrl, pathOfFileUrl, trimFileUrl } from "./file-url.ts";
import { errorCodeOf, isGone, temporaryName, walk } from "./walk.ts";
import { makeDirectory } from "./make-directory.ts";

export interface FileStorageOptions {
  /**
   * "synced" (the default): what is written is on the disk when a call resolves, and survives a power cut. "written":
   * it survives the process only; for what a power cut makes worthless anyway.
   */
  readonly durability?: "synced" | "written";
}

/** No read(2) takes more than this many bytes. */
const maxReadBytes = 0x7fff_f000;

export class FileStorage implements Storage {
  readonly #durability: "synced" | "written";

  constructor(options: FileStorageOptions = {}) {
    this.#durability = options.durability ?? "synced";
  }

  async *list(url: string): AsyncGenerator<StoredFile, void, undefined> {
    const path = pathOfFileUrl(url);
    try {
      const stats = await statOf(path);
      if (stats?.isFile()) yield { url, size: stats.size };
      if (!stats?.isDirectory()) return;
      for await (const { relativePath, size } of walk(path))
        yield { url: childFileUrl(url, relativePath), size };
    } catch (cause) {
      throw failure("list", path, cause);
    }
  }

  async size(url: string): Promise<number | undefined> {
    const path = pathOfFileUrl(url);
    return attempt("look up", path, async () => {
      const stats = await statOf(path);
      return stats?.isFile() === true ? stats.size : undefined;
    });
  }

  async read(url: string, start = 0, end = Infinity): Promise<Uint8Array> {
    const path = pathOfFileUrl(url);
    return attempt("read", path, async () => {
      const stats = await stat(path);
      // Opening a pipe would wait for its writer.
      if (!stats.isFile()) throw new MapReduceError("INPUT_NOT_FOUND", `read ${path}: expected a file`);
      await using handle = await open(path, "r");
      return await readFully(handle, start, Math.min(end, stats.size));
    });
  }

  async write(url: string, bytes: Uint8Array): Promise<void> {
    const path = pathOfFileUrl(url);
    await attempt("write", path, () =>
      this.#viaTemporary(path, bytes, (temporary) => rename(temporary, path)),
    );
  }

  async writeIfAbsent(url: string, bytes: Uint8Array): Promise<boolean> {
    const path = pathOfFileUrl(url);
    return attempt("write if absent", path, () =>
      this.#viaTemporary(path, bytes, (temporary) => linkIfAbsent(temporary, path)),
    );
  }

  async remove(url: string): Promise<void> {
    const path = pathOfFileUrl(url);
    if (path === "/")
      throw new MapReduceError("STORAGE_FAILED", "remove /: expected a file or directory below it");
    await attempt("remove", path, async () => {
      try {
        // Somebody may still be writing there: a few more looks, then it is an error.
        await rm(path, { recursive: true, force: true, maxRetries: 3, retryDelay: 50 });
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    });
  }

  async checkWritable(url: string): Promise<void> {
    const path = pathOfFileUrl(url);
    try {
      const firstMade = await makeDirectory(path);
      await this.#viaTemporary(`${path}/x`, new Uint8Array(1), () => Promise.resolve());
      if (firstMade !== undefined) await removeEmptyDirectories(path, dirname(firstMade));
    } catch (cause) {
      throw failure("write below", path, cause, "OUTPUT_NOT_WRITABLE");
    }
  }

  async nearestDirectory(url: string): Promise<string> {
    const path = pathOfFileUrl(url);
    return attempt("look up", path, async () => {
      let nearest = trimFileUrl(url);
      while (!(await statOf(pathOfFileUrl(nearest)))?.isDirectory()) nearest = parentFileUrl(nearest);
      return nearest;
    });
  }

  async removeEmpty(url: string, keep: string): Promise<void> {
    const path = pathOfFileUrl(url);
    await attempt("remove empty", path, () => removeEmptyDirectories(path, pathOfFileUrl(keep)));
  }

  async commitPending(output: string, pending: PendingOutput): Promise<void> {
    const from = pathOfFileUrl(pending.url);
    const to = `${pathOfFileUrl(output)}/${pending.name}`;
    await attempt("commit", to, async () => {
      if (!from.startsWith(`${pathOfFileUrl(output)}/_temporary/`) || !isInside(pending.name)) {
        throw new Error(`found ${from}, expected a pending output of this directory`);
      }
      const sizes = [(await statOf(from))?.size, (await statOf(to))?.size];
      if (sizes[0] === undefined && sizes[1] === pending.bytes) return;
      if (sizes[0] !== pending.bytes) {
        throw new Error(`found ${sizes[0] ?? "no"} bytes in ${from}, expected ${pending.bytes}`);
      }
      await this.#sync(from);
      // The directory is synced by the write of the manifest, which comes last.
      await makeDirectory(dirname(to));
      await rename(from, to);
    });
  }

  async discardPending(pending: PendingOutput): Promise<void> {
    const path = pathOfFileUrl(pending.url);
    await attempt("discard", path, async () => {
      if (!path.includes("/_temporary/")) throw new Error("expected a path below _temporary");
      await rm(path, { force: true });
    });
  }

  /** Writes bytes to a hidden file beside `path`, lets `place` make it known, and leaves nothing of it. */
  async #viaTemporary<T>(
    path: string,
    bytes: Uint8Array,
    place: (temporary: string) => Promise<T>,
  ): Promise<T> {
    const directory = dirname(path);
    const firstMade = await makeDirectory(directory);
    const temporary = `${directory}/${temporaryName(randomUUID())}`;
    try {
      await writeFile(temporary, bytes, { flag: "wx", flush: this.#durability === "synced" });
      const placed = await place(temporary);
      await this.#sync(directory);
      // A directory's own name lies in its parent.
      if (firstMade !== undefined) {
        for (let made = directory; made.startsWith(firstMade); made = dirname(made))
          await this.#sync(dirname(made));
      }
      return placed;
    } finally {
      await rm(temporary, { force: true });
    }
  }

  async #sync(path: string): Promise<void> {
    if (this.#durability === "written") return;
    await using handle = await open(path, "r");
    try {
      await handle.sync();
    } catch (error) {
      // Some network file systems have no sync for directories, and need none.
      if (errorCodeOf(error) !== "EINVAL") throw error;
    }
  }
}

/** Gives a file a second name unless that name is taken; whether it was free. */
async function linkIfAbsent(file: string, name: string): Promise<boolean> {
  try {
    await link(file, name);
    return true;
  } catch (error) {
    switch (errorCodeOf(error)) {
      case "EEXIST":
        // A file server may have made the link and lost the answer: then the file has two names.
        return (await stat(file)).nlink === 2;
      case "EPERM":
      case "ENOTSUP":
      case "ENOSYS":
        throw new Error("the file system has no hard links, expected one that has", { cause: error });
      default:
        throw error;
    }
  }
}

async function readFully(handle: FileHandle, start: number, end: number): Promise<Uint8Array> {
  const bytes = Buffer.allocUnsafeSlow(Math.max(0, end - start));
  let filled = 0;
  while (filled < bytes.length) {
    const length = Math.min(bytes.length - filled, maxReadBytes);
    const { bytesRead } = await handle.read(bytes, filled, length, start + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return bytes.subarray(0, filled);
}

async function removeEmptyDirectories(path: string, keep: string): Promise<void> {
  const inside = keep === "/" ? keep : `${keep}/`;
  for (let each = path; each.startsWith(inside) && each !== keep; each = dirname(each)) {
    try {
      await rmdir(each);
    } catch (error) {
      const code = errorCodeOf(error);
      if (code === "ENOTEMPTY" || code === "EEXIST" || code === "ENOTDIR") return;
      if (code !== "ENOENT") throw error;
    }
  }
}

/** Whether a relative path stays below where it starts. */
function isInside(path: string): boolean {
  return path.split("/").every((part) => part !== "" && part !== "." && part !== "..");
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

async function attempt<T>(operation: string, path: string, act: () => Promise<T>): Promise<T> {
  try {
    return await act();
  } catch (cause) {
    throw failure(operation, path, cause);
  }
}

function failure(
  operation: string,
  path: string,
  cause: unknown,
  code: ErrorCode = operation === "read" && isGone(cause) ? "INPUT_NOT_FOUND" : "STORAGE_FAILED",
): MapReduceError {
  if (cause instanceof MapReduceError) return cause;
  // The system call and its path, which Node adds, say nothing that stands not here already.
  const why = cause instanceof Error ? cause.message.replace(/, \w+( '.*)?$/s, "") : String(cause);
  return new MapReduceError(code, `${operation} ${path}: ${why}`, { cause });
}
