// Owns the journal of a master that lives and dies with its process: the same journal, in memory. Between snapshots it
// grows with what is appended; a snapshot ends what came before the one before it.

import { MapReduceError } from "../../shared/job/errors.ts";
import type { StoredFile } from "../../shared/storage/storage.ts";
import { StorageJournal, type JournalStorage } from "./storage-journal.ts";

/** The files of a journal. Masters of one process that follow each other share one. */
export class MemoryJournalStorage implements JournalStorage {
  readonly #files = new Map<string, Uint8Array>();

  async *list(url: string): AsyncGenerator<StoredFile, void, undefined> {
    // Names of a journal are ASCII: comparing them as strings is comparing their bytes.
    const urls = [...this.#files.keys()].filter((each) => each.startsWith(`${url}/`)).sort();
    for (const each of urls) yield { url: each, size: this.#files.get(each)?.length ?? 0 };
  }

  async read(url: string): Promise<Uint8Array> {
    const bytes = this.#files.get(url);
    if (bytes === undefined) throw new MapReduceError("INPUT_NOT_FOUND", `read ${url}: not there`);
    return bytes;
  }

  async write(url: string, bytes: Uint8Array): Promise<void> {
    this.#files.set(url, bytes);
  }

  async writeIfAbsent(url: string, bytes: Uint8Array): Promise<boolean> {
    if (this.#files.has(url)) return false;
    this.#files.set(url, bytes);
    return true;
  }

  async remove(url: string): Promise<void> {
    this.#files.delete(url);
  }
}

/** A journal in memory; by default one that nobody else will open. */
export class MemoryJournal extends StorageJournal {
  constructor(storage: MemoryJournalStorage = new MemoryJournalStorage()) {
    super(storage, "memory://journal");
  }
}
