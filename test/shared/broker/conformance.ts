// Owns the tests that every broker adapter must pass: the promises of src/shared/broker/broker.ts, one by one.

import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Broker, DeadLetter, Delivery, Settlement } from "../../../src/shared/broker/broker.ts";
import {
  deadQueue,
  deliveryLimit,
  mapQueue,
  masterQueue,
  ordersAddress,
  reduceQueue,
} from "../../../src/shared/broker/topology.ts";
import { maxMessageBytes, type EventMessage, type Message } from "../../../src/shared/messages/messages.ts";
import { cancelJob, jobProgress, mapTask } from "../messages/message-fixtures.ts";

/** A broker with empty queues. */
export interface BrokerUnderTest {
  connect(): Promise<Broker>;
  /** Puts bytes into a queue or mailbox as a stranger might. */
  putBytes(address: string, bytes: Uint8Array): Promise<void>;
  /** Ends it, whatever is still connected. */
  close(): Promise<void>;
}

const patience = { timeout: 10_000, interval: 1 };

const attemptOf = (message: Message): number => (message.kind === "MapTask" ? message.attempt : -1);

/** A consumer that settles nothing until it is told to. */
class HoldingConsumer {
  readonly received: Message[] = [];
  readonly deliveries: Delivery[] = [];
  readonly #pending: ((settlement: Settlement) => void)[] = [];

