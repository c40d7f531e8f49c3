// Owns the port to the master's journal: the events that may not be lost, in their order, and who may add to them. It
// knows nothing of what events mean. test/master/journal/conformance.ts holds every promise made here.

import type { JournalledEvent } from "../decide/events.ts";

/** What a master starts from: `snapshot`, then `events`, in this order. */
export interface JournalContents {
  /** Higher than that of every master that opened the journal before. The first is 1. */
  readonly epoch: number;
  /** What was last given to writeSnapshot, or undefined. */
  readonly snapshot: Uint8Array | undefined;
  /** Everything appended since that snapshot, read as it is asked for. To be read once, before anything is appended. */
  readonly events: AsyncIterable<JournalledEvent>;
}

/** A journal has one writer: who opens it last. It fences masters: two may think that they rule, one can append. */
export interface Journal {
  /**
   * Takes the journal over: from now on whoever had it open before is deposed. To be called once.
   * @throws MapReduceError STORAGE_FAILED, also for a store that does not keep the promise of conditional writes
   */
  open(): Promise<JournalContents>;

  /**
   * Adds events; resolves when they can't be lost. To be called again only when the call before has resolved: events
   * that come meanwhile gather and are the next call's.
   * @throws MapReduceError MASTER_DEPOSED when another master has opened the journal; every later call throws it too.
   *   STORAGE_FAILED when the events can't be known to be there: the master has to start anew, and will see
   */
  append(events: readonly JournalledEvent[]): Promise<void>;

  /** Whether a snapshot would be worth its cost by now. */
  readonly snapshotDue: boolean;

  /**
   * Puts a snapshot, which includes all events appended so far, in their place. Not while an append is under way.
   * @throws MapReduceError STORAGE_FAILED; the journal is as good as before
   */
  writeSnapshot(state: Uint8Array): Promise<void>;

  /** Gives the journal up; nobody is deposed by that. Twice is fine. */
  close(): Promise<void>;
}
