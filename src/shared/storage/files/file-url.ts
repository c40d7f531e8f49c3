// Owns what a file:// URL names: its path, its parent, its children. A URL that could mean two places is refused.

import { fileURLToPath, pathToFileURL } from "node:url";
import { MapReduceError } from "../../job/errors.ts";

/**
 * The absolute path that a file URL names, without a trailing slash.
 * @throws MapReduceError STORAGE_FAILED for another scheme, a host, a query, a fragment or bad percent-encoding
 */
export function pathOfFileUrl(url: string): string {
  let path: string;
  try {
    const { search, hash } = new URL(url);
    if (search !== "" || hash !== "")
      throw new Error("found a query or fragment: write ? as %3F and # as %23");
    path = fileURLToPath(url);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new MapReduceError("STORAGE_FAILED", `file URL ${url}: ${why}`, { cause });
  }
  return path.length > 1 ? path.replace(/\/+$/, "") || "/" : path;
}

/** The URL without trailing slashes; the root keeps its own. */
export function trimFileUrl(url: string): string {
  return url.replace(/(?<=[^/])\/+$/, "").replace(/^file:\/*$/, "file:///");
}

/** The URL of the directory that holds this one's file; the root's is itself. */
export function parentFileUrl(url: string): string {
  const trimmed = trimFileUrl(url);
  return trimFileUrl(trimmed.slice(0, trimmed.lastIndexOf("/") + 1));
}

/** The URL of something below a directory, so that it starts with the directory's URL as it was given. */
export function childFileUrl(url: string, relativePath: string): string {
  return `${trimFileUrl(url).replace(/\/$/, "")}${pathToFileURL(`/${relativePath}`).href.slice("file://".length)}`;
}
