// Owns the way of one execution back to the worker's main process: progress, the note of the present record, the log.

import { closeSync, openSync, writeSync } from "node:fs";
import type { Source } from "../../shared/job/errors.ts";
import type { ExecutionHooks } from "./execution.ts";
import { noteFileOf, type ExecutionRequest, type ExecutorEvent } from "./protocol.ts";

/** Four times a second is what a person sees as moving; it is checked at each call, since a busy loop starves timers. */
const progressIntervalMs = 250;

/** The hooks of one execution, and the end of them. */
export class ExecutorHooks implements ExecutionHooks {
  readonly signal: AbortSignal;
  readonly #request: ExecutionRequest;
  readonly #send: (event: ExecutorEvent) => void;
  #toldAtMs = performance.now();
  #noteFile: number | undefined;
  #noteBytes = 0;
  #noted: Source | undefined;

  constructor(request: ExecutionRequest, signal: AbortSignal, send: (event: ExecutorEvent) => void) {
    this.#request = request;
    this.signal = signal;
    this.#send = send;
  }

  /** The record noted last. */
  get noted(): Source | undefined {
    return this.#noted;
  }

  progress: ExecutionHooks["progress"] = (fraction) => {
    const nowMs = performance.now();
    if (nowMs - this.#toldAtMs < progressIntervalMs) return;
    this.#toldAtMs = nowMs;
    this.#send({ kind: "progress", fraction });
  };

  /** A file, since what it holds survives this process, whatever the next call does to it. */
  note: ExecutionHooks["note"] = (source) => {
    this.#noted = source;
    this.#noteFile ??= openSync(noteFileOf(this.#request), "w", 0o600);
    const bytes = Buffer.from(JSON.stringify(source).padEnd(this.#noteBytes));
    this.#noteBytes = bytes.length;
    writeSync(this.#noteFile, bytes, 0, bytes.length, 0);
  };

  /** To stderr, synchronously: a loop that logs without end is held up by its reader and queues nothing here. */
  log: ExecutionHooks["log"] = (level, message) => {
    process.stderr.write(`${level}: ${message}\n`);
  };

  close(): void {
    if (this.#noteFile !== undefined) closeSync(this.#noteFile);
    this.#noteFile = undefined;
  }
}
