// Owns a run file: fetched segments, one behind the other. A segment counts once all of it has arrived with the right
// checksum; the bytes of one that did not are written over by the next. Small segments are gathered before they are
// written.

import { open, type FileHandle } from "node:fs/promises";
import { crc32 } from "node:zlib";
import { MapReduceError } from "../../shared/job/errors.ts";

const bufferBytes = 256 * 1024;

/** An open run file. What was kept is in the file once it is closed. Each method may throw SCRATCH_UNUSABLE. */
export class RunFile {
  readonly path: string;
  readonly #file: FileHandle;
  /** The last bytes, not written yet; `#bufferStart` is where in the file they go. */
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes);
  #bufferStart: number;
  #used = 0;
  /** Where the present segment begins: everything before it counts. */
  #start: number;
  #length = 0;
  #crc = 0;

  private constructor(path: string, file: FileHandle, size: number) {
    this.path = path;
    this.#file = file;
    this.#start = size;
    this.#bufferStart = size;
  }

  /** Opens the file at `path` to append to it. */
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
    this.#used = Math.max(0, this.#start - this.#bufferStart);
    this.#bufferStart = Math.min(this.#start, this.#bufferStart);
  }

  /** Bytes and checksum of the present segment, as far as it has come. */
  get length(): number {
    return this.#length;
  }

  get crc(): number {
    return this.#crc;
  }

  /** Adds bytes to the present segment; returns when they may be used again. */
  async write(bytes: Uint8Array): Promise<void> {
    this.#length += bytes.length;
    this.#crc = crc32(bytes, this.#crc);
    if (this.#used + bytes.length > bufferBytes) await this.#flush();
    if (bytes.length > bufferBytes) {
      await this.#writeOut(bytes);
      return;
    }
    this.#buffer.set(bytes, this.#used);
    this.#used += bytes.length;
  }

  /** Keeps the present segment, and gives where it begins. */
  keep(): number {
    const offset = this.#start;
    this.#start += this.#length;
    this.begin();
    return offset;
  }

  async close(): Promise<void> {
    try {
      await this.#flush();
    } finally {
      await this.#file.close();
    }
  }

  async #flush(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    await this.#writeOut(bytes);
  }

  async #writeOut(bytes: Uint8Array): Promise<void> {
    const at = this.#bufferStart;
    this.#bufferStart += bytes.length;
    await attempt(this.path, async () => {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, at + done);
        done += bytesWritten;
      }
    });
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
