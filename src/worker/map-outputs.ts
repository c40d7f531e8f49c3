// Owns what a worker knows of a job's map outputs: which are ready, and where. It hears MapOutputReady, and asks with
// QueryMapOutputs for what it may have missed. It fetches nothing.
//
//   asking     entered at the start, at a gap in the sequence, at a new epoch and when it has been quiet for long while
//              something is missing; page after page, each asked again until it is answered
//   listening  every batch up to `#last` was seen, or is included in the pages
//
// Whatever it hears is applied in either state: later batches take the place of earlier ones, and all of them come.

import type { Broker } from "../shared/broker/broker.ts";
import { masterQueue } from "../shared/broker/topology.ts";
import type { ExecutionId, JobId } from "../shared/job/ids.ts";
import {
  protocolVersion,
  type EventMessage,
  type MapOutputs,
  type Message,
  type WorkerMapOutputs,
} from "../shared/messages/messages.ts";

/** A ready map output and the worker that holds it. */
export interface MapOutputPlace {
  readonly attempt: number;
  readonly executionId: ExecutionId;
  readonly holder: Omit<WorkerMapOutputs, "outputs">;
}

/** How long to wait for a page before it is asked for again: its answer may be lost with the master that was to give it. */
const pageTimeoutMs = 5_000;
/** How long to hear nothing, while somebody listens: the latest batch itself may be what was missed. */
const quietMs = 30_000;

/** The map outputs of one job, as they become ready. */
export class MapOutputDirectory {
  readonly #broker: Broker;
  readonly #jobId: JobId;
  readonly #mapTasks: number;
  readonly #places: (MapOutputPlace | undefined)[] = [];
  readonly #listeners = new Set<(map: number) => void>();
  #following: Promise<readonly { stop?(): Promise<void>; close?(): Promise<void> }[]> | undefined;
  #replyTo = "";
  #epoch = 0;
  #last = 0;
  /** Of the pages that are being asked for: the next map to ask for, and what is true once they are through. */
  #asking: { fromMap: number; sequence: number | undefined; readonly heard: number[] } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(broker: Broker, jobId: JobId, mapTasks: number) {
    this.#broker = broker;
    this.#jobId = jobId;
    this.#mapTasks = mapTasks;
  }

  /** The latest place of a map's output, or undefined while there is none. */
  place(map: number): MapOutputPlace | undefined {
    return this.#places[map];
  }

  /** Calls back for each map whose output has become ready or has moved; the first listener starts the listening. */
  async listen(listener: (map: number) => void): Promise<() => void> {
    this.#listeners.add(listener);
    this.#following ??= this.#follow();
    await this.#following;
    return () => void this.#listeners.delete(listener);
  }

  /** Twice is fine. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const each of (await this.#following) ?? []) await (each.stop?.() ?? each.close?.());
  }

  async #follow(): Promise<readonly { stop?(): Promise<void>; close?(): Promise<void> }[]> {
    // Events first: what becomes ready after the pages were made is heard.
    const events = await this.#broker.follow(this.#jobId, (event) => this.#hear(event));
    const mailbox = await this.#broker.openMailbox((message) => this.#read(message));
    this.#replyTo = mailbox.address;
    this.#ask();
    return [events, mailbox];
  }

  #hear(event: EventMessage): void {
    if (event.kind !== "MapOutputReady" || event.epoch < this.#epoch) return;
    const anew = event.epoch > this.#epoch && this.#epoch > 0;
    this.#epoch = event.epoch;
    this.#apply(event.workers);
    if (this.#asking !== undefined) this.#asking.heard.push(event.sequence);
    else if (anew || event.sequence > this.#last + 1) this.#ask();
    else {
      this.#last = Math.max(this.#last, event.sequence);
      this.#watch();
    }
  }

  #read(message: Message): void {
    if (message.kind !== "MapOutputs" || message.jobId !== this.#jobId || message.epoch < this.#epoch) return;
    this.#epoch = message.epoch;
    this.#apply(message.workers);
    const asking = this.#asking;
    if (asking === undefined) return;
    asking.sequence ??= message.sequence;
    if (message.nextMap === null) this.#listen(asking.sequence, asking.heard);
    else if (message.nextMap > asking.fromMap) this.#askPage({ ...asking, fromMap: message.nextMap });
  }

  /** The pages are through: whole up to `sequence`, and on from there as far as batches were heard without a gap. */
  #listen(sequence: number, heard: readonly number[]): void {
    this.#asking = undefined;
    this.#last = sequence;
    for (const each of heard) {
      if (each > this.#last + 1) return this.#ask();
      this.#last = Math.max(this.#last, each);
    }
    this.#watch();
  }

  #ask(): void {
    this.#askPage({ fromMap: 0, sequence: undefined, heard: [] });
  }

  #askPage(asking: { fromMap: number; sequence: number | undefined; readonly heard: number[] }): void {
    if (this.#stopped) return;
    this.#asking = asking;
    const again = (): void => this.#askPage(asking);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(again, pageTimeoutMs);
    const { fromMap } = asking;
    this.#broker
      .send(masterQueue, {
        kind: "QueryMapOutputs",
        protocol: protocolVersion,
        jobId: this.#jobId,
        fromMap,
        replyTo: this.#replyTo,
      })
      // Asked again when the timer is up, as when the answer is lost.
      .catch(() => {});
  }

  #watch(): void {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    this.#timer = setTimeout(() => {
      if (this.#listeners.size > 0) this.#ask();
      else this.#watch();
    }, quietMs);
  }

  #apply(workers: MapOutputs["workers"]): void {
    for (const { outputs, ...holder } of workers) {
      for (const { map, attempt, executionId } of outputs) {
        if (map >= this.#mapTasks || this.#places[map]?.executionId === executionId) continue;
        this.#places[map] = { attempt, executionId, holder };
        for (const listener of this.#listeners) listener(map);
      }
    }
  }
}
