// Drives the core in tests: events in few words, at a time that only the test moves, and what they led to.

import { decide } from "../../../src/master/decide/decide.ts";
import type { Effect, JobSettings, JournalledEvent, MasterEvent } from "../../../src/master/decide/events.ts";
import { newMasterState, type Job } from "../../../src/master/decide/state.ts";
import type { Offered } from "../../../src/master/loop.ts";
import type { ErrorCode } from "../../../src/shared/job/errors.ts";
import { protocolVersion, type RunningExecution } from "../../../src/shared/messages/messages.ts";
import type { PendingOutput } from "../../../src/shared/storage/storage.ts";

type EffectOf<K extends Effect["kind"]> = Extract<Effect, { readonly kind: K }>;

export const jobId = "job";

export interface HeartbeatWords {
  readonly machine?: string;
  readonly slots?: number;
  readonly freeSlots?: number;
  readonly draining?: boolean;
  /** Attempts that run, as "m0/1", and how far they are. */
  readonly runs?: Readonly<Record<string, number>>;
}

export class Core {
  readonly state = newMasterState();
  readonly effects: Effect[] = [];
  readonly journal: JournalledEvent[] = [];
  nowMs = 0;
  readonly #sequences = new Map<string, number>();

  /** Gives the core an event; whatever it proposes is told to it at once. */
  tell(event: Offered): readonly Effect[] {
    const told: MasterEvent = { ...event, atMs: this.nowMs };
    if (told.kind !== "Heartbeat" && told.kind !== "Tick") this.journal.push(told);
    const effects = decide(this.state, told);
    this.effects.push(...effects);
    const proposed = effects.flatMap((effect) => (effect.kind === "Propose" ? [effect.event] : []));
    return [...effects, ...proposed.flatMap((each) => this.tell(each))];
  }

  /** A job that is planned; its workers have said that they are there, each with a machine and two slots of its own. */
  static running(
    maps: number,
    reduces: number,
    workers: readonly string[],
    settings: Partial<JobSettings> = {},
  ): Core {
    const core = new Core();
    workers.forEach((worker) => core.beat(worker));
    core.tell({ kind: "JobSubmitted", jobId, document: { url: "file:///document", sha256: "" } });
    core.tell({
      kind: "JobPlanned",
      jobId,
      settings: { name: "job", maxAttempts: 2, backupTasks: true, scheduling: "pull", ...settings },
      mapTasks: maps,
      reduceTasks: reduces,
      inputBytes: 0,
    });
    return core;
  }

  get job(): Job {
    const job = this.state.jobs.get(jobId);
    if (job === undefined) throw new Error("no job");
    return job;
  }

  beat(worker: string, words: HeartbeatWords = {}): readonly Effect[] {
    const sequence = (this.#sequences.get(worker) ?? 0) + 1;
    this.#sequences.set(worker, sequence);
    const { machine = `machine of ${worker}`, slots = 2, draining = false, runs = {} } = words;
    const executions = Object.entries(runs).map(([ref, fraction]): RunningExecution => {
      return { ...parse(ref), executionId: `${worker}:${ref}`, state: "running", fraction };
    });
    return this.tell({
      kind: "Heartbeat",
      heartbeat: {
        kind: "WorkerHeartbeat",
        protocol: protocolVersion,
        worker,
        sequence,
        machine,
        address: `http://${worker}`,
        scratchDirectory: "/scratch",
        slots,
        freeSlots: words.freeSlots ?? Math.max(0, slots - executions.length),
        draining,
        unfit: null,
        executions,
      },
    });
  }

  succeed(worker: string, ref: string): readonly Effect[] {
    const counters = { [parse(ref).taskId]: 1 };
    return this.tell({
      kind: "Reported",
      report: {
        kind: "AttemptSucceeded",
        ...about(worker, ref),
        report: ref.startsWith("m")
          ? { phase: "map", counters, segmentBytes: 1, skippedRecords: [] }
          : { phase: "reduce", counters, pendingOutputs: [pendingOf(worker, ref)], largestGroups: [] },
      },
    });
  }

  lease(worker: string, ref: string): readonly Effect[] {
    return this.tell({ kind: "Reported", report: { kind: "AttemptLeased", ...about(worker, ref) } });
  }

  fail(worker: string, ref: string, code: ErrorCode = "USER_CODE_THREW"): readonly Effect[] {
    const report = {
      kind: "AttemptFailed",
      ...about(worker, ref),
      failure: { code, message: "why" },
    } as const;
    return this.tell({ kind: "Reported", report });
  }

  /** The reduce `ref` could not read a map output that was made as `lost` by `holder`. */
  loseOutput(worker: string, ref: string, holder: string, lost: string): readonly Effect[] {
    const map = Number(parse(lost).taskId.slice(1));
    const report = {
      kind: "MapOutputLost",
      ...about(worker, ref),
      lost: { map, executionId: `${holder}:${lost}`, reason: "gone" },
    } as const;
    return this.tell({ kind: "Reported", report });
  }

  tick(): readonly Effect[] {
    return this.tell({ kind: "Tick" });
  }
}

/** What a reduce's execution wrote. */
export function pendingOf(worker: string, ref: string): PendingOutput {
  return { name: `part of ${parse(ref).taskId}`, url: `pending/${worker}:${ref}`, records: 1, bytes: 1 };
}

/** The tasks that were published, as "m0/1", in order. */
export function published(effects: readonly Effect[]): string[] {
  return of(effects, "PublishTask").map(({ phase, number, attempt }) => `${phase[0]}${number}/${attempt}`);
}

/** The attempts that were cancelled, as "m0/1 on worker", in order. */
export function cancelled(effects: readonly Effect[]): string[] {
  return of(effects, "CancelAttempt").map(
    ({ phase, number, attempt, worker }) => `${phase[0]}${number}/${attempt} on ${worker}`,
  );
}

export function of<K extends Effect["kind"]>(effects: readonly Effect[], kind: K): EffectOf<K>[] {
  return effects.filter((effect): effect is EffectOf<K> => effect.kind === kind);
}

function parse(ref: string): { readonly jobId: string; readonly taskId: string; readonly attempt: number } {
  const [taskId = "", attempt] = ref.split("/");
  return { jobId, taskId, attempt: Number(attempt) };
}

function about(worker: string, ref: string) {
  return { protocol: protocolVersion, ...parse(ref), executionId: `${worker}:${ref}`, worker } as const;
}
