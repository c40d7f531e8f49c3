// Owns the process of a slot: the only place where user code runs. Forked by executor-process.ts, it loads one job, runs
// its executions one after the other, and answers each once. It trusts user code with nothing but itself: an execution
// that fails is this process's last, and its parent ends it.

import { flushCompileCache } from "node:module";
import { MapReduceError, toFailure } from "../../shared/job/errors.ts";
import type { MapReport, ReduceReport } from "../../shared/messages/messages.ts";
import { SegmentLostError, type LoadedJob } from "./execution.ts";
import { ExecutorHooks } from "./hooks.ts";
import { loadJob } from "./load.ts";
import type { ExecutionRequest, ExecutorEvent, ExecutorRequest } from "./protocol.ts";
import { userError, userStack } from "./user-error.ts";

// User code finds no channel to speak on, and its process.exit is told of: both are taken before it is loaded.
const channel = process.send?.bind(process);
const exit = process.exit.bind(process);
delete process.send;
delete process.env["NODE_COMPILE_CACHE"];

let failed = false;
let running: { readonly hooks: ExecutorHooks; readonly abort: AbortController } | undefined;
let job: Promise<LoadedJob> | undefined;
let turn: Promise<void> = Promise.resolve();
const mapExecution = import("../map/execution.ts");

function send(event: ExecutorEvent): void {
  if (channel === undefined) throw new Error("executor: no channel, expected to be forked by a worker");
  channel(event);
}

/** The first failure counts: it is the cause of those that follow. */
function fail(error: unknown): void {
  if (failed) return;
  failed = true;
  const lost = error instanceof SegmentLostError ? { lost: error.lost } : {};
  send({ kind: "failed", failure: toFailure(error), ...lost });
}

async function execute(
  request: ExecutionRequest,
  job: LoadedJob,
  hooks: ExecutorHooks,
): Promise<MapReport | ReduceReport> {
  if (request.kind === "map") return await (await mapExecution).runMap(request, job, hooks);
  const { runReduce } = await import("../reduce/execution.ts");
  return await runReduce(request, job, hooks);
}

async function run(request: ExecutionRequest, loading: Promise<LoadedJob>): Promise<void> {
  const loaded = await loading;
  const abort = new AbortController();
  const hooks = new ExecutorHooks(request, abort.signal, send);
  running = { hooks, abort };
  const home = process.cwd();
  process.chdir(request.scratchDirectory);
  const report = await execute(request, loaded, hooks);
  hooks.close();
  running = undefined;
  process.chdir(home);
  if (!failed) send({ kind: "succeeded", report });
  // Written here since executors are killed, not ended: what is known already costs nothing.
  flushCompileCache();
}

function receive(request: ExecutorRequest): void {
  switch (request.kind) {
    case "load":
      job = loadJob(request);
      job.catch(fail);
      return;
    case "map":
    case "reduce": {
      const loading = job ?? Promise.reject(new Error(`${request.kind} request: before any job was loaded`));
      turn = turn.then(() => run(request, loading)).catch(fail);
      return;
    }
    case "abort":
      running?.abort.abort(new MapReduceError("JOB_CANCELLED", "the attempt was cancelled"));
      return;
    default:
      request satisfies never;
  }
}

/** What nobody caught belongs to the execution that runs; where none does, to whoever reads the worker's output. */
function uncaught(thrown: unknown): void {
  if (running === undefined) process.stderr.write(`${userStack(thrown)}\n`);
  fail(userError(thrown, running?.hooks.noted));
}

process.on("uncaughtException", uncaught);
process.on("unhandledRejection", uncaught);
process.on("disconnect", () => exit(0));
process.exit = (code) => {
  const called = new Error(`process.exit(${code ?? ""})`);
  const source = running?.hooks.noted;
  const facts = { userStack: userStack(called), ...(source === undefined ? {} : { source }) };
  fail(new MapReduceError("USER_CODE_EXITED", `user code called ${called.message}`, facts));
  return exit(code);
};
process.on("message", receive);
