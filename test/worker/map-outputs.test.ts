// Holds the directory of map outputs to missing none, whatever is lost, late or out of order.

import { randomUUID } from "node:crypto";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Broker } from "../../src/shared/broker/broker.ts";
import { MemoryBrokerServer } from "../../src/shared/broker/memory/memory-broker.ts";
import { masterQueue } from "../../src/shared/broker/topology.ts";
import type { QueryMapOutputs, WorkerMapOutputs } from "../../src/shared/messages/messages.ts";
import { MapOutputDirectory } from "../../src/worker/map-outputs.ts";

const jobId = randomUUID();
const worker = randomUUID();
let broker: Broker;
let directory: MapOutputDirectory;
let queries: QueryMapOutputs[];

beforeEach(async () => {
  broker = new MemoryBrokerServer().connect();
  directory = new MapOutputDirectory(broker, jobId, 10);
  queries = [];
  await broker.consume(masterQueue, 100, async (message) => {
    if (message.kind === "QueryMapOutputs") queries.push(message);
    return "ack";
  });
});
afterEach(async () => {
  await directory.stop();
  await broker.close();
});

/** Outputs of these maps, each of an execution with this serial. */
function outputs(maps: readonly number[], serial = 1): WorkerMapOutputs[] {
  const ready = maps.map((map) => ({ map, attempt: serial, executionId: `${worker}.${serial}` }));
  return [{ worker, machine: "desk", address: null, scratchDirectory: "/scratch", outputs: ready }];
}

async function announce(sequence: number, workers: WorkerMapOutputs[], epoch = 1): Promise<void> {
  await broker.announce({ kind: "MapOutputReady", protocol: 1, epoch, jobId, sequence, workers });
}

async function query(nth: number): Promise<QueryMapOutputs> {
  return await vi.waitUntil(() => queries[nth - 1]);
}

async function reply(
  to: QueryMapOutputs,
  sequence: number,
  workers: WorkerMapOutputs[],
  nextMap: number | null = null,
) {
  await broker.send(to.replyTo, {
    kind: "MapOutputs",
    protocol: 1,
    epoch: 1,
    jobId,
    sequence,
    workers,
    nextMap,
  });
}

test("asks page after page for what was ready before it listened, and hears the rest", async () => {
  const heard: number[] = [];
  const stop = await directory.listen((map) => heard.push(map));
  await reply(await query(1), 4, outputs([0, 1]), 5);
  const second = await query(2);
  expect(second.fromMap).toBe(5);
  await reply(second, 4, outputs([7]));
  await announce(5, outputs([9]));
  await vi.waitFor(() => expect(heard).toEqual([0, 1, 7, 9]));
  expect(directory.place(7)).toMatchObject({ attempt: 1, holder: { worker, machine: "desk" } });
  expect(directory.place(2)).toBeUndefined();
  stop();
  await announce(6, outputs([2]));
  await vi.waitFor(() => expect(directory.place(2)).toBeDefined());
  expect(heard).not.toContain(2);
  expect(queries.length).toBe(2);
});

test("asks anew where a batch was missed", async () => {
  await directory.listen(() => {});
  await reply(await query(1), 1, outputs([0]));
  await vi.waitFor(() => expect(directory.place(0)).toBeDefined());
  await announce(3, outputs([2]));
  await reply(await query(2), 3, outputs([0, 1, 2]));
  await vi.waitFor(() => expect(directory.place(1)).toBeDefined());
});

test("asks anew where a batch was missed while it asked", async () => {
  await directory.listen(() => {});
  const first = await query(1);
  await announce(3, outputs([3]));
  await vi.waitFor(() => expect(directory.place(3)).toBeDefined());
  await reply(first, 1, outputs([1]));
  await query(2);
});

test("takes what is announced while it asks for part of the whole", async () => {
  await directory.listen(() => {});
  const first = await query(1);
  await announce(2, outputs([2]));
  await announce(3, outputs([3]));
  await vi.waitFor(() => expect(directory.place(3)).toBeDefined());
  await reply(first, 1, outputs([1]));
  await announce(4, outputs([4]));
  await vi.waitFor(() => expect(directory.place(4)).toBeDefined());
  expect(queries.length).toBe(1);
});

test("a later output of a map takes the place of an earlier one", async () => {
  const heard: number[] = [];
  await directory.listen((map) => heard.push(map));
  await reply(await query(1), 1, outputs([0]));
  await announce(2, outputs([0], 2));
  await vi.waitFor(() => expect(heard).toEqual([0, 0]));
  expect(directory.place(0)).toMatchObject({ attempt: 2 });
});

test("asks anew where a new master speaks, and does not heed the old one any more", async () => {
  await directory.listen(() => {});
  await reply(await query(1), 5, outputs([0]));
  await vi.waitFor(() => expect(directory.place(0)).toBeDefined());
  await announce(1, outputs([1]), 2);
  await query(2);
  await announce(6, outputs([2]), 1);
  await announce(2, outputs([3]), 2);
  await vi.waitFor(() => expect(directory.place(3)).toBeDefined());
  expect(directory.place(2)).toBeUndefined();
});

test("asks again where no answer comes", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  try {
    await directory.listen(() => {});
    vi.advanceTimersByTime(5_000);
  } finally {
    vi.useRealTimers();
  }
  expect((await query(2)).fromMap).toBe(0);
});
