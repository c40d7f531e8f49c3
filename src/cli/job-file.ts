// Owns bringing a job file into this process for the specification it exports. What runs here is the file's top-level
// code and nothing else: its functions are called in executors, which load the same bundle.

import { registerHooks } from "node:module";
import type { Bundle } from "../client/bundle.ts";
import { MapReduceError } from "../shared/job/errors.ts";
import { ownModule } from "../worker/executor/package-files.ts";
import { userError } from "../worker/executor/user-error.ts";

/**
 * Evaluates a job's bundle; `mapreduce-fleet` in it is the running package.
 * @returns what the file exports as its default
 * @throws MapReduceError JOB_FILE_INVALID with the user's stack: it throws, ends the process or never settles
 */
export async function importJobFile(bundle: Bundle, path: string, signal: AbortSignal): Promise<unknown> {
  const url = new URL(`mapreduce-bundle-${bundle.sha256}.mjs`, bundle.moduleUrl).href;
  const hooks = registerHooks({
    resolve: (specifier, context, next) => {
      if (specifier === url) return { url, shortCircuit: true };
      return next(ownModule(specifier)?.href ?? specifier, context);
    },
    load: (loaded, context, next) =>
      loaded === url ? { format: "module", source: bundle.code, shortCircuit: true } : next(loaded, context),
  });
  process.setSourceMapsEnabled(true);
  try {
    const module = await settled(() => import(url) as Promise<{ readonly default?: unknown }>, path, signal);
    return module.default;
  } finally {
    hooks.deregister();
  }
}

/** Waits for top-level code, whichever way it ends: also those ways that would end this process. */
async function settled<T>(start: () => Promise<T>, path: string, signal: AbortSignal): Promise<T> {
  // The first one counts: it is the cause of those that follow.
  const outcome = Promise.withResolvers<T>();
  const threw = (thrown: unknown): void => outcome.reject(invalid(path, undefined, thrown));
  const idle = (): void => outcome.reject(invalid(path, "its top-level await never settles"));
  const cancelled = (): void => outcome.reject(signal.reason);
  const exit = process.exit.bind(process);
  process.exit = (code?: number | string | null): never => {
    const error = new Error(`process.exit(${code ?? ""})`);
    outcome.reject(invalid(path, `called process.exit(${code ?? ""}) while it was imported`, error));
    throw error;
  };
  process.on("uncaughtException", threw).on("beforeExit", idle);
  signal.addEventListener("abort", cancelled);
  try {
    signal.throwIfAborted();
    start().then(outcome.resolve, threw);
    return await outcome.promise;
  } finally {
    process.exit = exit;
    process.off("uncaughtException", threw).off("beforeExit", idle);
    signal.removeEventListener("abort", cancelled);
  }
}

/** @param what instead of what was thrown, of which the stack is told */
function invalid(path: string, what?: string, thrown?: unknown): MapReduceError {
  const { message, userStack } = userError(thrown);
  return new MapReduceError("JOB_FILE_INVALID", `job file ${path}: ${what ?? message}`, {
    ...(thrown === undefined ? {} : { cause: thrown }),
    ...(thrown === undefined || userStack === undefined ? {} : { userStack }),
  });
}
