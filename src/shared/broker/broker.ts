// Owns the port to a message broker: what the engine asks of RabbitMQ, and of its stand-in in one process.
// Adapters alone import client libraries. test/shared/broker/conformance.ts holds every promise made here.

import type { EventMessage, Message } from "../messages/messages.ts";

/**
 * What a consumer's handler decides about a message: "ack" ends it; "requeue" gives it back, to be delivered again
 * (the broker counts deliveries, see topology.ts); a dead letter goes to the dead-letter queue with its reason.
 */
export type Settlement = "ack" | "requeue" | { readonly deadLetter: string };

/** What a broker knows of a message beside its bytes. */
export interface Delivery {
  /** 1 for the first delivery. */
  readonly deliveries: number;
  /** Why it died, where it is a dead letter that comes to a queue's `tellDeathTo`; else undefined. */
  readonly deathReason: string | undefined;
}

/** Decides about one message. While it is pending the message is unsettled. */
export type Handler = (message: Message, delivery: Delivery) => Promise<Settlement>;

/** A message that was given up. */
export interface DeadLetter {
  readonly id: string;
  /** The queue or mailbox in which it died. */
  readonly queue: string;
  readonly reason: string;
  readonly deliveries: number;
  /** As it was sent: it may be none of our messages. */
  readonly bytes: Uint8Array;
}

/** A running consumer. */
export interface Consumer {
  /** How many unsettled messages it may hold from now on; 0 pauses it. What it holds already, it keeps. */
  setRoom(room: number): void;
  /** Takes no more messages; resolves when every message it holds has been settled. Twice is fine. */
  stop(): Promise<void>;
}

/** A queue of one's own for replies and orders; it ends with the connection, and what was in it with it. */
export interface Mailbox {
  /** What others put into `replyTo`, or send to. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * At-least-once messaging. Messages cross as bytes even in one process: nothing is shared between sender and receiver.
 * Whatever does not decode never reaches a handler: it is dead-lettered with the reason.
 */
export interface Broker {
  /**
   * Puts a message into a queue; resolves when the broker has taken responsibility for it, rejects with BROKER_FAILED
   * when it can't be known to have, or when no such queue exists. Order is kept per sender and queue.
   * @throws MapReduceError MESSAGE_INVALID when it is larger than maxMessageBytes
   */
  send(queue: string, message: Message): Promise<void>;

  /** Tells all who follow the job at this moment; who does not listen misses it. */
  announce(event: EventMessage): Promise<void>;

  /**
   * Delivers a queue's messages, each to one consumer of that queue, in turn, never more unsettled ones than `room`.
   * Where the queue has one active consumer, the others get none until it is gone. What the handler resolves to is
   * done with the message; a handler that rejects means "requeue". Rejects with BROKER_FAILED for `deadQueue`.
   */
  consume(queue: string, room: number, handler: Handler): Promise<Consumer>;

  /** Delivers every event of a job from now on ("*": of all jobs), in the order in which it was announced. */
  follow(jobId: string, handler: (event: EventMessage) => void): Promise<{ stop(): Promise<void> }>;

  /**
   * Opens a mailbox and delivers what is sent to it, each message once, without acknowledgement.
   * @param address a well-known one (topology.ts), else one that nobody else has; BROKER_FAILED where it is taken
   */
  openMailbox(handler: (message: Message) => void, address?: string): Promise<Mailbox>;

  /**
   * Shows every dead letter that lies there now, oldest first, and does with each what is answered: "replay" sends its
   * bytes to its queue anew.
   */
  visitDeadLetters(visit: (letter: DeadLetter) => Promise<"keep" | "replay" | "drop">): Promise<void>;

  /** How many messages wait in a queue, unsettled ones not counted. */
  depth(queue: string): Promise<number>;

  /** Gives up consumers, mailboxes and connections; unsettled messages go back to their queues. Twice is fine. */
  close(): Promise<void>;
}
