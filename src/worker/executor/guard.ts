// Owns the last line against orphans: a tiny process that outlives this one by a moment and ends the executors, and what
// user code started in them, when this process is gone, however it went. An executor in a busy loop can't see that itself.

import { spawn, type ChildProcess } from "node:child_process";

/** Keeps the last line it read, the process groups that live now; when its input ends, so do they. */
const script =
  'while read -r line; do groups="$line"; done; for group in $groups; do kill -9 "-$group"; done';

/** Ends process groups when this process is gone. */
export class OrphanGuard {
  readonly #process: ChildProcess;
  readonly #groups = new Set<number>();

  constructor() {
    // A group of its own: what ends this process's group must not end the guard first.
    this.#process = spawn("/bin/sh", ["-c", script], {
      detached: true,
      stdio: ["pipe", "ignore", "ignore"],
      env: {},
    });
    // Without a shell there is no guard; executors still end by themselves when their channel closes.
    this.#process.on("error", () => {});
    this.#process.stdin?.on("error", () => {});
    this.#process.unref();
  }

  add(group: number): void {
    this.#groups.add(group);
    this.#tell();
  }

  remove(group: number): void {
    this.#groups.delete(group);
    this.#tell();
  }

  /** Ends the guard itself, and nothing else. Twice is fine. */
  stop(): void {
    this.#groups.clear();
    this.#tell();
    this.#process.stdin?.end();
  }

  #tell(): void {
    const input = this.#process.stdin;
    if (input !== null && input.writable) input.write(`${[...this.#groups].join(" ")}\n`);
  }
}
