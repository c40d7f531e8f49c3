// Owns saying the whole truth about a worker: at its start, when it changes, and every interval. One heartbeat is on its
// way at a time; what changes meanwhile is in the next. One that is lost does no harm: the next says all of it again.

import type { Broker } from "../shared/broker/broker.ts";
import { masterQueue } from "../shared/broker/topology.ts";
import type { WorkerHeartbeat } from "../shared/messages/messages.ts";

/** Changes within this time make one heartbeat: an execution that ends is mostly followed by one that begins. */
const coalesceMs = 50;

export interface HeartbeatOptions {
  readonly broker: Broker;
  readonly intervalMs: number;
  /** What is true now. Asked for before each heartbeat; the first one is to hold the map outputs. */
  readonly state: (sequence: number) => Promise<WorkerHeartbeat>;
}

/** The heartbeats of a worker. */
export class Heartbeat {
  readonly #options: HeartbeatOptions;
  #sequence = 0;
  #timer: NodeJS.Timeout | undefined;
  #sending: Promise<void> | undefined;
  #changed = false;
  #stopped = false;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
  }

  /** Sends the first one. @throws MapReduceError BROKER_FAILED */
  async start(): Promise<void> {
    await this.#send();
    this.#schedule(this.#options.intervalMs);
  }

  /** Something that heartbeats tell of has changed. */
  change(): void {
    if (this.#changed || this.#sequence === 0) return;
    this.#changed = true;
    this.#schedule(coalesceMs);
  }

  /** Sends no more; resolves when none is on its way. Twice is fine. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#sending;
  }

  #schedule(afterMs: number): void {
    if (this.#stopped || this.#sending !== undefined) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#beat(), afterMs);
  }

  #beat(): void {
    this.#changed = false;
    this.#sending = this.#send()
      .catch(() => {})
      .then(() => {
        this.#sending = undefined;
        this.#schedule(this.#changed ? coalesceMs : this.#options.intervalMs);
      });
  }

  async #send(): Promise<void> {
    const { broker, state } = this.#options;
    await broker.send(masterQueue, await state(++this.#sequence));
  }
}
