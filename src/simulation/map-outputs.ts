// Owns what a simulated worker knows of a job's map outputs, by the rules of src/worker/map-outputs.ts: it hears batches,
// and asks, page after page, for what it may have missed.

import type { ExecutionId, Incarnation, JobId } from "../shared/job/ids.ts";
import type { WorkerMapOutputs } from "../shared/messages/messages.ts";
import type { World } from "./world.ts";

const pageTimeoutMs = 5_000;
const quietMs = 30_000;

export interface Place {
  readonly map: number;
  readonly executionId: ExecutionId;
  readonly holder: Incarnation;
  readonly machine: string;
}

export interface Batch {
  readonly epoch: number;
  readonly sequence: number;
  readonly workers: readonly WorkerMapOutputs[];
}

export interface Page extends Batch {
  readonly nextMap: number | null;
}

export type AskForPage = (jobId: JobId, fromMap: number, answer: (page: Page) => void) => void;

/** The map outputs of one job, as one worker knows them. */
export class SimulatedMapOutputs {
  readonly #world: World;
  readonly #jobId: JobId;
  readonly #ask: AskForPage;
  readonly #listeners = new Set<() => void>();
  /** Every place in the order in which it was heard of; a later one of a map takes the place of an earlier one. */
  readonly log: Place[] = [];
  readonly #latest = new Map<number, Place>();
  #epoch = 0;
  #last = 0;
  #asking: { fromMap: number; sequence: number | undefined; readonly heard: number[] } | undefined;
  #timer = 0;
  #stopped = false;

  constructor(world: World, jobId: JobId, ask: AskForPage) {
    this.#world = world;
    this.#jobId = jobId;
    this.#ask = ask;
    this.#askAll();
  }

  latest(map: number): Place | undefined {
    return this.#latest.get(map);
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  stop(): void {
    this.#stopped = true;
  }

  hear(batch: Batch): void {
    if (this.#stopped || batch.epoch < this.#epoch) return;
    // Where workers share it, the first one that hears of something has told all.
    if (this.#world.scenario.faults === null && batch.sequence <= this.#last) return;
    const anew = batch.epoch > this.#epoch && this.#epoch > 0;
    this.#epoch = batch.epoch;
    this.#apply(batch.workers);
    if (this.#asking !== undefined) this.#asking.heard.push(batch.sequence);
    else if (anew || batch.sequence > this.#last + 1) this.#askAll();
    else {
      this.#last = Math.max(this.#last, batch.sequence);
      this.#watch();
    }
  }

  #read(page: Page): void {
    if (this.#stopped || page.epoch < this.#epoch) return;
    this.#epoch = page.epoch;
    this.#apply(page.workers);
    const asking = this.#asking;
    if (asking === undefined) return;
    asking.sequence ??= page.sequence;
    if (page.nextMap === null) this.#through(asking.sequence, asking.heard);
    else if (page.nextMap > asking.fromMap) this.#askPage({ ...asking, fromMap: page.nextMap });
  }

  #through(sequence: number, heard: readonly number[]): void {
    this.#asking = undefined;
    this.#last = sequence;
    for (const each of heard) {
      if (each > this.#last + 1) return this.#askAll();
      this.#last = Math.max(this.#last, each);
    }
    this.#watch();
  }

  #askAll(): void {
    this.#askPage({ fromMap: 0, sequence: undefined, heard: [] });
  }

  #askPage(asking: { fromMap: number; sequence: number | undefined; readonly heard: number[] }): void {
    this.#asking = asking;
    this.#ask(this.#jobId, asking.fromMap, (page) => this.#read(page));
    this.#after(pageTimeoutMs, () => this.#askPage(asking));
  }

  #watch(): void {
    this.#after(quietMs, () => {
      if (this.#listeners.size > 0) this.#askAll();
      else this.#watch();
    });
  }

  /** Takes the place of what was to happen before. */
  #after(ms: number, act: () => void): void {
    const timer = ++this.#timer;
    this.#world.clock.after(ms, () => {
      if (!this.#stopped && timer === this.#timer) act();
    });
  }

  #apply(workers: readonly WorkerMapOutputs[]): void {
    const before = this.log.length;
    for (const { worker: holder, machine, outputs } of workers) {
      for (const { map, executionId } of outputs) {
        if (this.#latest.get(map)?.executionId === executionId) continue;
        const place = { map, executionId, holder, machine };
        this.#latest.set(map, place);
        this.log.push(place);
      }
    }
    if (this.log.length > before) for (const listener of this.#listeners) listener();
  }
}
