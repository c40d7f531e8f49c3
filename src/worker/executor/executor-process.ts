// Owns one executor as its parent sees it: forks it, hands it one job and one execution at a time, watches its memory and
// its time, and turns however it ended into an outcome. It decides nothing about attempts, and runs no user code.
//
//   starting/idle --run--> running --succeeded--> idle
//                          running --failed, exit, signal, memory, time-out, cancel--> ended
//   An executor that ended is replaced by its owner; nothing runs in one whose execution failed.

import { fork, type ChildProcess } from "node:child_process";
import { readFileSync } from "node:fs";
import { getCompileCacheDir } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { MapReduceError, toFailure, type Failure, type Source } from "../../shared/job/errors.ts";
import type { JobId } from "../../shared/job/ids.ts";
import type { MapReport, ReduceReport } from "../../shared/messages/messages.ts";
import type { OrphanGuard } from "./guard.ts";
import { heapBytes, heapOptions } from "./memory.ts";
import { readLines } from "./output-lines.ts";
import { moduleUrl } from "./package-files.ts";
import {
  noteFileOf,
  type ExecutionRequest,
  type ExecutorEvent,
  type ExecutorRequest,
  type LoadRequest,
  type LostSegment,
} from "./protocol.ts";

/** How one execution ended. */
export type ExecutionOutcome =
  | { readonly kind: "succeeded"; readonly report: MapReport | ReduceReport }
  | { readonly kind: "failed"; readonly failure: Failure; readonly lost?: LostSegment }
  | { readonly kind: "cancelled" };

export type OutputStream = "stdout" | "stderr";

export interface ExecutorOptions {
  /** Resident bytes it may take: JobDocument.memory. */
  readonly memory: number;
  /** Where it stands until it runs something. */
  readonly directory: string;
  readonly guard: OrphanGuard;
  /** Each line that user code prints or logs. `request` is the execution it runs or ran last, if any. */
  readonly onOutput: (line: string, stream: OutputStream, request: ExecutionRequest | undefined) => void;
}

export interface RunOptions {
  /** Milliseconds until the execution is ended with TASK_TIMEOUT; null is never. */
  readonly timeoutMs: number | null;
  /** How far the execution is, 0 to 1; a few times a second. */
  readonly onProgress: (fraction: number) => void;
}

/** How often resident memory is looked at: a Buffer-filling loop takes about 100 MB in this time. */
const memoryCheckMs = 50;
/** How long user code may take to heed an abort before it is killed. */
const abortGraceMs = 500;
/** How long the last output and messages of an ended process may take: a grandchild may hold its pipes open. */
const lastWordsMs = 500;

const passedOn = ["PATH", "HOME", "TZ", "LANG"];

interface Run {
  readonly request: ExecutionRequest;
  readonly options: RunOptions;
  readonly settle: (outcome: ExecutionOutcome) => void;
  /** Why it is being ended, once it is. */
  ending: "cancelled" | Failure | undefined;
  readonly timers: NodeJS.Timeout[];
}

/** A running executor. */
export class ExecutorProcess {
  readonly memory: number;
  /** Resolves when the process is gone. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  readonly #options: ExecutorOptions;
  /** Whether V8 has said so; it counts only of a process that V8 has aborted. */
  #heapExhausted = false;
  #jobId: JobId | undefined;
  #run: Run | undefined;
  #request: ExecutionRequest | undefined;
  #state: "alive" | "spent" | "ended" = "alive";

