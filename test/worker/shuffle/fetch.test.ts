// Holds that fetched segments are exactly those served, whatever happens on the way, and that what can't be had is named.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import { connect, createServer as createTcpServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { SegmentSource } from "../../../src/worker/executor/protocol.ts";
import {
  SegmentFetcher,
  SegmentsUnavailableError,
  type FetchRequest,
} from "../../../src/worker/shuffle/fetch.ts";
import { SegmentFile } from "../../../src/worker/shuffle/segment-file.ts";
import { SegmentServer } from "../../../src/worker/shuffle/serve.ts";
import { writeSegments, type Pair } from "../segments.ts";

const token = "the-token-of-the-job";
const never = new AbortController().signal;
let directory: string;
let server: SegmentServer;
let address: string;
let fetcher: SegmentFetcher;
let closing: (() => Promise<void>)[];
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "fetch-"));
  server = new SegmentServer();
  address = await server.start();
  server.addJob("job", token);
  fetcher = new SegmentFetcher();
  closing = [];
});
afterEach(async () => {
  await fetcher.close();
  await server.stop();
  for (const close of closing) await close();
  rmSync(directory, { recursive: true });
});

const pathOf = (map: number): string => join(directory, `m${map}`);

/** Leaves and serves outputs of these maps; map i's segment of partition 1 holds `pairs(i)`. */
function serveMaps(maps: readonly number[], pairs: (map: number) => Pair[]): void {
  for (const map of maps) {
    writeSegments(pathOf(map), [[["of another partition", map]], pairs(map)]);
    server.addOutput("job", `w.${map}`, pathOf(map));
  }
}

function request(peers: readonly { address: string; maps: readonly number[] }[]): FetchRequest {
  return {
    jobId: "job",
    token,
    partition: 1,
    directory,
    peers: peers.map((peer) => ({
      address: peer.address,
      outputs: peer.maps.map((map) => ({ map, executionId: `w.${map}` })),
    })),
  };
}

function expectServed(sources: readonly SegmentSource[], maps: readonly number[]): void {
  expect(sources.map(({ map, executionId }) => [map, executionId])).toEqual(
    maps.map((map) => [map, `w.${map}`]),
  );
  const runs = new Map<string, Buffer>();
  for (const source of sources) {
    if (source.kind !== "fetched") throw new Error("expected fetched segments");
    const file = new SegmentFile(pathOf(source.map));
    const place = file.place(1);
    file.close();
    expect([source.length, source.crc]).toEqual([place.length, place.crc]);
    const run = runs.get(source.path) ?? readFileSync(source.path);
    runs.set(source.path, run);
    const found = run.subarray(source.offset, source.offset + source.length);
    const served = readFileSync(pathOf(source.map)).subarray(place.offset, place.offset + place.length);
    expect(found.equals(served)).toBe(true);
  }
}

async function unavailable(fetching: Promise<unknown>): Promise<SegmentsUnavailableError> {
  const error = await fetching.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(SegmentsUnavailableError);
  return error as SegmentsUnavailableError;
}

/** A relay before the server that hands on answers through `alter`; null cuts the connection. */
async function relay(alter: (chunk: Buffer, connection: number) => Buffer | null): Promise<string> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const { port, hostname } = new URL(address);
  const between = createTcpServer((client) => {
    const connection = connections++;
    const upstream = connect(Number(port), hostname);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on("error", () => undefined);
    }
    client.on("data", (chunk) => upstream.write(chunk));
    client.on("close", () => upstream.destroy());
    upstream.on("close", () => client.destroy());
    upstream.on("data", (chunk: Buffer) => {
      const altered = alter(chunk, connection);
      if (altered !== null) client.write(altered);
      else client.resetAndDestroy();
    });
  });
  await new Promise<void>((resolve) => between.listen(0, "127.0.0.1", resolve));
  closing.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => between.close(resolve));
  });
  return `http://127.0.0.1:${(between.address() as AddressInfo).port}`;
}

