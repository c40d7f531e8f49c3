// Owns a simulated master: the real core, with a journal in memory, whose effects are performed on simulated workers and
// storage. It may end at any moment, between an event's journalling and its effects too; another starts from the journal.

import type { decide as coreDecide } from "../master/decide/decide.ts";
import type { Effect, JournalledEvent, MasterEvent } from "../master/decide/events.ts";
import { resume } from "../master/decide/resume.ts";
import { mapOutputsOf } from "../master/decide/queries.ts";
import { newMasterState, type MasterState } from "../master/decide/state.ts";
import type { Offered } from "../master/loop.ts";
import type { JobId } from "../shared/job/ids.ts";
import type { Page } from "./map-outputs.ts";
import type { TaskQueues } from "./task-queues.ts";
import type { SimulatedWorker } from "./worker.ts";
import type { World } from "./world.ts";

const tickMs = 200;
const mapsPerReply = 1_000;

export type Decide = typeof coreDecide;

export interface SimulatedMasterOptions {
  readonly world: World;
  readonly decide: Decide;
  readonly queues: TaskQueues;
  readonly workers: ReadonlyMap<string, SimulatedWorker>;
}

/** The master's place: one after the other takes it. */
export class SimulatedMaster {
  readonly #options: SimulatedMasterOptions;
  readonly #journal: JournalledEvent[] = [];
  /** What came while there was no master. */
  #waiting: Offered[] = [];
  #state: MasterState = newMasterState();
  #epoch = 1;
  #up = true;
  #endsAtNextEvent = false;
  #downMs = 0;
  decisions = 0;
  restarts = 0;

  constructor(options: SimulatedMasterOptions) {
    this.#options = options;
    this.#tick(this.#epoch);
  }

  /** Takes an event, as the loop does: journalled, decided about, its effects performed. */
  offer(offered: Offered): void {
    if (!this.#up) {
      this.#waiting.push(offered);
      return;
    }
    const { world, decide } = this.#options;
    const event: MasterEvent = { ...offered, atMs: world.clock.nowMs };
    this.decisions++;
    const lasts = event.kind !== "Heartbeat" && event.kind !== "Tick";
    if (lasts) this.#journal.push(event);
    const effects = decide(this.#state, event);
    const ends = this.#endsAtNextEvent && lasts;
    const performed = ends ? world.random.integer(0, effects.length) : effects.length;
    for (const effect of effects.slice(0, performed)) this.#perform(effect);
    if (!ends) return;
    // Not settled: whoever brought it brings it again.
    this.#waiting.push(offered);
    this.#end();
  }

  /** Lets the master end at its next lasting event; another one starts after `downMs`. */
  endSoon(downMs: number): void {
    this.#endsAtNextEvent = true;
    this.#downMs = downMs;
  }

  /** Answers QueryMapOutputs. */
  mapOutputs(jobId: JobId, fromMap: number): Page | undefined {
    if (!this.#up) return undefined;
    const page = mapOutputsOf(this.#state, jobId, fromMap, mapsPerReply);
    return page === undefined ? undefined : { ...page, epoch: this.#epoch };
  }

  #end(): void {
    this.#up = false;
    this.#endsAtNextEvent = false;
    this.#options.world.clock.after(this.#downMs, () => this.#start());
  }

  #start(): void {
    this.restarts++;
    this.#epoch++;
    this.#state = newMasterState();
    for (const event of this.#journal) this.#options.decide(this.#state, event);
    this.#up = true;
    for (const effect of resume(this.#state)) this.#perform(effect);
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const offered of waiting) this.offer(offered);
    this.#tick(this.#epoch);
  }

  #tick(epoch: number): void {
    this.#options.world.clock.after(tickMs, () => {
      if (epoch !== this.#epoch || !this.#up) return;
      this.offer({ kind: "Tick" });
      this.#tick(epoch);
    });
  }

  /** Offers what came of something long, if this master is still there then. */
  #offerAfter(ms: number, act: () => Offered): void {
    const epoch = this.#epoch;
    this.#options.world.clock.after(ms, () => {
      if (epoch === this.#epoch && this.#up) this.offer(act());
    });
  }

  #perform(effect: Effect): void {
    const { world, workers } = this.#options;
    const { ledger } = world;
    const epoch = this.#epoch;
    switch (effect.kind) {
      case "PlanJob":
        return this.#plan(effect.jobId);
      case "AcceptJob":
        ledger.job(effect.jobId).accepted = true;
        return;
      case "RejectJob":
        ledger.job(effect.jobId).rejected = true;
        return;
      case "PublishTask":
        return this.#publish(effect);
      case "CancelAttempt": {
        const { worker, jobId, phase, number, attempt } = effect;
        const order = { jobId, phase, number, attempt, epoch };
        return world.carry("any", () => workers.get(worker)?.cancel(order));
      }
      case "AnnounceMapOutputs":
        for (const worker of workers.values()) {
          if (!worker.follows(effect.jobId)) continue;
          world.carry("any", () => worker.hear(effect.jobId, { ...effect, epoch }));
        }
        return;
      case "AnnounceProgress":
        for (const { fraction } of [effect.progress.map, effect.progress.reduce]) {
          if (!(fraction >= 0 && fraction <= 1)) ledger.problem(`${effect.jobId}: progress ${fraction}`);
        }
        return;
      case "DiscardPending":
        return ledger.discard(effect.pending);
      case "CommitJob":
        return this.#commit(effect);
      case "Propose":
        return this.#offerAfter(0, () => effect.event);
      case "FinishJob":
        return ledger.finish(effect.jobId, effect.result, world.clock.nowMs);
      case "ReleaseJob":
        for (const worker of workers.values()) {
          world.carry("any", () => worker.release(effect.jobId, epoch));
        }
        return;
      default:
        effect satisfies never;
    }
  }

  #plan(jobId: JobId): void {
    const { random, scenario } = this.#options.world;
    const { maps, reduces, scheduling, backupTasks, maxAttempts } = scenario;
    this.#offerAfter(random.between(1, 20), () => ({
      kind: "JobPlanned",
      jobId,
      settings: { name: jobId, maxAttempts, backupTasks, scheduling },
      mapTasks: maps,
      reduceTasks: reduces,
      inputBytes: 0,
    }));
  }

  #publish({ jobId, phase, number, attempt, to }: Extract<Effect, { kind: "PublishTask" }>): void {
    const { world, queues, workers } = this.#options;
    const task = { jobId, phase, number, attempt, mapTasks: world.scenario.maps, epoch: this.#epoch };
    world.carry("any", () => {
      if (to === null) queues.add(task);
      else workers.get(to)?.order(task);
    });
  }

  #commit({ jobId, pending }: Extract<Effect, { kind: "CommitJob" }>): void {
    const { world } = this.#options;
    this.#offerAfter(world.random.between(1, 200), () => {
      if (world.fails("commitFailure")) {
        world.ledger.job(jobId).commitRefused = true;
        const failure = { code: "STORAGE_FAILED", message: "simulated: storage is away" } as const;
        return { kind: "CommitFailed", jobId, failure };
      }
      world.ledger.commit(jobId, pending);
      return { kind: "Committed", jobId };
    });
  }
}
