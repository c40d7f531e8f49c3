// Owns how an error of user code is told: its code, its message, and a stack that shows the user's own files and lines.

import { inspect } from "node:util";
import { MapReduceError, type Source } from "../../shared/job/errors.ts";
import { isOurs } from "./package-files.ts";

/** Bounds of what an error may bring into a message of at most 256 KiB. */
const maxMessageLength = 4_096;
const maxStackLength = 16_384;
/** How many causes of an error are told: each is one more stack. */
const maxCauses = 5;

/**
 * Turns what user code threw into USER_CODE_THREW with the user's stack. An error that the engine threw because of what
 * user code asked of it (KEY_INVALID ...) keeps its code and gets the user's stack.
 * @param source the place of the record of the call, where it is known
 */
export function userError(thrown: unknown, source?: Source): MapReduceError {
  const known = thrown instanceof MapReduceError ? thrown : undefined;
  const place = known?.source ?? source;
  return new MapReduceError(
    known?.code ?? "USER_CODE_THREW",
    clip(known?.message ?? `user code threw ${describe(thrown)}`, maxMessageLength),
    {
      cause: thrown,
      userStack: known?.userStack ?? userStack(thrown),
      ...(place === undefined ? {} : { source: place }),
    },
  );
}

/** The stack of an error, and of its causes, without frames of this package and of Node. */
export function userStack(thrown: unknown): string {
  const stacks: string[] = [];
  for (let error = thrown; stacks.length <= maxCauses && error !== undefined; error = causeOf(error)) {
    stacks.push(ownStack(error));
  }
  return clip(stacks.join("\ncaused by: "), maxStackLength);
}

function ownStack(error: unknown): string {
  const stack = isError(error) ? error.stack : undefined;
  if (typeof stack !== "string") return describe(error);
  return theirLines(stack.split("\n")).join("\n");
}

/**
 * What is the user's of a stack: frames of ours above theirs are what they called, and the first of ours below theirs is what
 * called them, where their part ends.
 */
function theirLines(lines: readonly string[]): string[] {
  const theirs: string[] = [];
  let inTheirs = false;
  for (const line of lines) {
    const location = locationOf(line);
    if (location === undefined) theirs.push(line);
    else if (isOurs(location)) {
      if (inTheirs) break;
    } else if (!location.startsWith("node:")) {
      theirs.push(line);
      inTheirs = true;
    }
  }
  return theirs;
}

/** A frame is "    at name (location)" or "    at location"; every other line is part of the message. */
function locationOf(line: string): string | undefined {
  return /^ {4}at (?:.*? \()?(?:async )?(.*)/.exec(line)?.[1];
}

function describe(thrown: unknown): string {
  if (isError(thrown)) return `${thrown.name}: ${thrown.message}`;
  return inspect(thrown, { depth: 1, breakLength: Number.POSITIVE_INFINITY });
}

/** By shape: an error from another realm (node:vm) is an error too. */
function isError(value: unknown): value is Error {
  return (
    value instanceof Error ||
    (typeof value === "object" && value !== null && "stack" in value && "message" in value)
  );
}

function causeOf(error: unknown): unknown {
  return isError(error) ? error.cause : undefined;
}

function clip(text: string, length: number): string {
  return text.length <= length
    ? text
    : `${text.slice(0, length)} ... (${text.length - length} more characters)`;
}
