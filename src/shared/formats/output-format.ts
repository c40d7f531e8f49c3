// Owns the choice of an output format by its name in the job document.

import type { FormatReference } from "../job/document.ts";
import { MapReduceError } from "../job/errors.ts";
import type { OutputBuffer } from "./output-buffer.ts";
import type { RecordWriter } from "./record-writer.ts";
import { TextOutput } from "./text-output.ts";

/** A writer of the given format. @throws MapReduceError NOT_YET_AVAILABLE naming a format that there is not */
export function openRecordWriter(format: FormatReference, buffer: OutputBuffer): RecordWriter {
  if (format.name === "text") return new TextOutput(buffer);
  throw new MapReduceError("NOT_YET_AVAILABLE", `output format "${format.name}": expected "text"`);
}
