// Owns putting a master together, and its starting and stopping. Nothing else of the master knows all its parts.

import type { Broker } from "../shared/broker/broker.ts";
import { masterQueue } from "../shared/broker/topology.ts";
import type { Incarnation } from "../shared/job/ids.ts";
import type { Storage } from "../shared/storage/storage.ts";
import { decide } from "./decide/decide.ts";
import { resume } from "./decide/resume.ts";
import { newMasterState } from "./decide/state.ts";
import type { Journal } from "./journal/journal.ts";
import { Loop } from "./loop.ts";
import { Performer } from "./perform.ts";
import { Receiver } from "./receive.ts";

export interface MasterOptions {
  readonly broker: Broker;
  readonly storage: Storage;
  /** The URL below which jobs' own files lie, without a trailing slash. */
  readonly storageRoot: string;
  readonly journal: Journal;
  /** Milliseconds on a clock that never goes back; by default this process's own. */
  readonly clock?: () => number;
  /** Milliseconds between ticks: how often silence is looked for and progress is told. 200 by default. */
  readonly tickMs?: number;
  /** Told once when the master can't go on: another one has taken over, or journal, broker or storage is out of reach. */
  readonly onFailure: (error: unknown) => void;
}

/** A running master. */
export interface Master {
  /** Takes no more messages, ends what it has begun; jobs stay as the journal has them. Twice is fine. */
  stop(): Promise<void>;
}

/** Messages that are being handled at once: they gather into one append to the journal. */
const room = 1_000;

const defaultTickMs = 200;

/**
 * Starts a master; resolves when it takes messages.
 * @throws MapReduceError BROKER_FAILED, STORAGE_FAILED
 */
export async function startMaster(options: MasterOptions): Promise<Master> {
  const { broker, storage, storageRoot, journal, onFailure } = options;
  const { clock = () => performance.now(), tickMs = defaultTickMs } = options;
  const state = newMasterState();
  const { epoch, events } = await journal.open();
  const performer: Performer = new Performer({
    broker,
    storage,
    storageRoot,
    epoch,
    offer: (event) => loop.offer(event),
    workers: (): Iterable<Incarnation> => state.workers.keys(),
  });
  for await (const event of events) {
    if (event.kind === "JobSubmitted") performer.know(event.jobId, event.document, undefined);
    decide(state, event);
  }
  // Goes on where the journal ends: times never go back, whoever is the master.
  const sinceMs = clock() - state.nowMs;
  const loop = new Loop({
    decide: (event) => decide(state, event),
    clock: () => clock() - sinceMs,
    append: (lasting) => journal.append(lasting),
    perform: (effect) => performer.perform(effect),
    onFailure,
  });
  const receiver = new Receiver({ broker, storageRoot, epoch, state, loop, performer });
  const consumer = await broker.consume(masterQueue, room, (message, delivery) =>
    receiver.receive(message, delivery),
  );
  for (const effect of resume(state)) performer.perform(effect).catch(onFailure);
  const ticker = setInterval(() => {
    // A failed loop has told so already.
    loop.offer({ kind: "Tick" }).catch(() => {});
  }, tickMs);
  let stopped: Promise<void> | undefined;
  const stop = async (): Promise<void> => {
    clearInterval(ticker);
    await Promise.all([consumer.stop(), performer.stop()]);
    await journal.close();
  };
  return { stop: () => (stopped ??= stop()) };
}
