// Owns the one table of queues and exchanges: their names, and what every broker adapter must give them. Adapters turn
// it into their broker's own arguments; nothing else names a queue.

import type { Incarnation, JobId } from "../job/ids.ts";

/** Map tasks, and reduce tasks: apart, so that neither waits behind the other. */
export const mapQueue = "mr.map";
export const reduceQueue = "mr.reduce";

/** All that is said to the master. Task messages that died come here too, as the task messages that they are. */
export const masterQueue = "mr.master";

/** Every dead letter, kept for people: read by Broker.visitDeadLetters, never consumed. */
export const deadQueue = "mr.dead";

/** Where events are announced, by job. */
export const eventsExchange = "mr.events";

/** The routing key of a job's events; `*` stands for all jobs. */
export function eventsKey(jobId: JobId): string {
  return `job.${jobId}`;
}

/** The address of the mailbox in which a worker takes orders and tasks that are meant for it alone. */
export function ordersAddress(worker: Incarnation): string {
  return `mr.orders.${worker}`;
}

/**
 * How often a message that was delivered may come again before it is a dead letter: more than a rolling restart of a
 * fleet causes, few enough that a task which kills workers does not kill many.
 */
export const deliveryLimit = 5;

/** What a queue must do. All are durable: they and what is in them outlive a restart of the broker. */
export interface QueueRules {
  readonly name: string;
  /** Redeliveries of one message until it is a dead letter, or null where they are not counted. */
  readonly deliveryLimit: number | null;
  /** Where a dead letter is put beside `deadQueue`, so that a machine hears of it too. */
  readonly tellDeathTo: string | null;
  /** "one": only the oldest consumer gets messages, the others stand by. */
  readonly activeConsumers: "all" | "one";
  /** Messages that may wait. */
  readonly maxLength: number;
  /** What happens to one more: the sender is refused, or the oldest goes. */
  readonly whenFull: "refuse" | "drop oldest";
}

/** The master keeps few tasks ahead of free slots, and reads reports as they come: more than this is a runaway. */
const maxWaiting = 100_000;

const taskRules = {
  deliveryLimit,
  tellDeathTo: masterQueue,
  activeConsumers: "all",
  maxLength: maxWaiting,
  whenFull: "refuse",
} as const;

export const queues: readonly QueueRules[] = [
  { name: mapQueue, ...taskRules },
  { name: reduceQueue, ...taskRules },
  {
    name: masterQueue,
    deliveryLimit,
    tellDeathTo: null,
    activeConsumers: "one",
    maxLength: maxWaiting,
    whenFull: "refuse",
  },
  {
    name: deadQueue,
    deliveryLimit: null,
    tellDeathTo: null,
    activeConsumers: "all",
    // A person reads them: the latest thousand say what goes wrong.
    maxLength: 1_000,
    whenFull: "drop oldest",
  },
];
