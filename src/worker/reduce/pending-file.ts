// Owns one pending output on a file system: a file below `<output>/_temporary/<job id>/` that nobody takes for a result
// before the master commits it. It writes synchronously, in large blocks.

import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { openRecordWriter } from "../../shared/formats/output-format.ts";
import { OutputBuffer } from "../../shared/formats/output-buffer.ts";
import type { RecordWriter } from "../../shared/formats/record-writer.ts";
import type { JobDocument } from "../../shared/job/document.ts";
import { MapReduceError } from "../../shared/job/errors.ts";
import type { PendingOutput } from "../../shared/storage/storage.ts";
import type { ExecutionRequest } from "../executor/protocol.ts";
import { makeDirectorySync } from "../../shared/storage/files/make-directory.ts";

/** Names of part files have at least this many digits. */
const minDigits = 5;

/** An open pending output. Close it, or abandon it. Writing may throw STORAGE_FAILED, besides what its format throws. */
export class PendingFile {
  readonly records: RecordWriter;
  readonly #name: string;
  readonly #url: string;
  readonly #path: string;
  readonly #fd: number;
  readonly #buffer: OutputBuffer;
  #bytes = 0;

  /**
   * @param part number of the part file, of `parts` in all
   * @throws MapReduceError STORAGE_FAILED, NOT_YET_AVAILABLE for an output that is no file
   */
  constructor(document: JobDocument, request: ExecutionRequest, part: number, parts: number) {
    if (!document.output.startsWith("file://")) {
      throw new MapReduceError("NOT_YET_AVAILABLE", `output ${document.output}: expected a file:// URL`);
    }
    const { jobId, taskId, attempt, executionId } = request;
    this.#name = partName(part, parts);
    this.#url = `${document.output}/_temporary/${jobId}/${taskId}-${attempt}-${executionId}`;
    this.#path = fileURLToPath(this.#url);
    this.#buffer = new OutputBuffer((bytes) => this.#write(bytes));
    this.records = openRecordWriter(document.outputFormat, this.#buffer);
    this.#fd = this.#try("made", () => {
      makeDirectorySync(dirname(this.#path));
      return openSync(this.#path, "w");
    });
  }

  /** Writes what is left and closes the file. @param records how many were written */
  close(records: number): PendingOutput {
    this.#buffer.flush();
    this.#try("closed", () => closeSync(this.#fd));
    return { name: this.#name, url: this.#url, records, bytes: this.#bytes };
  }

  /** Closes and removes the file; for an execution that failed, whose own error matters more. */
  abandon(): void {
    try {
      closeSync(this.#fd);
      unlinkSync(this.#path);
    } catch {
      // The master removes `_temporary` as a whole.
    }
  }

  #write(bytes: Uint8Array): void {
    this.#try("written", () => {
      for (let done = 0; done < bytes.length;) done += writeSync(this.#fd, bytes, done);
    });
    this.#bytes += bytes.length;
  }

  #try<T>(what: string, action: () => T): T {
    try {
      return action();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new MapReduceError("STORAGE_FAILED", `output file ${this.#path}: can't be ${what}: ${reason}`, {
        cause,
      });
    }
  }
}

/** "part-00003"; of more than 100,000 parts, as many digits as the last one needs. */
export function partName(part: number, parts: number): string {
  const digits = Math.max(minDigits, String(Math.max(parts - 1, 0)).length);
  return `part-${String(part).padStart(digits, "0")}`;
}
