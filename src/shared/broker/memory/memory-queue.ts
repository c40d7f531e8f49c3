// Owns one queue of the memory broker: what waits, who consumes, whose turn it is, what becomes of a message. It holds
// bytes and decodes them for each delivery, so that nothing is ever shared between sender and receiver.
//
//   waiting --turn, room--> unsettled --ack----------> gone
//      ^                        |-----dead letter----> given to `onDeath`
//      |---requeue, close-------|-----limit reached--> given to `onDeath`

import { toFailure } from "../../job/errors.ts";
import type { Message } from "../../messages/messages.ts";
import { decodeMessage } from "../../messages/decode.ts";
import type { Consumer, Handler, Settlement } from "../broker.ts";
import type { QueueRules } from "../topology.ts";

/** Deliveries in one turn of the event loop, so that a long queue does not keep timers and sockets waiting. */
const deliveriesPerTurn = 64;

/** A message in a queue. */
export interface Entry {
  readonly bytes: Uint8Array;
  readonly deathReason: string | undefined;
  deliveries: number;
}

/** A message that its queue has given up. */
export interface Death {
  readonly entry: Entry;
  readonly reason: string;
  /** "unreadable": it is none of our messages, and nobody but a person can do anything with it. */
  readonly message: "readable" | "unreadable";
}

interface MemoryConsumer {
  room: number;
  readonly handler: Handler;
  readonly unsettled: Set<Entry>;
  readonly drained: PromiseWithResolvers<void>;
  state: "open" | "stopping";
}

export class MemoryQueue {
  readonly rules: QueueRules;
  readonly #onDeath: (death: Death) => void;
  /** What came back is served before what is new, the oldest first. */
  readonly #returned: Entry[] = [];
  #fresh: Entry[] = [];
  #nextFresh = 0;
  /** In the order of their turns; where one alone is active, the oldest first. */
  readonly #consumers: MemoryConsumer[] = [];
  #scheduled = false;

  constructor(rules: QueueRules, onDeath: (death: Death) => void) {
    this.rules = rules;
    this.#onDeath = onDeath;
  }

  /** How many messages wait. */
  get depth(): number {
    return this.#returned.length + this.#fresh.length - this.#nextFresh;
  }

  /** Puts a message at the end; whether the queue is full is for the sender's side to ask. */
  push(bytes: Uint8Array, deathReason?: string): void {
    this.#fresh.push({ bytes, deathReason, deliveries: 0 });
    this.#schedule();
  }

  /** Adds a consumer; `giveUp` ends it at once and takes back what it holds. */
  consume(room: number, handler: Handler): Consumer & { giveUp(): void } {
    const consumer: MemoryConsumer = {
      room,
      handler,
      unsettled: new Set(),
      drained: Promise.withResolvers(),
      state: "open",
    };
    this.#consumers.push(consumer);
    this.#schedule();
    return {
      setRoom: (more) => {
        consumer.room = more;
        this.#schedule();
      },
      stop: () => {
        this.#retire(consumer);
        if (consumer.unsettled.size === 0) consumer.drained.resolve();
        return consumer.drained.promise;
      },
      giveUp: () => {
        this.#retire(consumer);
        for (const entry of consumer.unsettled) this.#requeue(entry, "its consumer went away");
        consumer.unsettled.clear();
        consumer.drained.resolve();
      },
    };
  }

  #retire(consumer: MemoryConsumer): void {
    if (consumer.state === "stopping") return;
    consumer.state = "stopping";
    this.#consumers.splice(this.#consumers.indexOf(consumer), 1);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled || this.depth === 0 || this.#consumers.length === 0) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      for (let n = 0; n < deliveriesPerTurn && this.depth > 0; n++) {
        const consumer = this.#takeTurn();
        if (consumer === undefined) return;
        void this.#deliver(consumer, this.#shift());
      }
      this.#schedule();
    });
  }

  #takeTurn(): MemoryConsumer | undefined {
    const hasRoom = (consumer: MemoryConsumer): boolean => consumer.unsettled.size < consumer.room;
    if (this.rules.activeConsumers === "one") return this.#consumers.slice(0, 1).find(hasRoom);
    const index = this.#consumers.findIndex(hasRoom);
    const [consumer] = index < 0 ? [] : this.#consumers.splice(index, 1);
    if (consumer !== undefined) this.#consumers.push(consumer);
    return consumer;
  }

  #shift(): Entry {
    const returned = this.#returned.shift();
    if (returned !== undefined) return returned;
    const entry = this.#fresh[this.#nextFresh++];
    // Shifting a long array one by one costs its length each time; half of it at once costs little.
    if (this.#nextFresh > 32 && this.#nextFresh * 2 > this.#fresh.length) {
      this.#fresh = this.#fresh.slice(this.#nextFresh);
      this.#nextFresh = 0;
    }
    return entry;
  }

  async #deliver(consumer: MemoryConsumer, entry: Entry): Promise<void> {
    entry.deliveries++;
    let message: Message;
    try {
      message = decodeMessage(entry.bytes);
    } catch (error) {
      this.#onDeath({ entry, reason: toFailure(error).message, message: "unreadable" });
      return;
    }
    consumer.unsettled.add(entry);
    let settlement: Settlement;
    let why = "its consumer gave it back";
    try {
      const { deliveries, deathReason } = entry;
      settlement = await consumer.handler(message, { deliveries, deathReason });
    } catch (error) {
      settlement = "requeue";
      why = `its consumer failed: ${toFailure(error).message}`;
    }
    // Not there any more: the connection was closed meanwhile, and the message has gone back.
    if (!consumer.unsettled.delete(entry)) return;
    if (settlement === "requeue") this.#requeue(entry, why);
    else if (settlement !== "ack")
      this.#onDeath({ entry, reason: settlement.deadLetter, message: "readable" });
    if (consumer.state === "stopping" && consumer.unsettled.size === 0) consumer.drained.resolve();
    this.#schedule();
  }

  #requeue(entry: Entry, why: string): void {
    const { deliveryLimit } = this.rules;
    if (deliveryLimit !== null && entry.deliveries > deliveryLimit) {
      const reason = `delivered ${entry.deliveries} times, expected at most ${deliveryLimit + 1}: ${why}`;
      this.#onDeath({ entry, reason, message: "readable" });
      return;
    }
    this.#returned.push(entry);
    this.#schedule();
  }
}