async function answering(handler: Parameters<typeof createServer>[1]): Promise<string> {
  const other: Server = createServer({}, handler);
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  closing.push(async () => {
    other.closeAllConnections();
    await new Promise((resolve) => other.close(resolve));
  });
  return `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
}

const some = (map: number): Pair[] => [[`key ${map}`, "v".repeat(map)]];
const large = (map: number): Pair[] => [[`key ${map}`, String(map % 10).repeat(1 << 20)]];
const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

describe("fetching", () => {
  test("gives all segments in map order, from several workers, in a few run files", async () => {
    serveMaps(range(0, 60), some);
    const peers = range(0, 6).map((i) => ({ address, maps: range(0, 60).filter((map) => map % 6 === i) }));
    const sources = await fetcher.fetch(request(peers), never);
    expectServed(sources, range(0, 60));
    expect(readdirSync(directory).filter((name) => name.startsWith("fetched")).length).toBeLessThanOrEqual(4);
  });

  test("later fetches go behind earlier ones", async () => {
    serveMaps(range(0, 9), some);
    const first = await fetcher.fetch(request([{ address, maps: [0, 1, 2] }]), never);
    const second = await fetcher.fetch(request([{ address, maps: [3, 4, 5, 6, 7, 8] }]), never);
    expect([first.length, second.length]).toEqual([3, 6]);
    expectServed([...first, ...second], range(0, 9));
  });

  test("more outputs than one request may name, and more bytes than one answer holds", async () => {
    serveMaps(range(0, 1), large);
    const outputs = range(0, 1_050).map((map) => ({ map, executionId: "w.0" }));
    const small = request([]);
    writeSegments(pathOf(0), [[], [["a", 1]]]);
    const sources = await fetcher.fetch({ ...small, peers: [{ address, outputs }] }, never);
    expect(sources).toHaveLength(1_050);
    serveMaps(range(1, 71), large);
    expectServed(await fetcher.fetch(request([{ address, maps: range(1, 71) }]), never), range(1, 71));
  });

  test("of nothing is nothing", async () => {
    expect(await fetcher.fetch(request([{ address, maps: [] }]), never)).toEqual([]);
  });
});

describe("a connection that is cut", () => {
  test("goes on at the first missing segment", async () => {
    serveMaps(range(0, 12), large);
    let bytes = 0;
    // Each connection dies after 3 MiB: several segments, and a part of the next.
    const counts = new Map<number, number>();
    const through = await relay((chunk, connection) => {
      bytes += chunk.length;
      const count = (counts.get(connection) ?? 0) + chunk.length;
      counts.set(connection, count);
      return count > 3 << 20 ? null : chunk;
    });
    expectServed(
      await fetcher.fetch(request([{ address: through, maps: range(0, 12) }]), never),
      range(0, 12),
    );
    expect(counts.size).toBeGreaterThan(3);
    // What was whole was not asked for again.
    expect(bytes).toBeLessThan(24 << 20);
  });

  test("with nothing ever arriving is given up after bounded tries, and every output named", async () => {
    serveMaps([3, 4], some);
    let tries = 0;
    const through = await relay(() => {
      tries++;
      return null;
    });
    const {
      code,
      unavailable: lost,
      fetched,
    } = await unavailable(fetcher.fetch(request([{ address: through, maps: [3, 4] }]), never));
    expect(code).toBe("SEGMENT_UNAVAILABLE");
    expect(lost.map(({ map, executionId }) => [map, executionId])).toEqual([
      [3, "w.3"],
      [4, "w.4"],
    ]);
    expect(fetched).toEqual([]);
    expect(tries).toBe(5);
  });

  test("to a worker that is gone names its outputs; those of others are fetched", async () => {
    serveMaps([0, 2], some);
    const gone = await answering(() => undefined);
    await closing.pop()?.();
    const error = await unavailable(
      fetcher.fetch(
        request([
          { address: gone, maps: [1] },
          { address, maps: [0, 2] },
        ]),
        never,
      ),
    );
    expect(error.unavailable.map(({ map }) => map)).toEqual([1]);
    expect(error.message).toMatch(/^segment of map task m1: unavailable after 5 requests: /);
    expectServed(error.fetched, [0, 2]);
  });
});

describe("bytes that are corrupt", () => {
  test("on the way are fetched again", async () => {
    serveMaps(range(0, 5), some);
    let corrupted = false;
    const through = await relay((chunk) => {
      const at = chunk.indexOf("vvv");
      if (!corrupted && at >= 0) {
        chunk[at] ^= 1;
        corrupted = true;
      }
      return chunk;
    });
    expectServed(await fetcher.fetch(request([{ address: through, maps: range(0, 5) }]), never), range(0, 5));
    expect(corrupted).toBe(true);
  });

  test("in the file are given up as corrupt, and the others fetched", async () => {
    serveMaps(range(0, 5), some);
    const bytes = readFileSync(pathOf(3));
    bytes[bytes.indexOf("vvv")] ^= 1;
    writeFileSync(pathOf(3), bytes);
    const error = await unavailable(fetcher.fetch(request([{ address, maps: range(0, 5) }]), never));
    expect(error.unavailable).toEqual([
      expect.objectContaining({ map: 3, executionId: "w.3", code: "SEGMENT_CORRUPT" }),
    ]);
    expect(error.fetched.map(({ map }) => map)).toEqual([0, 1, 2, 4]);
  });
});

describe("a worker that refuses", () => {
  test("an output it does not hold is not asked for again", async () => {
    serveMaps([0, 2], some);
    const error = await unavailable(fetcher.fetch(request([{ address, maps: [0, 1, 2] }]), never));
    expect(error.unavailable.map(({ map, code }) => [map, code])).toEqual([[1, "SEGMENT_UNAVAILABLE"]]);
    expectServed(error.fetched, [0, 2]);
  });

  test("the token loses all outputs at once", async () => {
    serveMaps([0, 1], some);
    const error = await unavailable(
      fetcher.fetch({ ...request([{ address, maps: [0, 1] }]), token: "another" }, never),
    );
    expect(error.unavailable.map(({ map }) => map)).toEqual([0, 1]);
    expect(error.message).toContain("answered 401");
    expect(error.message).not.toContain("another");
  });

  test("with 503 is asked again", async () => {
    serveMaps([0], some);
    let refusals = 0;
    const busy = await answering((incoming, response) => {
      if (refusals++ < 2) {
        response.writeHead(503).end("busy");
        return;
      }
      response.writeHead(307, { location: "/" }).end();
      incoming.resume();
    });
    const error = await unavailable(fetcher.fetch(request([{ address: busy, maps: [0] }]), never));
    expect(refusals).toBe(3);
    expect(error.message).toContain("answered 307");
  });

  test("or answers what are no frames is given up", async () => {
    const odd = await answering((_, response) => response.end(Buffer.alloc(1_000, 0xff)));
    const error = await unavailable(fetcher.fetch(request([{ address: odd, maps: [0] }]), never));
    expect(error.unavailable).toHaveLength(1);
  });
});

test("a fetch that is given up ends with the signal's reason", async () => {
  let asked: () => void = () => undefined;
  const waiting = new Promise<void>((resolve) => {
    asked = resolve;
  });
  const silent = await answering(() => asked());
  const abort = new AbortController();
  const fetching = fetcher.fetch(request([{ address: silent, maps: [0] }]), abort.signal);
  await waiting;
  abort.abort(new Error("no longer wanted"));
  await expect(fetching).rejects.toThrow("no longer wanted");
});
