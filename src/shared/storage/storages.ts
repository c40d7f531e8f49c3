// Owns the choice of storage by a URL's scheme. A job may read from one and write to another.

import { MapReduceError } from "../job/errors.ts";
import { FileStorage, type FileStorageOptions } from "./files/file-storage.ts";
import type { PendingOutput, Storage, StoredFile } from "./storage.ts";

/** Every storage there is, as one: each call goes to the adapter of its URL's scheme. */
export class Storages implements Storage {
  readonly #files: FileStorage;

  /** @param options of file:// URLs */
  constructor(options: FileStorageOptions = {}) {
    this.#files = new FileStorage(options);
  }

  async *list(url: string): AsyncGenerator<StoredFile, void, undefined> {
    yield* this.#of(url).list(url);
  }

  async size(url: string): Promise<number | undefined> {
    return this.#of(url).size(url);
  }

  async read(url: string, start?: number, end?: number): Promise<Uint8Array> {
    return this.#of(url).read(url, start, end);
  }

  async write(url: string, bytes: Uint8Array): Promise<void> {
    return this.#of(url).write(url, bytes);
  }

  async writeIfAbsent(url: string, bytes: Uint8Array): Promise<boolean> {
    return this.#of(url).writeIfAbsent(url, bytes);
  }

  async remove(url: string): Promise<void> {
    return this.#of(url).remove(url);
  }

  async checkWritable(url: string): Promise<void> {
    return this.#of(url).checkWritable(url);
  }

  async nearestDirectory(url: string): Promise<string> {
    return this.#of(url).nearestDirectory(url);
  }

  async removeEmpty(url: string, keep: string): Promise<void> {
    return this.#of(url).removeEmpty(url, keep);
  }

  async commitPending(output: string, pending: PendingOutput): Promise<void> {
    return this.#of(output).commitPending(output, pending);
  }

  async discardPending(pending: PendingOutput): Promise<void> {
    return this.#of(pending.url).discardPending(pending);
  }

  #of(url: string): Storage {
    const scheme = /^([a-z][a-z0-9+.-]*):\/\//.exec(url)?.[1];
    switch (scheme) {
      case "file":
        return this.#files;
      case "s3":
        throw new MapReduceError(
          "NOT_YET_AVAILABLE",
          `storage ${url}: s3:// is not yet available, only file://`,
        );
      default:
        throw new MapReduceError("STORAGE_FAILED", `storage ${url}: expected a URL of file:// or s3://`);
    }
  }
}