  readonly handler = (message: Message, delivery: Delivery): Promise<Settlement> => {
    this.received.push(message);
    this.deliveries.push(delivery);
    return new Promise((resolve) => this.#pending.push(resolve));
  };

  settle(settlement: Settlement): void {
    const resolve = this.#pending.shift();
    if (resolve === undefined) throw new Error("nothing is unsettled");
    resolve(settlement);
  }

  settleAll(settlement: Settlement): void {
    while (this.#pending.length > 0) this.settle(settlement);
  }

  get attempts(): number[] {
    return this.received.map(attemptOf);
  }

  async holds(count: number): Promise<void> {
    await vi.waitUntil(() => this.#pending.length === count, patience);
  }
}

/** Declares the tests. `open` gives a broker of its own to each of them. */
export function describeBroker(name: string, open: () => Promise<BrokerUnderTest>): void {
  describe(`a broker: ${name}`, () => {
    let server: BrokerUnderTest;
    let broker: Broker;
    let other: Broker;

    beforeEach(async () => {
      server = await open();
      [broker, other] = await Promise.all([server.connect(), server.connect()]);
    });

    afterEach(async () => {
      await Promise.all([broker.close(), other.close()]);
      await server.close();
    });

    async function sendTasks(from: number, to: number): Promise<void> {
      for (let attempt = from; attempt <= to; attempt++) await broker.send(mapQueue, mapTask(attempt));
    }

    async function deadLetters(): Promise<DeadLetter[]> {
      const found: DeadLetter[] = [];
      await broker.visitDeadLetters(async (letter) => {
        found.push(letter);
        return "keep";
      });
      return found;
    }

    /** Waits until everything that was sent before has been delivered: a message of its own comes last. */
    async function roundTrip(): Promise<void> {
      const back = Promise.withResolvers<void>();
      const mailbox = await broker.openMailbox(() => back.resolve());
      await broker.send(mailbox.address, cancelJob());
      await back.promise;
      await mailbox.close();
    }

    describe("sending", () => {
      test("a message arrives equal, and as it was when it was sent", async () => {
        const consumer = new HoldingConsumer();
        const message = { ...mapTask(), shuffleToken: "before" };
        const sent = broker.send(mapQueue, message);
        message.shuffleToken = "after";
        await sent;
        await other.consume(mapQueue, 1, consumer.handler);
        await consumer.holds(1);
        expect(consumer.received).toEqual([{ ...message, shuffleToken: "before" }]);
        expect(consumer.deliveries).toEqual([{ deliveries: 1, deathReason: undefined }]);
      });

      test("no handler runs before send has returned", async () => {
        const consumer = new HoldingConsumer();
        await broker.consume(mapQueue, 1, consumer.handler);
        const sent = broker.send(mapQueue, mapTask());
        expect(consumer.received).toEqual([]);
        await sent;
        await consumer.holds(1);
      });

      test("one sender's messages to a queue keep their order", async () => {
        const consumer = new HoldingConsumer();
        await sendTasks(1, 200);
        await other.consume(mapQueue, 200, consumer.handler);
        await consumer.holds(200);
        expect(consumer.attempts).toEqual(Array.from({ length: 200 }, (_, index) => index + 1));
      });

      test("a queue that is not there refuses the message, as does the dead-letter queue", async () => {
        await expect(broker.send("mr.nowhere", mapTask())).rejects.toMatchObject({ code: "BROKER_FAILED" });
        await expect(broker.consume(deadQueue, 1, async () => "ack")).rejects.toMatchObject({
          code: "BROKER_FAILED",
        });
      });

      test("a message that is too large is refused, and the next one is not", async () => {
        const large = { ...mapTask(1), shuffleToken: "x".repeat(maxMessageBytes) };
        await expect(broker.send(mapQueue, large)).rejects.toMatchObject({ code: "MESSAGE_INVALID" });
        await broker.send(mapQueue, mapTask(2));
        const consumer = new HoldingConsumer();
        await broker.consume(mapQueue, 5, consumer.handler);
        await consumer.holds(1);
        expect(consumer.attempts).toEqual([2]);
      });
    });

    describe("consuming", () => {
      test("never more unsettled messages than room", async () => {
        const consumer = new HoldingConsumer();
        await sendTasks(1, 5);
        const running = await other.consume(mapQueue, 2, consumer.handler);
        await consumer.holds(2);
        await roundTrip();
        expect(consumer.attempts).toEqual([1, 2]);
        expect(await broker.depth(mapQueue)).toBe(3);
        consumer.settle("ack");
        await vi.waitFor(() => expect(consumer.attempts).toEqual([1, 2, 3]), patience);
        running.setRoom(4);
        await consumer.holds(4);
        expect(await broker.depth(mapQueue)).toBe(0);
      });

      test("room 0 pauses, what is held stays held", async () => {
        const consumer = new HoldingConsumer();
        await sendTasks(1, 1);
        const running = await other.consume(mapQueue, 1, consumer.handler);
        await consumer.holds(1);
        running.setRoom(0);
        await sendTasks(2, 2);
        consumer.settle("ack");
        await roundTrip();
        expect(consumer.attempts).toEqual([1]);
        running.setRoom(1);
        await consumer.holds(1);
        expect(consumer.attempts).toEqual([1, 2]);
      });

      test("consumers get messages in turn, none gets one twice", async () => {
        const [first, second] = [new HoldingConsumer(), new HoldingConsumer()];
        await broker.consume(mapQueue, 10, first.handler);
        await other.consume(mapQueue, 10, second.handler);
        await sendTasks(1, 10);
        await Promise.all([first.holds(5), second.holds(5)]);
        expect([...first.attempts, ...second.attempts].sort((a, b) => a - b)).toEqual(
          Array.from({ length: 10 }, (_, index) => index + 1),
        );
      });

      test("a busy consumer is passed over", async () => {
        const [busy, free] = [new HoldingConsumer(), new HoldingConsumer()];
        await broker.consume(mapQueue, 1, busy.handler);
        await sendTasks(1, 1);
        await busy.holds(1);
        await other.consume(mapQueue, 3, free.handler);
        await sendTasks(2, 4);
        await free.holds(3);
        expect(free.attempts).toEqual([2, 3, 4]);
      });

      test("of the master's consumers one is active, the next takes over when it is gone", async () => {
        const [active, standby] = [new HoldingConsumer(), new HoldingConsumer()];
        await broker.consume(masterQueue, 1, active.handler);
        await other.consume(masterQueue, 10, standby.handler);
        for (const id of ["a", "b", "c"]) await broker.send(masterQueue, cancelJob(id));
        await active.holds(1);
        await roundTrip();
        expect(standby.received).toEqual([]);
        await broker.close();
        await standby.holds(3);
        expect(standby.received).toEqual(["a", "b", "c"].map(cancelJob));
        broker = await server.connect();
      });

      test("stop takes no more and resolves when what is held is settled; twice is fine", async () => {
        const consumer = new HoldingConsumer();
        await sendTasks(1, 2);
        const running = await other.consume(mapQueue, 1, consumer.handler);
        await consumer.holds(1);
        let stopped = false;
        const stopping = running.stop().then(() => (stopped = true));
        await roundTrip();
        expect(stopped).toBe(false);
        consumer.settle("ack");
        await stopping;
        await running.stop();
        expect(consumer.attempts).toEqual([1]);
        expect(await broker.depth(mapQueue)).toBe(1);
      });
    });

    describe("giving back", () => {
      test("a requeued message comes again, counted", async () => {
        const consumer = new HoldingConsumer();
        await broker.consume(mapQueue, 1, consumer.handler);
        await sendTasks(1, 1);
        await consumer.holds(1);
        consumer.settle("requeue");
        await consumer.holds(1);
        expect(consumer.attempts).toEqual([1, 1]);
        expect(consumer.deliveries.map(({ deliveries }) => deliveries)).toEqual([1, 2]);
      });

      test("a handler that rejects or throws gives back", async () => {
        let calls = 0;
        const done = Promise.withResolvers<number>();
        await broker.consume(mapQueue, 1, (_message, { deliveries }) => {
          calls++;
          if (calls === 1) return Promise.reject(new Error("rejected"));
          if (calls === 2) throw new Error("thrown");
          done.resolve(deliveries);
          return Promise.resolve("ack");
        });
        await sendTasks(1, 1);
        expect(await done.promise).toBe(3);
      });

      test("a closed connection gives back its own unsettled messages, and nobody else's", async () => {
        const [closing, staying] = [new HoldingConsumer(), new HoldingConsumer()];
        await other.consume(mapQueue, 2, closing.handler);
        await sendTasks(1, 2);
        await closing.holds(2);
        await broker.consume(mapQueue, 10, staying.handler);
        await sendTasks(3, 3);
        await staying.holds(1);
        await other.close();
        await staying.holds(3);
        expect(staying.attempts.sort((a, b) => a - b)).toEqual([1, 2, 3]);
        // What a closed connection still says about a message is too late.
        closing.settleAll("requeue");
        staying.settleAll("ack");
        await roundTrip();
        expect(await broker.depth(mapQueue)).toBe(0);
        expect(staying.received.length).toBe(3);
      });

      test("after the delivery limit a task is a dead letter, kept with its reason and told to the master", async () => {
        let deliveries = 0;
        await other.consume(mapQueue, 1, async () => {
          deliveries++;
          return "requeue";
        });
        const master = new HoldingConsumer();
        await broker.consume(masterQueue, 1, master.handler);
        await sendTasks(7, 7);
        await master.holds(1);
        expect(deliveries).toBe(deliveryLimit + 1);
        expect(master.received).toEqual([mapTask(7)]);
        expect(master.deliveries[0]?.deathReason).toMatch(/./);
        expect(await broker.depth(mapQueue)).toBe(0);
        const letters = await deadLetters();
        expect(letters.map(({ queue }) => queue)).toEqual([mapQueue]);
        expect(letters[0]?.reason).toMatch(/./);
      });
    });

    describe("dead letters", () => {
      test("a message that its handler calls dead is kept with that reason and told to the master", async () => {
        const master = new HoldingConsumer();
        await broker.consume(masterQueue, 1, master.handler);
        await other.consume(reduceQueue, 1, async () => ({ deadLetter: "epoch 3 is over" }));
        await broker.send(reduceQueue, mapTask(2));
        await master.holds(1);
        expect(master.received).toEqual([mapTask(2)]);
        expect(master.deliveries[0]?.deathReason).toBe("epoch 3 is over");
        const letters = await deadLetters();
        expect(letters).toMatchObject([{ queue: reduceQueue, reason: "epoch 3 is over", deliveries: 1 }]);
        expect(await broker.depth(deadQueue)).toBe(1);
      });

      test("what does not decode reaches no handler, stops nobody, and is kept as it was", async () => {
        const foreign = Buffer.from([0xff, 0x00, 0x7b]);
        const [consumer, master] = [new HoldingConsumer(), new HoldingConsumer()];
        await other.consume(mapQueue, 1, consumer.handler);
        await other.consume(masterQueue, 10, master.handler);
        await server.putBytes(mapQueue, foreign);
        await server.putBytes(masterQueue, Buffer.from('{"kind":"CancelJob","protocol":99}'));
        await sendTasks(1, 1);
        await broker.send(masterQueue, cancelJob());
        await Promise.all([consumer.holds(1), master.holds(1)]);
        expect(consumer.attempts).toEqual([1]);
        expect(master.received).toEqual([cancelJob()]);
        await vi.waitFor(async () => expect(await broker.depth(deadQueue)).toBe(2), patience);
        const letters = await deadLetters();
        const byQueue = new Map(letters.map((letter) => [letter.queue, letter]));
        expect(Buffer.from(byQueue.get(mapQueue)!.bytes)).toEqual(foreign);
        expect(byQueue.get(mapQueue)?.reason).toMatch(/expected JSON/);
        expect(byQueue.get(masterQueue)?.reason).toMatch(/protocol: found 99, expected 1/);
      });

      test("visiting keeps, drops and replays, each once", async () => {
        const killer = await other.consume(mapQueue, 10, async () => ({ deadLetter: "no" }));
        await sendTasks(1, 3);
        await vi.waitFor(async () => expect(await broker.depth(deadQueue)).toBe(3), patience);
        await killer.stop();
        const verdicts = ["keep", "replay", "drop"] as const;
        const seen: DeadLetter[] = [];
        await broker.visitDeadLetters(async (letter) => {
          seen.push(letter);
          return verdicts[seen.length - 1];
        });
        expect(new Set(seen.map(({ id }) => id)).size).toBe(3);
        expect((await deadLetters()).map(({ id }) => id)).toEqual([seen[0]?.id]);
        const consumer = new HoldingConsumer();
        await other.consume(mapQueue, 10, consumer.handler);
        await consumer.holds(1);
        expect(consumer.attempts).toEqual([2]);
        expect(consumer.deliveries[0]?.deliveries).toBe(1);
      });
    });

    describe("events", () => {
      test("followers of a job get its events in order, followers of all get all", async () => {
        const [ofA, ofAll]: [EventMessage[], EventMessage[]] = [[], []];
        await broker.announce(jobProgress("a", 0));
        await other.follow("a", (event) => ofA.push(event));
        await other.follow("*", (event) => ofAll.push(event));
        const events = [jobProgress("a", 1), jobProgress("b", 2), jobProgress("a", 3)];
        for (const event of events) await broker.announce(event);
        await vi.waitFor(() => expect(ofAll.length).toBe(3), patience);
        expect(ofAll).toEqual(events);
        await vi.waitFor(() => expect(ofA).toEqual([events[0], events[2]]), patience);
      });

      test("after stop nothing comes; twice is fine, and without followers an event is lost quietly", async () => {
        const stopped: EventMessage[] = [];
        const following = await broker.follow("a", (event) => stopped.push(event));
        await following.stop();
        await following.stop();
        await broker.announce(jobProgress("a", 1));
        await roundTrip();
        expect(stopped).toEqual([]);
      });
    });

    describe("mailboxes", () => {
      test("a mailbox gets what is sent to its address, once and in order", async () => {
        const [received, others]: [Message[], Message[]] = [[], []];
        const mailbox = await broker.openMailbox((message) => received.push(message));
        const another = await broker.openMailbox((message) => others.push(message));
        expect(mailbox.address).not.toBe(another.address);
        for (let attempt = 1; attempt <= 20; attempt++) await other.send(mailbox.address, mapTask(attempt));
        await vi.waitFor(() => expect(received.length).toBe(20), patience);
        expect(received.map(attemptOf)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
        expect(others).toEqual([]);
      });

      test("a mailbox of a known address is found by it, and no second one may have it", async () => {
        const received: Message[] = [];
        const address = ordersAddress("worker-1");
        const mailbox = await broker.openMailbox((message) => received.push(message), address);
        expect(mailbox.address).toBe(address);
        await expect(other.openMailbox(() => {}, address)).rejects.toMatchObject({ code: "BROKER_FAILED" });
        await other.send(address, cancelJob());
        await vi.waitFor(() => expect(received).toEqual([cancelJob()]), patience);
        await mailbox.close();
        await (await other.openMailbox(() => {}, address)).close();
      });

      test("a closed mailbox refuses messages; twice is fine", async () => {
        const mailbox = await broker.openMailbox(() => {});
        await mailbox.close();
        await mailbox.close();
        await expect(other.send(mailbox.address, cancelJob())).rejects.toMatchObject({
          code: "BROKER_FAILED",
        });
      });

      test("a mailbox ends with its connection", async () => {
        const mailbox = await other.openMailbox(() => {});
        await other.close();
        await expect(broker.send(mailbox.address, cancelJob())).rejects.toMatchObject({
          code: "BROKER_FAILED",
        });
      });

      test("what does not decode is a dead letter, and the next message arrives", async () => {
        const received: Message[] = [];
        const mailbox = await broker.openMailbox((message) => received.push(message));
        await server.putBytes(mailbox.address, Buffer.from("nonsense"));
        await other.send(mailbox.address, cancelJob());
        await vi.waitFor(() => expect(received).toEqual([cancelJob()]), patience);
        await vi.waitFor(async () => expect(await broker.depth(deadQueue)).toBe(1), patience);
      });
    });

    describe("closing", () => {
      test("twice is fine, and what is asked afterwards is refused", async () => {
        await broker.close();
        await broker.close();
        for (const refused of [
          broker.send(mapQueue, mapTask()),
          broker.announce(jobProgress("a")),
          broker.consume(mapQueue, 1, async () => "ack"),
          broker.openMailbox(() => {}),
          broker.follow("a", () => {}),
          broker.depth(mapQueue),
        ]) {
          await expect(refused).rejects.toMatchObject({ code: "BROKER_FAILED" });
        }
      });

      test("queues outlive connections", async () => {
        await sendTasks(1, 2);
        await Promise.all([broker.close(), other.close()]);
        broker = await server.connect();
        expect(await broker.depth(mapQueue)).toBe(2);
      });
    });
  });
}
