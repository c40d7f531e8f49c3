// Owns the segment files that are open for serving: reduces ask for the same files one after the other. Bounded: files
// that nobody reads are closed, the one unused for longest first.

import { SegmentFile } from "./segment-file.ts";

/** Far below the usual limit of 1,024 descriptors, which connections and executors share. */
const maxIdleFiles = 64;

interface OpenFile {
  readonly file: SegmentFile;
  readers: number;
  /** Nobody will ask for it again: it is closed with its last reader. */
  forgotten: boolean;
}

/** Open segment files by path. */
export class OpenSegmentFiles {
  /** In order of use: a Map keeps the order of insertion. */
  readonly #files = new Map<string, OpenFile>();

  /**
   * An open file, not closed before it is released.
   * @throws MapReduceError as SegmentFile does
   */
  acquire(path: string): SegmentFile {
    const open = this.#files.get(path) ?? { file: new SegmentFile(path), readers: 0, forgotten: false };
    open.readers++;
    this.#files.delete(path);
    this.#files.set(path, open);
    return open.file;
  }

  release(path: string): void {
    const open = this.#files.get(path);
    if (open === undefined) return;
    open.readers--;
    if (open.forgotten && open.readers === 0) this.#close(path);
    for (const [idlePath, { readers }] of this.#files) {
      if (this.#files.size <= maxIdleFiles) return;
      if (readers === 0) this.#close(idlePath);
    }
  }

  /** Closes a file as soon as nobody reads it, so that removing it frees its bytes. */
  forget(path: string): void {
    const open = this.#files.get(path);
    if (open === undefined) return;
    open.forgotten = true;
    if (open.readers === 0) this.#close(path);
  }

  /** Closes all files; nobody may be reading. */
  closeAll(): void {
    for (const path of this.#files.keys()) this.#close(path);
  }

  #close(path: string): void {
    this.#files.get(path)?.file.close();
    this.#files.delete(path);
  }
}
