// Owns a whole simulation: a fleet, its jobs and what goes wrong, from one seed to one outcome. The core is the real one.

import { decide as coreDecide } from "../master/decide/decide.ts";
import type { JobId } from "../shared/job/ids.ts";
import type { JobResult } from "../shared/job/result.ts";
import { checkJob, checkStorage } from "./check.ts";
import { Ledger } from "./ledger.ts";
import type { SimulatedMapOutputs } from "./map-outputs.ts";
import { SimulatedMaster, type Decide } from "./master.ts";
import { Random } from "./random.ts";
import { drawScenario, type Scenario } from "./scenario.ts";
import { TaskQueues } from "./task-queues.ts";
import { SimulatedWorker } from "./worker.ts";
import { World } from "./world.ts";

/** A job that is not over this long after the last fault hangs: many times what the longest one takes. */
const patienceMs = 3_600_000;
/** How long everything gets to come to rest after the last job. */
const restMs = 60_000;
const submitAgainMs = 5_000;

export interface SimulateOptions {
  /** What is not given is drawn from the seed. */
  readonly scenario?: Partial<Scenario>;
  /** In place of the core, for tests that break it. */
  readonly decide?: Decide;
  /** How long until a job is taken to hang, in milliseconds of virtual time. */
  readonly patienceMs?: number;
}

export interface Outcome {
  readonly seed: number;
  readonly scenario: Scenario;
  /** What was not as it must be; none is a good run. */
  readonly problems: readonly string[];
  /** By job, in the order of their submission; undefined for one that was rejected or hangs. */
  readonly results: readonly (JobResult | undefined)[];
  /** Virtual time until the last job was over. */
  readonly elapsedMs: number;
  /** Events that the core decided about, executions that were begun, masters that took over. */
  readonly decisions: number;
  readonly executions: number;
  readonly restarts: number;
}

/** Runs one simulation; the same seed and options give the same outcome. */
export function simulate(seed: number, options: SimulateOptions = {}): Outcome {
  const random = new Random(seed);
  const scenario = { ...drawScenario(random), ...options.scenario };
  return new Simulation(seed, new World(random, scenario, new Ledger()), options).run();
}

class Simulation {
  readonly #seed: number;
  readonly #world: World;
  readonly #options: SimulateOptions;
  readonly #workers = new Map<string, SimulatedWorker>();
  readonly #queues: TaskQueues;
  readonly #master: SimulatedMaster;
  readonly #shared = new Map<JobId, SimulatedMapOutputs>();
  #started = 0;

