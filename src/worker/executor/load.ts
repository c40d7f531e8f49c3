// Owns bringing a job's bundle into this process: its hash, what its imports resolve to, its evaluation, which fills the
// registry. Once per process: an executor serves one job.

import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { registerHooks } from "node:module";
import { dirname } from "node:path";
import { pathToFileURL } from "node:url";
import { MapReduceError } from "../../shared/job/errors.ts";
import type { LoadedJob } from "./execution.ts";
import { ownModule } from "./package-files.ts";
import type { LoadRequest } from "./protocol.ts";
import { userError } from "./user-error.ts";

const stackFrames = 50;

/**
 * Evaluates the job's bundle; `mapreduce-fleet` in it is the running package. The bundle's folder is its current directory.
 * @throws MapReduceError BUNDLE_INVALID when its SHA-256 is not the document's
 * @throws MapReduceError USER_CODE_THREW when its top-level code throws
 */
export async function loadJob(request: LoadRequest): Promise<LoadedJob> {
  const { bundlePath, document, secrets } = request;
  const source = readBundle(bundlePath, document.bundle.sha256);
  const bundleUrl = pathToFileURL(bundlePath).href;
  registerHooks({
    resolve: (specifier, context, next) => next(ownModule(specifier)?.href ?? specifier, context),
    // What runs is what was hashed, whatever has become of the file.
    load: (url, context, next) =>
      url === bundleUrl ? { format: "module", source, shortCircuit: true } : next(url, context),
  });
  process.setSourceMapsEnabled(true);
  // What emit refuses is found deep in a value: the user's frame must still be on the stack.
  Error.stackTraceLimit = stackFrames;
  process.chdir(dirname(bundlePath));
  try {
    await import(bundleUrl);
  } catch (thrown) {
    throw userError(thrown);
  }
  return { document, secrets };
}

function readBundle(path: string, expected: string): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new MapReduceError("BUNDLE_INVALID", `bundle ${path}: can't be read`, { cause });
  }
  const found = createHash("sha256").update(bytes).digest("hex");
  if (found === expected) return bytes;
  throw new MapReduceError("BUNDLE_INVALID", `bundle ${path}: found SHA-256 ${found}, expected ${expected}`);
}
