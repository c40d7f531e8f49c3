// Owns the broker of one process: the queues of topology.ts, mailboxes and events, in memory, for embedded mode, tests
// and the simulator. The same promises as a real broker's, bytes included; nothing outlives the process.

import { randomUUID } from "node:crypto";
import { MapReduceError, toFailure } from "../../job/errors.ts";
import { decodeMessage, encodeMessage, isEvent } from "../../messages/decode.ts";
import type { EventMessage, Message } from "../../messages/messages.ts";
import type { Broker, Consumer, DeadLetter, Handler, Mailbox } from "../broker.ts";
import { deadQueue, queues } from "../topology.ts";
import { MemoryQueue, type Death } from "./memory-queue.ts";

interface Follower {
  readonly jobId: string;
  readonly handler: (event: EventMessage) => void;
}

type MailboxHandler = (message: Message) => void;

const deadRules = queues.find(({ name }) => name === deadQueue)!;

/** What several connections share. It needs no closing: without connections nothing of it is alive. */
export class MemoryBrokerServer {
  readonly #queues: ReadonlyMap<string, MemoryQueue>;
  readonly #mailboxes = new Map<string, MailboxHandler>();
  readonly #followers = new Set<Follower>();
  #deadLetters: DeadLetter[] = [];
  #deaths = 0;

