// Owns the order in which things happen to the master's state: an event is journalled, then decided about, then its
// effects are performed, then whoever brought it may settle. It decides nothing and performs nothing itself.
//
//   offer ──► gathered ──append──► journalled ──decide──► effects ──perform──► settled
//
// While one append is in flight, events gather and form the next: no timer, and a fast journal makes small batches.
// Effects of one batch may still be under way while the next is decided.

import type { Effect, JournalledEvent, MasterEvent } from "./decide/events.ts";

/** An event as it is offered: the loop adds the time, so that times never go back within the order of events. */
export type Offered<E extends MasterEvent = MasterEvent> = E extends MasterEvent ? Omit<E, "atMs"> : never;

export interface LoopOptions {
  /** The core: takes an event into its state, gives what is to be done. */
  readonly decide: (event: MasterEvent) => readonly Effect[];
  /** Milliseconds on a clock that never goes back. */
  readonly clock: () => number;
  /** Resolves once the events can't be lost; rejects when another master has taken over, or the journal is out of reach. */
  readonly append: (events: readonly JournalledEvent[]) => Promise<void>;
  /** Resolves when the effect is performed; what takes long answers with an event of its own instead. */
  readonly perform: (effect: Effect) => Promise<void>;
  /** Told once, when append, decide or perform has failed: from then on every offer rejects with the same error. */
  readonly onFailure: (error: unknown) => void;
}

interface Gathered {
  readonly event: MasterEvent;
  readonly settle: () => void;
  readonly fail: (error: unknown) => void;
}

/** The one writer of the master's state. What is gathered is bounded by who offers: each waits until it is settled. */
export class Loop {
  readonly #options: LoopOptions;
  #gathered: Gathered[] = [];
  #running = false;
  #failure: { readonly error: unknown } | undefined;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /** Takes an event; resolves when its effects are performed, rejects when the loop has failed. */
  offer(offered: Offered): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure.error);
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const event: MasterEvent = { ...offered, atMs: this.#options.clock() };
    this.#gathered.push({ event, settle: resolve, fail: reject });
    if (!this.#running) void this.#run();
    return promise;
  }

  async #run(): Promise<void> {
    this.#running = true;
    while (this.#gathered.length > 0) {
      const batch = this.#gathered;
      this.#gathered = [];
      try {
        const lasting = batch.map(({ event }) => event).filter(isJournalled);
        if (lasting.length > 0) await this.#options.append(lasting);
        const effects = batch.flatMap(({ event }) => this.#options.decide(event));
        void this.#perform(effects, batch);
      } catch (error) {
        this.#fail(error, batch);
      }
    }
    this.#running = false;
  }

  async #perform(effects: readonly Effect[], batch: readonly Gathered[]): Promise<void> {
    try {
      await Promise.all(effects.map((effect) => this.#options.perform(effect)));
      for (const { settle } of batch) settle();
    } catch (error) {
      this.#fail(error, batch);
    }
  }

  #fail(error: unknown, batch: readonly Gathered[]): void {
    for (const { fail } of batch) fail(error);
    if (this.#failure !== undefined) return;
    this.#failure = { error };
    for (const { fail } of this.#gathered) fail(error);
    this.#gathered = [];
    this.#options.onFailure(error);
  }
}

function isJournalled(event: MasterEvent): event is JournalledEvent {
  return event.kind !== "Heartbeat" && event.kind !== "Tick";
}
