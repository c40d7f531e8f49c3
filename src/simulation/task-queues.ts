// Owns the two shared queues of tasks: at-least-once, each message to one worker with room, dead-lettered when it has come
// too often (src/shared/broker/topology.ts). The mailboxes of workers and the master's queue are the network's.

import { deliveryLimit } from "../shared/broker/topology.ts";
import type { Incarnation, JobId, Phase } from "../shared/job/ids.ts";

/** A task's message: of its content, what a simulated worker looks at. */
export interface SimulatedTask {
  readonly jobId: JobId;
  readonly phase: Phase;
  readonly number: number;
  readonly attempt: number;
  readonly mapTasks: number;
  readonly epoch: number;
}

/** A message in somebody's hands. */
export interface Delivery {
  readonly task: SimulatedTask;
  readonly to: TaskConsumer;
  readonly deliveries: number;
  settled: boolean;
}

export interface TaskConsumer {
  readonly incarnation: Incarnation;
  /** Messages of a phase that it may hold. */
  room(phase: Phase): number;
  take(delivery: Delivery): void;
}

interface Waiting {
  readonly task: SimulatedTask;
  readonly deliveries: number;
}

class TaskQueue {
  readonly #phase: Phase;
  readonly #onDead: (task: SimulatedTask) => void;
  #waiting: Waiting[] = [];
  #head = 0;
  readonly #held = new Map<TaskConsumer, Set<Delivery>>();
  /** Those with room, the one that waits longest first. */
  readonly #ready = new Set<TaskConsumer>();

  constructor(phase: Phase, onDead: (task: SimulatedTask) => void) {
    this.#phase = phase;
    this.#onDead = onDead;
  }

  add(waiting: Waiting): void {
    if (waiting.deliveries > deliveryLimit) this.#onDead(waiting.task);
    else this.#waiting.push(waiting);
    this.#deliver();
  }

  /** The consumer's room has changed, or it is new. */
  look(consumer: TaskConsumer): void {
    const held = this.#held.get(consumer)?.size ?? 0;
    if (held >= consumer.room(this.#phase)) this.#ready.delete(consumer);
    else this.#ready.add(consumer);
    this.#deliver();
  }

  settle(delivery: Delivery, outcome: "ack" | "requeue"): void {
    if (delivery.settled) return;
    delivery.settled = true;
    this.#held.get(delivery.to)?.delete(delivery);
    if (outcome === "requeue") this.add({ task: delivery.task, deliveries: delivery.deliveries });
    this.look(delivery.to);
  }

  /** What a consumer holds goes back; one that `leaves` gets no more. */
  giveBack(consumer: TaskConsumer, leaves: boolean): void {
    const held = [...(this.#held.get(consumer) ?? [])];
    if (leaves) this.#ready.delete(consumer);
    this.#held.delete(consumer);
    for (const delivery of held) {
      delivery.settled = true;
      this.add({ task: delivery.task, deliveries: delivery.deliveries });
    }
    if (!leaves) this.look(consumer);
  }

  #deliver(): void {
    while (this.#head < this.#waiting.length) {
      const [to] = this.#ready;
      if (to === undefined) return;
      const { task, deliveries } = this.#waiting[this.#head++];
      if (this.#head > 1_000 && this.#head * 2 > this.#waiting.length) {
        this.#waiting = this.#waiting.slice(this.#head);
        this.#head = 0;
      }
      const delivery = { task, to, deliveries: deliveries + 1, settled: false };
      let held = this.#held.get(to);
      if (held === undefined) this.#held.set(to, (held = new Set()));
      held.add(delivery);
      this.#ready.delete(to);
      if (held.size < to.room(this.#phase)) this.#ready.add(to);
      to.take(delivery);
    }
  }
}

/** The queue of maps and the queue of reduces. */
export class TaskQueues {
  readonly #queues: { readonly [phase in Phase]: TaskQueue };

  constructor(onDead: (task: SimulatedTask) => void) {
    this.#queues = { map: new TaskQueue("map", onDead), reduce: new TaskQueue("reduce", onDead) };
  }

  add(task: SimulatedTask): void {
    this.#queues[task.phase].add({ task, deliveries: 0 });
  }

  look(consumer: TaskConsumer): void {
    this.#queues.map.look(consumer);
    this.#queues.reduce.look(consumer);
  }

  settle(delivery: Delivery, outcome: "ack" | "requeue"): void {
    this.#queues[delivery.task.phase].settle(delivery, outcome);
  }

  giveBack(consumer: TaskConsumer, leaves: boolean): void {
    this.#queues.map.giveBack(consumer, leaves);
    this.#queues.reduce.giveBack(consumer, leaves);
  }
}
