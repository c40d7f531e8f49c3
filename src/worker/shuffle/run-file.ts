// Owns a run file: fetched segments, one behind the other. A segment counts once all of it has arrived with the right
// checksum; the bytes of one that did not are written over by the next.

import { open, type FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { MapReduceError } from "../../shared/job/errors.ts";

/** An open run file. Close it. */
export class RunFile {
  readonly path: string;
  readonly #file: FileHandle;
  /** Where the present segment begins: everything before it counts. */
  #start: number;
  #length = 0;
  #crc = 0;

  private constructor(path: string, file: FileHandle, size: number) {
    this.path = path;
    this.#file = file;
    this.#start = size;
  }

  /** Opens the file at `path` to append to it. @throws MapReduceError SCRATCH_UNUSABLE */
  static async open(path: string): Promise<RunFile> {
    return await attempt(path, async () => {
      // Created by "a"; written by "r+", since "a" would ignore positions.
      await (await open(path, "a", 0o600)).close();
      const file = await open(path, "r+");
      return new RunFile(path, file, (await file.stat()).size);
    });
  }

  /** Begins a segment anew: what came of the one before, unless it was kept, is forgotten. */
  begin(): void {
    this.#length = 0;
    this.#crc = 0;
  }

  /** Bytes and checksum of the present segment, as far as it has come. */
  get length(): number {
    return this.#length;
  }

  get crc(): number {
    return this.#crc;
  }

  /** Adds bytes to the present segment; returns when they may be used again. @throws MapReduceError SCRATCH_UNUSABLE */
  async write(bytes: Uint8Array): Promise<void> {
    const at = this.#start + this.#length;
    this.#length += bytes.length;
    this.#crc = crc32(bytes, this.#crc);
    await attempt(this.path, async () => {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, at + done);
        done += bytesWritten;
      }
    });
  }

  /** Keeps the present segment, and gives where it begins. */
  keep(): number {
    const offset = this.#start;
    this.#start += this.#length;
    this.begin();
    return offset;
  }

  async close(): Promise<void> {
    await this.#file.close();
  }
}

async function attempt<T>(path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new MapReduceError("SCRATCH_UNUSABLE", `run file ${path}: can't be written: ${reason}`, { cause });
  }
}
