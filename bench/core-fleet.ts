// Owns a fleet without faults for the master's core, on a virtual clock: workers that take, run and report tasks and send
// heartbeats as real ones do. No broker, no storage and no user code: what is measured is the core. It judges nothing.

import { counterNames, type Counters } from "../src/shared/job/counters.ts";
import { taskId, type JobId, type Phase } from "../src/shared/job/ids.ts";
import type {
  AttemptSucceeded,
  MapReport,
  ReduceReport,
  RunningExecution,
  WorkerHeartbeat,
} from "../src/shared/messages/messages.ts";
import { decide } from "../src/master/decide/decide.ts";
import type { Effect, JobSettings, MasterEvent } from "../src/master/decide/events.ts";
import { Fifo } from "../src/master/decide/fifo.ts";
import { newMasterState } from "../src/master/decide/state.ts";
import { Clock } from "../src/simulation/clock.ts";

export interface FleetSize {
  readonly maps: number;
  readonly reduces: number;
  readonly workers: number;
}

/** What a job of this size made the core do. */
export interface FleetCosts {
  /** Events that the core decided about, by kind. */
  readonly events: Record<string, number>;
  /** Effects that it asked for, by kind. Each but ReleaseJob is one message at most. */
  readonly effects: Record<string, number>;
  /** Map outputs in all announcements, and workers that these name. */
  readonly announcedOutputs: number;
  readonly announcedPlaces: number;
  /** Milliseconds in `decide`. */
  readonly decideMs: number;
  /** Virtual milliseconds from submission to the end. */
  readonly elapsedMs: number;
}

const slots = 2;
const heartbeatMs = 3_000;
const coalesceMs = 50;
const tickMs = 200;
/** A map takes 20 to 30 s and a reduce twice that: the paper's tasks of 16 to 64 MB, on its machines. */
const mapMs = 20_000;

interface Execution extends RunningExecution {
  readonly phase: Phase;
  readonly number: number;
  state: "fetching" | "waiting" | "running";
  fraction: number;
  startedMs: number;
  endsMs: number;
}

interface Worker {
  readonly incarnation: string;
  readonly machine: string;
  readonly executions: Set<Execution>;
  freeSlots: number;
  reduces: number;
  sequence: number;
  serial: number;
  /** Heartbeats planned before this one has changed are void. */
  beatsAtMs: number;
}

/** A fleet and its master's core, from the first heartbeat to the release of one job. */
export class Fleet {
  readonly #size: FleetSize;
  readonly #scheduling: JobSettings["scheduling"];
  readonly #state = newMasterState();
  readonly #clock = new Clock();
  readonly #workers: Worker[];
  readonly #byIncarnation: Map<string, Worker>;
  readonly #queues = { map: new Fifo<Execution>(), reduce: new Fifo<Execution>() };
  readonly #counted = { events: {}, effects: {} } as Record<"events" | "effects", Record<string, number>>;
  readonly #jobId: JobId = "0193f0a0-0000-7000-8000-000000000001";
  #announcedOutputs = 0;
  #announcedPlaces = 0;
  #decideMs = 0;
  #over = false;
  /** Workers that may have room, the one that got it first in front: so a shared queue serves its consumers. */
  readonly #hungry = { map: new Fifo<Worker>(), reduce: new Fifo<Worker>() };

