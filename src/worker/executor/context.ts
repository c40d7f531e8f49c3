// Owns what user code sees of its execution. It runs nothing and knows no record: map executions add `source`.

import type { Json } from "../../shared/job/document.ts";
import { MapReduceError } from "../../shared/job/errors.ts";
import type { Context, Counter, Emit, Key, Log } from "../../shared/registry/functions.ts";
import type { CounterSet } from "./counters.ts";
import type { ExecutionHooks, LoadedJob } from "./execution.ts";
import type { ExecutionRequest } from "./protocol.ts";

/** The context of one execution. */
export class ExecutionContext implements Context {
  readonly jobId: string;
  readonly taskId: string;
  readonly attempt: number;
  readonly params: { readonly [name: string]: Json };
  readonly log: Log;
  readonly signal: AbortSignal;
  readonly #secrets: { readonly [name: string]: string };
  readonly #counters: CounterSet;

  constructor(request: ExecutionRequest, job: LoadedJob, hooks: ExecutionHooks, counters: CounterSet) {
    this.jobId = request.jobId;
    this.taskId = request.taskId;
    this.attempt = request.attempt;
    this.params = job.document.params;
    this.log = {
      debug: (message) => hooks.log("debug", message),
      info: (message) => hooks.log("info", message),
      warn: (message) => hooks.log("warn", message),
      error: (message) => hooks.log("error", message),
    };
    this.signal = hooks.signal;
    this.#secrets = job.secrets;
    this.#counters = counters;
  }

  counter(name: string): Counter {
    return this.#counters.counter(name);
  }

  output(name: string): Emit<Key, unknown> {
    throw new MapReduceError("NOT_YET_AVAILABLE", `output "${name}": named outputs are not yet available`);
  }

  file(name: string): string {
    throw new MapReduceError("NOT_YET_AVAILABLE", `file "${name}": files of a job are not yet available`);
  }

  /** @throws TypeError when the specification names no such secret */
  secret(name: string): string {
    const value = Object.hasOwn(this.#secrets, name) ? this.#secrets[name] : undefined;
    if (value === undefined) {
      const known = Object.keys(this.#secrets).join(", ") || "none";
      throw new TypeError(`secret "${name}": not among the specification's secrets: ${known}`);
    }
    return value;
  }
}