  constructor() {
    this.#queues = new Map(
      queues
        .filter((rules) => rules !== deadRules)
        .map((rules) => [rules.name, new MemoryQueue(rules, (death) => this.#bury(rules.name, death))]),
    );
  }

  /** Opens a connection; closing it gives back its own unsettled messages and nobody else's. */
  connect(): Broker {
    return new MemoryBroker(this);
  }

  /** Puts bytes into a queue or mailbox, whatever they are. @throws MapReduceError BROKER_FAILED */
  put(address: string, bytes: Uint8Array): void {
    const handler = this.#mailboxes.get(address);
    if (handler === undefined) {
      const queue = this.queue(address);
      const { maxLength } = queue.rules;
      if (queue.depth >= maxLength) {
        throw new MapReduceError(
          "BROKER_FAILED",
          `send to ${address}: the queue is full, with ${maxLength} messages`,
        );
      }
      queue.push(bytes);
      return;
    }
    setImmediate(() => {
      if (this.#mailboxes.get(address) === handler) this.#hand(address, bytes, handler);
    });
  }

  /** Gives an event's bytes to all who follow its job now. */
  announce(jobId: string, bytes: Uint8Array): void {
    for (const follower of this.#followers) {
      if (follower.jobId !== jobId && follower.jobId !== "*") continue;
      setImmediate(() => {
        if (!this.#followers.has(follower)) return;
        this.#hand(`events of job ${jobId}`, bytes, (message) => {
          if (isEvent(message)) follower.handler(message);
        });
      });
    }
  }

  /** @throws MapReduceError BROKER_FAILED where there is no such queue */
  queue(name: string): MemoryQueue {
    const queue = this.#queues.get(name);
    if (queue !== undefined) return queue;
    const known = [...this.#queues.keys()].join(", ");
    throw new MapReduceError(
      "BROKER_FAILED",
      `queue ${name}: found none, expected an open mailbox or ${known}`,
    );
  }

  /** How many dead letters there are. */
  get deadLetters(): number {
    return this.#deadLetters.length;
  }

  follow(follower: Follower): () => void {
    this.#followers.add(follower);
    return () => this.#followers.delete(follower);
  }

  openMailbox(address: string, handler: MailboxHandler): () => void {
    if (this.#mailboxes.has(address) || this.#queues.has(address)) {
      throw new MapReduceError("BROKER_FAILED", `open mailbox ${address}: found one that is open already`);
    }
    this.#mailboxes.set(address, handler);
    return () => this.#mailboxes.delete(address);
  }

  async visitDeadLetters(visit: (letter: DeadLetter) => Promise<"keep" | "replay" | "drop">): Promise<void> {
    for (const letter of this.#deadLetters.slice()) {
      const verdict = await visit(letter);
      if (verdict === "keep" || !this.#deadLetters.includes(letter)) continue;
      if (verdict === "replay") this.put(letter.queue, letter.bytes);
      this.#deadLetters = this.#deadLetters.filter((each) => each !== letter);
    }
  }

  #hand(address: string, bytes: Uint8Array, handler: MailboxHandler): void {
    let message: Message;
    try {
      message = decodeMessage(bytes);
    } catch (error) {
      const entry = { bytes, deliveries: 1, deathReason: undefined };
      this.#bury(address, { entry, reason: toFailure(error).message, message: "unreadable" });
      return;
    }
    handler(message);
  }

  #bury(queue: string, { entry, reason, message }: Death): void {
    const { bytes, deliveries } = entry;
    this.#deadLetters.push({ id: String(++this.#deaths), queue, reason, deliveries, bytes });
    if (this.#deadLetters.length > deadRules.maxLength) this.#deadLetters.shift();
    const tell = this.#queues.get(queue)?.rules.tellDeathTo ?? null;
    if (tell !== null && message === "readable") this.queue(tell).push(bytes, reason);
  }
}

/** One connection to a memory broker. */
class MemoryBroker implements Broker {
  readonly #server: MemoryBrokerServer;
  /** What ends with the connection: each gives up one consumer, mailbox or subscription. */
  readonly #giveUps = new Set<() => void>();
  #state: "open" | "closed" = "open";

  constructor(server: MemoryBrokerServer) {
    this.#server = server;
  }

  async send(queue: string, message: Message): Promise<void> {
    this.#checkOpen(`send ${message.kind} to ${queue}`);
    this.#server.put(queue, encodeMessage(message));
  }

  async announce(event: EventMessage): Promise<void> {
    this.#checkOpen(`announce ${event.kind}`);
    this.#server.announce(event.jobId, encodeMessage(event));
  }

  async consume(queue: string, room: number, handler: Handler): Promise<Consumer> {
    this.#checkOpen(`consume ${queue}`);
    const consumer = this.#server.queue(queue).consume(room, handler);
    const giveUp = (): void => consumer.giveUp();
    this.#giveUps.add(giveUp);
    return {
      setRoom: (more) => consumer.setRoom(more),
      stop: async () => {
        await consumer.stop();
        this.#giveUps.delete(giveUp);
      },
    };
  }

  async follow(jobId: string, handler: (event: EventMessage) => void): Promise<{ stop(): Promise<void> }> {
    this.#checkOpen(`follow job ${jobId}`);
    return { stop: this.#ending(this.#server.follow({ jobId, handler })) };
  }

  async openMailbox(handler: MailboxHandler, address = `mr.mailbox.${randomUUID()}`): Promise<Mailbox> {
    this.#checkOpen(`open mailbox ${address}`);
    return { address, close: this.#ending(this.#server.openMailbox(address, handler)) };
  }

  async visitDeadLetters(visit: (letter: DeadLetter) => Promise<"keep" | "replay" | "drop">): Promise<void> {
    this.#checkOpen(`visit ${deadQueue}`);
    await this.#server.visitDeadLetters(visit);
  }

  async depth(queue: string): Promise<number> {
    this.#checkOpen(`depth of ${queue}`);
    return queue === deadQueue ? this.#server.deadLetters : this.#server.queue(queue).depth;
  }

  async close(): Promise<void> {
    this.#state = "closed";
    for (const giveUp of this.#giveUps) giveUp();
    this.#giveUps.clear();
  }

  /** Ends something with the connection, or before it by calling what is returned; only the first call counts. */
  #ending(giveUp: () => void): () => Promise<void> {
    this.#giveUps.add(giveUp);
    return async () => {
      if (this.#giveUps.delete(giveUp)) giveUp();
    };
  }

  #checkOpen(operation: string): void {
    if (this.#state === "closed") {
      throw new MapReduceError("BROKER_FAILED", `${operation}: the connection is closed`);
    }
  }
}
