// Runs the broker conformance tests on the broker of one process, and holds what is its alone: bounds, and rest.

import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test, vi } from "vitest";
import { MemoryBrokerServer } from "../../../../src/shared/broker/memory/memory-broker.ts";
import { deadQueue, mapQueue, queues, type QueueRules } from "../../../../src/shared/broker/topology.ts";
import { cancelJob, mapTask } from "../../messages/message-fixtures.ts";
import { describeBroker } from "../conformance.ts";

describeBroker("memory broker", async () => {
  const server = new MemoryBrokerServer();
  return {
    connect: async () => server.connect(),
    putBytes: async (address, bytes) => server.put(address, bytes),
    close: async () => {},
  };
});

const rulesOf = (name: string): QueueRules => queues.find((rules) => rules.name === name)!;

test("a full queue refuses one more, and takes it again when there is room", async () => {
  const server = new MemoryBrokerServer();
  const broker = server.connect();
  const bytes = Buffer.from("{}");
  for (let n = 0; n < rulesOf(mapQueue).maxLength; n++) server.put(mapQueue, bytes);
  await expect(broker.send(mapQueue, mapTask())).rejects.toMatchObject({ code: "BROKER_FAILED" });
  const received = Promise.withResolvers<void>();
  await broker.consume(mapQueue, 1, async () => {
    received.resolve();
    return "ack";
  });
  await vi.waitFor(() => broker.send(mapQueue, mapTask()), { timeout: 20_000, interval: 10 });
  await received.promise;
  expect(await broker.depth(deadQueue)).toBe(rulesOf(deadQueue).maxLength);
  await broker.close();
});

test("a mailbox handler that throws takes no message from others", async () => {
  const broker = new MemoryBrokerServer().connect();
  const thrown = Promise.withResolvers<unknown>();
  const listeners = process.listeners("uncaughtException");
  process.removeAllListeners("uncaughtException");
  process.once("uncaughtException", thrown.resolve);
  try {
    const received: string[] = [];
    const mailbox = await broker.openMailbox((message) => {
      if (message.kind !== "CancelJob") return;
      if (message.jobId === "a") throw new Error("handler");
      received.push(message.jobId);
    });
    await Promise.all(["a", "b"].map((id) => broker.send(mailbox.address, cancelJob(id))));
    expect(await thrown.promise).toMatchObject({ message: "handler" });
    await vi.waitFor(() => expect(received).toEqual(["b"]));
  } finally {
    for (const listener of listeners) process.on("uncaughtException", listener);
  }
});

test("an idle broker with consumers, mailboxes and followers keeps no process alive", async () => {
  const module = new URL("../../../../src/shared/broker/memory/memory-broker.ts", import.meta.url).href;
  const script = `
    import { MemoryBrokerServer } from ${JSON.stringify(module)};
    const broker = new MemoryBrokerServer().connect();
    await broker.consume("mr.map", 1, async () => "ack");
    await broker.openMailbox(() => {});
    await broker.follow("*", () => {});
    process.on("exit", () => console.log("over"));
  `;
  const run = promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script], {
    timeout: 20_000,
  });
  expect((await run).stdout).toBe("over\n");
});