  constructor(seed: number, world: World, options: SimulateOptions) {
    this.#seed = seed;
    this.#world = world;
    this.#options = options;
    this.#queues = new TaskQueues(({ jobId, phase, number, attempt }) => {
      world.ledger.job(jobId).deadLetters++;
      const reason = "delivered too often";
      const dead = { kind: "TaskDeadLettered", jobId, phase, number, attempt, reason } as const;
      world.carry("arrives", () => this.#master.offer(dead));
    });
    this.#master = new SimulatedMaster({
      world,
      decide: options.decide ?? coreDecide,
      queues: this.#queues,
      workers: this.#workers,
    });
  }

  run(): Outcome {
    const { clock, scenario, ledger } = this.#world;
    const slowest = scenario.slowest > 1 ? 0 : -1;
    for (let number = 0; number < scenario.workers; number++) {
      this.#startWorker(number, number === slowest ? scenario.slowest : 1);
    }
    for (let number = 0; number < scenario.jobs; number++) this.#submit(`job-${number}`);
    this.#planFaults();
    const jobs = [...ledger.jobs.values()];
    const untilMs = (scenario.faults?.untilMs ?? 0) + (this.#options.patienceMs ?? patienceMs);
    const areOver = clock.run(untilMs, () => jobs.every((job) => ledger.isOver(job)));
    const elapsedMs = clock.nowMs;
    if (areOver && scenario.faults !== null) {
      clock.run(Math.max(elapsedMs, scenario.faults.untilMs) + restMs, () => false);
      checkStorage(ledger);
      for (const worker of this.#workers.values()) {
        if (worker.alive && !worker.idle) ledger.problem(`${worker.incarnation}: still runs something`);
      }
    }
    for (const job of jobs) {
      if (!ledger.isOver(job)) ledger.problem(`${job.jobId}: hangs`);
      else if (scenario.faults !== null) checkJob(ledger, job, scenario.maxAttempts);
    }
    return {
      seed: this.#seed,
      scenario,
      problems: ledger.problems,
      results: jobs.map(({ result }) => result),
      elapsedMs,
      decisions: this.#master.decisions,
      executions: ledger.executions.size,
      restarts: this.#master.restarts,
    };
  }

  #startWorker(number: number, slowness: number): SimulatedWorker {
    const world = this.#world;
    const worker = new SimulatedWorker({
      world,
      incarnation: `worker-${number}-${this.#started++}`,
      machine: `machine-${number % world.scenario.machines}`,
      slots: world.scenario.slots,
      slowness,
      queues: this.#queues,
      shared: world.scenario.faults === null ? this.#shared : undefined,
      toMaster: (message) => {
        if (message.kind === "WorkerHeartbeat") this.#master.offer({ kind: "Heartbeat", heartbeat: message });
        else {
          if (message.kind === "AttemptSucceeded" && message.report.phase === "reduce") {
            for (const { url } of message.report.pendingOutputs) world.ledger.told.add(url);
          }
          this.#master.offer({ kind: "Reported", report: message });
        }
      },
      askForPage: (jobId, fromMap, answer) =>
        world.carry("any", () => {
          const page = this.#master.mapOutputs(jobId, fromMap);
          if (page !== undefined) world.carry("any", () => answer(page));
        }),
      holds: ({ holder, executionId }) => this.#workers.get(holder)?.holds(executionId) === true,
    });
    this.#workers.set(worker.incarnation, worker);
    return worker;
  }

  /** A client submits again until it has an answer. */
  #submit(jobId: string): void {
    const { ledger, scenario, clock } = this.#world;
    ledger.addJob(jobId, scenario.maps, scenario.reduces);
    const job = ledger.job(jobId);
    const document = { url: `memory:${jobId}`, sha256: "" };
    const submit = (): void => {
      if (job.accepted || ledger.isOver(job)) return;
      this.#world.carry("any", () => this.#master.offer({ kind: "JobSubmitted", jobId, document }));
      clock.after(submitAgainMs, submit);
    };
    submit();
    if (scenario.cancelMs === null) return;
    const cancel = (): void => {
      job.cancelAsked = true;
      this.#world.carry("arrives", () => this.#master.offer({ kind: "CancelRequested", jobId }));
    };
    clock.after(scenario.cancelMs, cancel);
  }

  #planFaults(): void {
    const { faults } = this.#world.scenario;
    if (faults === null) return;
    const { random, clock } = this.#world;
    const sometime = (act: () => void): void => clock.after(random.between(0, faults.untilMs), act);
    for (let n = 0; n < faults.deaths; n++) sometime(() => this.#kill(faults.rebirth));
    for (let n = 0; n < faults.masterRestarts; n++) {
      sometime(() => this.#master.endSoon(random.pick([10, 2_000, 15_000])));
    }
    for (let n = 0; n < faults.pauses; n++) {
      sometime(() => this.#living()?.pause(random.between(500, 30_000), random.chance(0.5)));
    }
  }

  #kill(rebirth: number): void {
    const { random, clock } = this.#world;
    const worker = this.#living();
    if (worker === undefined) return;
    worker.die();
    const number = Number(worker.incarnation.split("-")[1]);
    // The last one always comes again: a fleet without workers waits for some, for as long as it takes.
    if (!random.chance(rebirth) && this.#living() !== undefined) return;
    clock.after(random.between(10, 15_000), () => this.#startWorker(number, 1));
  }

  #living(): SimulatedWorker | undefined {
    const living = [...this.#workers.values()].filter(({ alive }) => alive);
    return living.length === 0 ? undefined : living[this.#world.random.integer(0, living.length - 1)];
  }
}
