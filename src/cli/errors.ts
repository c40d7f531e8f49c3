// Owns how the command line tells an error: one line that starts with "error: ", then the user's own stack where the
// error is the user's. Never a stack of this package, unless the bug is ours.

import { errorCodes, type ErrorCode, type Failure, toFailure } from "../shared/job/errors.ts";

/** What the process ends with. */
export const exitStatus = {
  done: 0,
  /** A job failed after its first attempt began. */
  failed: 1,
  /** What stops a job before its first attempt: the command line, the job file, inputs, the output place. */
  stoppedBefore: 2,
  cancelled: 130,
} as const;

/** Writes an error to stderr, `source` and stack included. */
export function tellError(error: unknown): void {
  tellFailure(toFailure(error));
}

/** The same for an error that came as data, in a result say. */
export function tellFailure(failure: Omit<Failure, "code"> & { readonly code: string }, task?: string): void {
  const { code, message, stack, source } = failure;
  const where = [
    task === undefined ? "" : `task ${task}`,
    source === undefined ? "" : `at ${source.url}, byte ${source.offset}`,
  ]
    .filter((part) => part !== "")
    .join(" ");
  const ours = code in errorCodes && errorCodes[code as ErrorCode].blame === "bug";
  const line = `error: ${message.replace(/\s*\n\s*/g, " ")}${where === "" ? "" : ` (${where})`}`;
  const lines = [line];
  if (stack !== undefined && stack !== "") lines.push(stack);
  if (ours) lines.push("This is a bug of mapreduce-fleet.");
  process.stderr.write(`${lines.join("\n")}\n`);
}
