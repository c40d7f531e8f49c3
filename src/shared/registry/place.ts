// Owns finding the line of a user's file that called one of our functions.

import { pathToFileURL } from "node:url";

/** Frames looked at: only frames of built-ins ("Array.map") can stand before the user's own. */
const maxFrames = 10;

/**
 * The place from which `called` was called: "file:///jobs/job.ts:3:28", source-mapped where the process maps sources.
 * @param called the function whose caller is wanted; it must be on the stack
 */
export function callerPlace(called: (...args: never[]) => unknown): string {
  const limit = Error.stackTraceLimit;
  const holder: { stack?: string } = {};
  Error.stackTraceLimit = maxFrames;
  try {
    Error.captureStackTrace(holder, called);
    return placeIn(holder.stack ?? "");
  } finally {
    Error.stackTraceLimit = limit;
  }
}

/** A frame is "    at name (location)" or "    at location"; a location ends with line and column. */
function placeIn(stack: string): string {
  const location = /^ +at (?:.*\()?(?:async )?(.+:\d+:\d+)\)?$/m.exec(stack)?.[1];
  if (location === undefined) return "an unknown place";
  return location.startsWith("/") ? locationUrl(location) : location;
}

/** CommonJS and some test runners give paths; the same file then has the same spelling. */
function locationUrl(location: string): string {
  const [, path = location, position = ""] = /^(.*?)(:\d+:\d+)$/.exec(location) ?? [];
  const [file = path, query] = path.split("?", 2);
  return pathToFileURL(file).href + (query === undefined ? "" : `?${query}`) + position;
}