  /** Forks at once; what is asked of it meanwhile waits for it. */
  constructor(options: ExecutorOptions) {
    this.#options = options;
    this.memory = options.memory;
    this.#child = fork(moduleUrl("worker/executor/main"), {
      cwd: options.directory,
      env: explicitEnvironment(),
      execArgv: heapOptions(options.memory),
      stdio: ["ignore", "pipe", "pipe", "ipc"],
      // A process group of its own: it is killed with all that user code started, and a terminal's Ctrl-C is not its.
      detached: true,
    });
    if (this.#child.pid !== undefined) options.guard.add(this.#child.pid);
    this.#child.on("message", (event: ExecutorEvent) => this.#receive(event));
    this.#readOutput();
    this.ended = this.#watchEnd();
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** The job it serves; undefined while it can take any. */
  get jobId(): JobId | undefined {
    return this.#jobId;
  }

  /** Whether it can be asked to run something now. */
  get usable(): boolean {
    return this.#state === "alive" && this.#run === undefined;
  }

  /** Gives it the one job it serves; to be called once, before `run`. A job that can't be loaded fails the run after it. */
  load(request: LoadRequest): void {
    if (this.#jobId !== undefined) throw new Error(`executor of job ${this.#jobId}: asked to load another`);
    this.#jobId = request.document.jobId;
    this.#send(request);
  }

  /** Runs one execution, to be called when usable; the outcome always comes, and nothing of the execution after it. */
  run(request: ExecutionRequest, options: RunOptions): Promise<ExecutionOutcome> {
    if (!this.usable) return Promise.resolve({ kind: "failed", failure: endedBefore(request) });
    const { promise, resolve } = Promise.withResolvers<ExecutionOutcome>();
    const run: Run = { request, options, settle: resolve, ending: undefined, timers: [] };
    this.#run = run;
    this.#request = request;
    if (options.timeoutMs !== null) {
      const failure = timeoutFailure(request, options.timeoutMs);
      run.timers.push(setTimeout(() => this.#end(failure), options.timeoutMs));
    }
    run.timers.push(setInterval(() => this.#checkMemory(run), memoryCheckMs));
    this.#send(request);
    return promise;
  }

  /** Ends what it runs: user code is told by its signal, and killed if it does not heed it. */
  cancel(): void {
    this.#end("cancelled");
  }

  /** Kills it and all that was started in it; resolves when it is gone. Twice is fine. */
  stop(): Promise<void> {
    if (this.#run !== undefined) this.#run.ending ??= "cancelled";
    this.#kill();
    return this.ended;
  }

  #send(request: ExecutorRequest): void {
    // A channel that is closed means that the process has ended or will: its end is what settles the run.
    if (this.#child.connected) this.#child.send(request, () => {});
  }

  #receive(event: ExecutorEvent): void {
    const run = this.#run;
    switch (event.kind) {
      case "progress":
        run?.options.onProgress(event.fraction);
        return;
      case "succeeded":
        this.#settle({ kind: "succeeded", report: event.report });
        return;
      case "failed": {
        this.#state = "spent";
        const { failure, lost } = event;
        this.#settle({
          kind: "failed",
          failure: withNote(failure, run),
          ...(lost === undefined ? {} : { lost }),
        });
        this.#kill();
        return;
      }
      default:
        event satisfies never;
    }
  }

  #settle(outcome: ExecutionOutcome): void {
    const run = this.#run;
    if (run === undefined) return;
    this.#run = undefined;
    for (const timer of run.timers) clearTimeout(timer);
    if (run.ending === undefined || outcome.kind === "succeeded") run.settle(outcome);
    else if (run.ending === "cancelled") run.settle({ kind: "cancelled" });
    else run.settle({ kind: "failed", failure: withNote(run.ending, run) });
  }

  #end(why: "cancelled" | Failure): void {
    const run = this.#run;
    if (run === undefined || run.ending !== undefined) return;
    run.ending = why;
    this.#send({ kind: "abort" });
    run.timers.push(setTimeout(() => this.#kill(), abortGraceMs));
  }

  #checkMemory(run: Run): void {
    const resident = residentBytes(this.#child.pid);
    if (resident <= this.memory) return;
    const found = `${mebibytes(resident)} resident, expected at most memory ${mebibytes(this.memory)}`;
    run.ending ??= {
      code: "OUT_OF_MEMORY",
      message: `${nameOf(run.request)}: out of memory: found ${found}`,
    };
    this.#kill();
  }

  #kill(): void {
    if (this.#state === "ended") return;
    this.#state = "spent";
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      process.kill(-pid, "SIGKILL");
    } catch (error) {
      // Gone already, and its end is on its way to us; EPERM is macOS's word for a group of ended processes.
      if (!["ESRCH", "EPERM"].includes((error as NodeJS.ErrnoException).code ?? "")) throw error;
    }
  }

  #readOutput(): void {
    const { stdout, stderr } = this.#child;
    const { onOutput } = this.#options;
    if (stdout === null || stderr === null) return;
    let dying = false;
    let blankLines = 0;
    readLines(stdout, (line) => onOutput(line, "stdout", this.#request));
    readLines(stderr, (line) => {
      // V8's own last words are not for the user's eyes. They begin with a blank line.
      dying ||= line.startsWith("<--- Last few GCs --->");
      this.#heapExhausted ||= line.includes("JavaScript heap out of memory");
      if (line === "") blankLines++;
      else if (!dying) {
        for (; blankLines > 0; blankLines--) onOutput("", "stderr", this.#request);
        onOutput(line, "stderr", this.#request);
      }
    });
  }

  async #watchEnd(): Promise<void> {
    const child = this.#child;
    const end = Promise.withResolvers<string>();
    child.once("error", (error) => end.resolve(`not started: ${error.message}`));
    child.once("exit", (code, signal) => end.resolve(signal ?? `exit code ${code}`));
    const closed = Promise.all([once(child, "close"), once(child, "disconnect")]);
    const how = await end.promise;
    this.#kill(); // what user code started and left behind
    this.#state = "ended";
    if (child.pid !== undefined) {
      const late = Promise.withResolvers<void>();
      const timer = setTimeout(late.resolve, lastWordsMs);
      await Promise.race([closed, late.promise]);
      clearTimeout(timer);
      this.#options.guard.remove(child.pid);
    }
    const run = this.#run;
    if (run === undefined) return;
    this.#settle({ kind: "failed", failure: withNote(this.#endedFailure(run, how), run) });
  }

  #endedFailure({ request }: Run, how: string): Failure {
    if (this.#heapExhausted && how === "SIGABRT") {
      const found = `heap of ${mebibytes(heapBytes(this.memory))} exhausted, with memory ${mebibytes(this.memory)}`;
      return { code: "OUT_OF_MEMORY", message: `${nameOf(request)}: out of memory: ${found}` };
    }
    return {
      code: this.#child.pid === undefined ? "ATTEMPT_LOST" : "USER_CODE_EXITED",
      message: `${nameOf(request)}: executor ended: ${how}, expected an outcome`,
    };
  }
}

/** "map task m3 attempt 1": the subject of an execution's errors. */
export function nameOf({ kind, taskId, attempt }: ExecutionRequest): string {
  return `${kind} task ${taskId} attempt ${attempt}`;
}

function timeoutFailure(request: ExecutionRequest, timeoutMs: number): Failure {
  return {
    code: "TASK_TIMEOUT",
    message: `${nameOf(request)}: not done within taskTimeout, ${timeoutMs} ms`,
  };
}

function endedBefore(request: ExecutionRequest): Failure {
  return toFailure(
    new MapReduceError("ATTEMPT_LOST", `${nameOf(request)}: its executor ended before it began`),
  );
}

/** Adds the record that the execution noted last, where it did and the failure does not say. */
function withNote(failure: Failure, run: Run | undefined): Failure {
  if (failure.source !== undefined || run?.request.kind !== "map" || !run.request.noteRecords) return failure;
  const source = readNote(noteFileOf(run.request));
  return source === undefined ? failure : { ...failure, source };
}

function readNote(path: string): Source | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Source;
  } catch {
    // None was written, or its writer was killed in the midst of it: the failure then names no record.
    return undefined;
  }
}

/** What user code may see, and what Node alone does: main.ts takes the latter away before user code is loaded. */
function explicitEnvironment(): NodeJS.ProcessEnv {
  const entries = passedOn.map((name) => [name, process.env[name]] as const);
  return {
    ...Object.fromEntries(entries.filter(([, value]) => value !== undefined)),
    // Compiled code of ours from earlier runs: an executor is ready in a third of the time.
    NODE_COMPILE_CACHE: getCompileCacheDir() ?? join(tmpdir(), "node-compile-cache"),
  };
}

/** Resident bytes of a process; 0 where the system has no /proc or the process is gone. In KiB there, whatever the page size. */
function residentBytes(pid: number | undefined): number {
  try {
    return (
      Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1] ?? 0) * 1024
    );
  } catch {
    return 0;
  }
}

function mebibytes(bytes: number): string {
  return `${Math.ceil(bytes / 2 ** 20)} MiB`;
}

function once(child: ChildProcess, event: "close" | "disconnect"): Promise<void> {
  return new Promise((resolve) => child.once(event, () => resolve()));
}
