// Owns the port to storage: inputs, outputs, staged files and journals, by URL. Adapters alone know file systems and
// S3. test/shared/storage/conformance.ts holds every promise made here.

/** A file as a listing gives it. */
export interface StoredFile {
  readonly url: string;
  readonly size: number;
}

/**
 * A closed file that nobody sees yet. It lies below `<output>/_temporary/<job id>/` until the master commits it to
 * `<output>/<name>` or discards it.
 */
export interface PendingOutput {
  /** Where it will lie, relative to the output directory: "part-00000". */
  readonly name: string;
  /** Where it lies now. */
  readonly url: string;
  readonly records: number;
  readonly bytes: number;
}

/** Every failure is a MapReduceError: INPUT_NOT_FOUND where the thing is absent, else STORAGE_FAILED with its cause. */
export interface Storage {
  /**
   * Lists files: the file itself where the URL names one, else everything below the directory or prefix, in the order
   * of the UTF-8 bytes of the paths. Nothing there: an empty listing.
   */
  list(url: string): AsyncIterable<StoredFile>;

  /** Size of one file, or undefined where there is none (a directory is none). */
  size(url: string): Promise<number | undefined>;

  /** Bytes `start` to `end` (exclusive) of a file; short where the file is. */
  read(url: string, start?: number, end?: number): Promise<Uint8Array>;

  /** Writes a whole file, directories included; readers see the old one or the new one, never a part. */
  write(url: string, bytes: Uint8Array): Promise<void>;

  /** Writes a whole file only if there is none; false where there is. Of many callers at once, exactly one gets true. */
  writeIfAbsent(url: string, bytes: Uint8Array): Promise<boolean>;

  /** Removes one file, or everything below a directory or prefix; nothing there is fine. */
  remove(url: string): Promise<void>;

  /** Makes sure that files can be written below `url`, and leaves nothing behind; else OUTPUT_NOT_WRITABLE. */
  checkWritable(url: string): Promise<void>;

  /**
   * The nearest of `url` and its parents that is a directory by now. A store without directories answers `url` itself.
   */
  nearestDirectory(url: string): Promise<string>;

  /** Removes `url` and then its parents while they are empty directories, never `keep` or what is above it. */
  removeEmpty(url: string, keep: string): Promise<void>;

  /** Makes a pending output the file `<output>/<name>`. May be repeated: done already is done. */
  commitPending(output: string, pending: PendingOutput): Promise<void>;

  /** Removes a pending output; gone already is fine. */
  discardPending(pending: PendingOutput): Promise<void>;
}