  constructor(size: FleetSize, scheduling: JobSettings["scheduling"] = "pull") {
    this.#size = size;
    this.#scheduling = scheduling;
    this.#workers = Array.from({ length: size.workers }, (_, i) => ({
      incarnation: `00000000-0000-4000-8000-${String(i).padStart(12, "0")}`,
      machine: `machine-${i}`,
      executions: new Set<Execution>(),
      freeSlots: slots,
      reduces: 0,
      sequence: 0,
      serial: 0,
      beatsAtMs: 0,
    }));
    this.#byIncarnation = new Map(this.#workers.map((worker) => [worker.incarnation, worker]));
  }

  /** Runs one job to its end. @throws Error where it does not end in a day of virtual time */
  run(): FleetCosts {
    for (const [i, worker] of this.#workers.entries()) {
      // Heartbeats of a real fleet are spread over their interval.
      this.#planBeat(worker, (i * heartbeatMs) / this.#workers.length);
      for (let slot = 0; slot < slots; slot++) {
        this.#hungry.map.push(worker);
        this.#hungry.reduce.push(worker);
      }
    }
    this.#clock.after(heartbeatMs, () => {
      this.#tell({
        kind: "JobSubmitted",
        atMs: this.#clock.nowMs,
        jobId: this.#jobId,
        document: { url: "", sha256: "" },
      });
    });
    this.#clock.after(0, () => this.#tick());
    if (!this.#clock.run(86_400_000, () => this.#over)) {
      throw new Error("core: job not over after a day of virtual time");
    }
    return {
      ...this.#counted,
      announcedOutputs: this.#announcedOutputs,
      announcedPlaces: this.#announcedPlaces,
      decideMs: this.#decideMs,
      elapsedMs: this.#clock.nowMs - heartbeatMs,
    };
  }

  #tick(): void {
    this.#tell({ kind: "Tick", atMs: this.#clock.nowMs });
    this.#clock.after(tickMs, () => this.#tick());
  }

  #tell(event: MasterEvent): void {
    count(this.#counted.events, event.kind);
    const beganMs = performance.now();
    const effects = decide(this.#state, event);
    this.#decideMs += performance.now() - beganMs;
    for (const effect of effects) {
      count(this.#counted.effects, effect.kind);
      this.#perform(effect);
    }
  }

  #perform(effect: Effect): void {
    const { maps: mapTasks, reduces: reduceTasks } = this.#size;
    const atMs = this.#clock.nowMs;
    const jobId = this.#jobId;
    if (effect.kind === "PlanJob") {
      const settings = { name: "core", maxAttempts: 4, backupTasks: true, scheduling: this.#scheduling };
      const inputBytes = mapTasks * 2 ** 26;
      this.#later(() =>
        this.#tell({ kind: "JobPlanned", atMs, jobId, settings, mapTasks, reduceTasks, inputBytes }),
      );
    } else if (effect.kind === "Propose")
      throw new Error(`core: ${effect.event.kind} where nothing has failed`);
    else if (effect.kind === "PublishTask") this.#deliver(effect);
    else if (effect.kind === "AnnounceMapOutputs") {
      this.#announcedPlaces += effect.workers.length;
      for (const { outputs } of effect.workers) this.#announcedOutputs += outputs.length;
      if (this.#announcedOutputs === mapTasks)
        this.#later(() => this.#workers.forEach((worker) => this.#advanceAll(worker)));
    } else if (effect.kind === "CommitJob") this.#later(() => this.#tell({ kind: "Committed", atMs, jobId }));
    else if (effect.kind === "FinishJob") {
      if (effect.result.state !== "succeeded")
        throw new Error(`core: job ${effect.result.state}, expected it to succeed`);
      this.#over = true;
    }
  }

  /** Effects are performed after the event that led to them, as the loop does. */
  #later(act: () => void): void {
    this.#clock.after(0, act);
  }

  #deliver({ jobId, phase, number, attempt, to }: Extract<Effect, { kind: "PublishTask" }>): void {
    const execution: Execution = {
      jobId,
      taskId: taskId(phase, number),
      attempt,
      executionId: "",
      phase,
      number,
      state: phase === "map" ? "waiting" : "fetching",
      fraction: 0,
      startedMs: 0,
      endsMs: 0,
    };
    const owner = to === null ? undefined : this.#byIncarnation.get(to);
    if (owner === undefined) this.#queues[phase].push(execution);
    this.#later(() => (owner === undefined ? this.#serve(phase) : this.#take(owner, execution)));
  }

  /** Gives tasks of a shared queue to whoever has room. */
  #serve(phase: Phase): void {
    const queue = this.#queues[phase];
    const hungry = this.#hungry[phase];
    while (queue.length > 0 && hungry.length > 0) {
      const worker = hungry.shift()!;
      if (hasRoom(worker, phase)) this.#take(worker, queue.shift()!);
    }
  }

  /** What was sent to it alone a worker takes at once; it waits there for its slot. */
  #take(worker: Worker, task: Execution): void {
    const execution = { ...task, executionId: `${worker.incarnation}.${++worker.serial}` };
    worker.executions.add(execution);
    if (execution.phase === "reduce") worker.reduces++;
    this.#advance(worker, execution);
    this.#change(worker);
  }

  /** A reduce has fetched everything as soon as all is announced; a slot is waited for. */
  #advance(worker: Worker, execution: Execution): void {
    const announced = this.#announcedOutputs === this.#size.maps;
    if (execution.state === "fetching" && announced) execution.state = "waiting";
    if (execution.state === "waiting" && worker.freeSlots > 0) this.#start(worker, execution);
  }

  #start(worker: Worker, execution: Execution): void {
    const { phase, number } = execution;
    worker.freeSlots--;
    execution.state = "running";
    execution.startedMs = this.#clock.nowMs;
    // A spread of durations without a random number: the same run every time.
    const spread = 1 + ((number * 2_654_435_761) % 1_000) / 2_000;
    execution.endsMs = this.#clock.nowMs + mapMs * spread * (phase === "map" ? 1 : 2);
    this.#clock.after(execution.endsMs - this.#clock.nowMs, () => this.#end(worker, execution));
  }

  #advanceAll(worker: Worker): void {
    for (const execution of worker.executions) this.#advance(worker, execution);
  }

  #end(worker: Worker, execution: Execution): void {
    worker.executions.delete(execution);
    worker.freeSlots++;
    const { jobId, taskId, attempt, executionId, phase, number } = execution;
    const report: AttemptSucceeded = {
      kind: "AttemptSucceeded",
      protocol: 1,
      jobId,
      taskId,
      attempt,
      executionId,
      worker: worker.incarnation,
      report: phase === "map" ? mapReport() : reduceReport(jobId, number, executionId),
    };
    if (phase === "reduce") worker.reduces--;
    this.#tell({ kind: "Reported", atMs: this.#clock.nowMs, report });
    this.#advanceAll(worker);
    this.#hungry.map.push(worker);
    this.#hungry.reduce.push(worker);
    this.#serve("reduce");
    this.#serve("map");
    this.#change(worker);
  }

  #change(worker: Worker): void {
    this.#planBeat(worker, this.#clock.nowMs + coalesceMs);
  }

  #planBeat(worker: Worker, atMs: number): void {
    if (worker.beatsAtMs > this.#clock.nowMs && worker.beatsAtMs <= atMs) return;
    worker.beatsAtMs = atMs;
    this.#clock.after(atMs - this.#clock.nowMs, () => {
      if (worker.beatsAtMs === atMs) this.#beat(worker);
    });
  }

  #beat(worker: Worker): void {
    for (const execution of worker.executions) {
      const { startedMs, endsMs } = execution;
      if (execution.state === "running")
        execution.fraction = (this.#clock.nowMs - startedMs) / Math.max(1, endsMs - startedMs);
    }
    const heartbeat: WorkerHeartbeat = {
      kind: "WorkerHeartbeat",
      protocol: 1,
      worker: worker.incarnation,
      sequence: ++worker.sequence,
      machine: worker.machine,
      address: `http://${worker.machine}:7070`,
      scratchDirectory: "/tmp/mapreduce",
      slots,
      freeSlots: worker.freeSlots,
      draining: false,
      unfit: null,
      executions: [...worker.executions],
      ...(worker.sequence === 1 ? { mapOutputs: [] } : {}),
    };
    this.#tell({ kind: "Heartbeat", atMs: this.#clock.nowMs, heartbeat });
    this.#planBeat(worker, this.#clock.nowMs + heartbeatMs);
  }
}

function hasRoom(worker: Worker, phase: Phase): boolean {
  return phase === "map" ? worker.freeSlots > 0 : worker.reduces < slots;
}

function count(into: Record<string, number>, kind: string): void {
  into[kind] = (into[kind] ?? 0) + 1;
}

function mapReport(): MapReport {
  return { phase: "map", counters: countersOf(500_000), segmentBytes: 2 ** 24, skippedRecords: [] };
}

function reduceReport(jobId: JobId, partition: number, executionId: string): ReduceReport {
  const name = `part-${String(partition).padStart(5, "0")}`;
  const url = `s3://bucket/out/_temporary/${jobId}/${name}-${executionId}`;
  return {
    phase: "reduce",
    counters: countersOf(20_000),
    pendingOutputs: [{ name, url, records: 20_000, bytes: 2 ** 20 }],
    largestGroups: Array.from({ length: 10 }, (_, i) => ({
      key: `key-${partition}-${i}`,
      records: 1_000 - i,
    })),
  };
}

/** Every counter that the engine keeps, and two of a user's. */
function countersOf(records: number): Counters {
  return {
    ...Object.fromEntries(Object.values(counterNames).map((name) => [name, records])),
    "lines.empty": 3,
    "lines.long": 1,
  };
}
