// Owns fetching segments of other workers' map outputs into run files on the local disk (protocol: frames.ts). It does
// not know which outputs there are, and decides nothing about those it can't get: it names them.

import { setTimeout as delay } from "node:timers/promises";
import { join } from "node:path";
import type { Pool } from "undici";
import { MapReduceError } from "../../shared/job/errors.ts";
import type { JobId } from "../../shared/job/ids.ts";
import type { LostSegment, SegmentSource } from "../executor/protocol.ts";
import { readAnswer, type Received } from "./answer-reader.ts";
import { frameStatus, maxOutputsPerRequest, segmentsPath, type SegmentRequest } from "./frames.ts";
import { RunFile } from "./run-file.ts";

/**
 * Peers asked at once by one fetch, each filling its own run file. What has arrived and is not on disk yet is at most
 * a chunk of 64 KiB and a socket's buffer for each.
 */
const maxLanes = 4;
/** Connections to one peer, shared by the fetches of this worker; a fetch uses one at a time. */
const connectionsPerPeer = 4;
/** Requests to one peer that brought nothing, and arrivals of one segment with a wrong checksum, before giving up. */
const maxTries = 5;
const firstBackoffMs = 100;
const maxBackoffMs = 2_000;
const connectTimeoutMs = 5_000;
/** Longer than a busy server lets a request wait for its turn. */
const answerTimeoutMs = 60_000;

/** Where outputs are, and which of them are wanted. */
export interface Peer {
  /** "http://host:port", as its server gave it. */
  readonly address: string;
  readonly outputs: readonly LostSegment[];
}

export interface FetchRequest {
  readonly jobId: JobId;
  readonly token: string;
  readonly partition: number;
  /** Where run files are: the reduce execution's own folder. One fetch at a time for each. */
  readonly directory: string;
  readonly peers: readonly Peer[];
}

/** An output that could not be fetched, and why. */
export interface UnavailableSegment extends LostSegment {
  readonly code: "SEGMENT_UNAVAILABLE" | "SEGMENT_CORRUPT";
  readonly reason: string;
}

/** Thrown when some outputs could not be had; all others were fetched, and need not be again. */
export class SegmentsUnavailableError extends MapReduceError {
  readonly unavailable: readonly UnavailableSegment[];
  readonly fetched: readonly SegmentSource[];

  constructor(unavailable: readonly UnavailableSegment[], fetched: readonly SegmentSource[]) {
    const [first] = unavailable;
    const more = unavailable.length > 1 ? ` (and ${unavailable.length - 1} more)` : "";
    super(
      first?.code ?? "SEGMENT_UNAVAILABLE",
      `segment of map task m${first?.map}: ${first?.reason}${more}`,
    );
    this.unavailable = unavailable;
    this.fetched = fetched;
  }
}

/** Fetches segments. `close` twice is fine. */
export class SegmentFetcher {
  readonly #pools = new Map<string, Pool>();

  /**
   * Fetches one partition's segments and gives where they lie, in map order.
   * @param signal gives the fetch up; what had arrived is left in the run files
   * @throws SegmentsUnavailableError naming the outputs that can't be had, after bounded retries
   * @throws MapReduceError SCRATCH_UNUSABLE
   */
  async fetch(request: FetchRequest, signal: AbortSignal): Promise<SegmentSource[]> {
    const progress: Fetched = { sources: [], unavailable: [] };
    const waiting = request.peers.filter(({ outputs }) => outputs.length > 0);
    const lanes = Array.from({ length: Math.min(maxLanes, waiting.length) }, async (_, lane) => {
      const run = await RunFile.open(join(request.directory, `fetched-${lane}`));
      try {
        for (let peer = waiting.shift(); peer !== undefined; peer = waiting.shift()) {
          await new PeerFetch(request, peer, await this.#pool(peer.address), run, progress).run(signal);
        }
      } catch (error) {
        waiting.length = 0;
        throw error;
      } finally {
        await run.close();
      }
    });
    const ends = await Promise.allSettled(lanes);
    const failed = ends.find((end) => end.status === "rejected");
    if (failed !== undefined) throw failed.reason;
    const sources = progress.sources.sort((a, b) => a.map - b.map);
    if (progress.unavailable.length > 0) throw new SegmentsUnavailableError(progress.unavailable, sources);
    return sources;
  }

  /** Cuts all connections; fetches under way fail. */
  async close(): Promise<void> {
    const pools = [...this.#pools.values()];
    this.#pools.clear();
    await Promise.all(pools.map((pool) => pool.destroy()));
  }

  async #pool(address: string): Promise<Pool> {
    // Loaded late: it takes 60 ms, and a fleet of one machine never needs it.
    const { Pool } = await import("undici");
    let pool = this.#pools.get(address);
    if (pool === undefined) {
      pool = new Pool(address, {
        connections: connectionsPerPeer,
        pipelining: 1,
        connect: { timeout: connectTimeoutMs },
        headersTimeout: answerTimeoutMs,
        bodyTimeout: answerTimeoutMs,
      });
      this.#pools.set(address, pool);
    }
    return pool;
  }
}

/** What all lanes of one fetch have come to. */
interface Fetched {
  readonly sources: SegmentSource[];
  readonly unavailable: UnavailableSegment[];
}

/** The wanted outputs of one peer, asked for until each has come or is given up. */
class PeerFetch {
  readonly #request: FetchRequest;
  readonly #address: string;
  readonly #pool: Pool;
  readonly #run: RunFile;
  readonly #fetched: Fetched;
  readonly #missing: LostSegment[];
  /** How often the first missing one has come with a wrong checksum. */
  #corruptions = 0;

  constructor(request: FetchRequest, peer: Peer, pool: Pool, run: RunFile, fetched: Fetched) {
    this.#request = request;
    this.#address = peer.address;
    this.#pool = pool;
    this.#run = run;
    this.#fetched = fetched;
    this.#missing = [...peer.outputs];
  }

  async run(signal: AbortSignal): Promise<void> {
    let fruitless = 0;
    while (this.#missing.length > 0) {
      signal.throwIfAborted();
      const missingBefore = this.#missing.length;
      let reason = "the answer ended before its first frame";
      try {
        const refusal = await this.#ask(signal);
        if (refusal !== undefined) {
          this.#giveUp(refusal);
          return;
        }
      } catch (error) {
        signal.throwIfAborted();
        if (error instanceof MapReduceError) throw error;
        reason = error instanceof Error ? error.message : String(error);
      }
      if (this.#missing.length < missingBefore) {
        fruitless = 0;
        continue;
      }
      fruitless++;
      if (fruitless === maxTries) {
        this.#giveUp(`unavailable after ${maxTries} requests: ${reason}`);
        return;
      }
      await delay(backoffMs(fruitless), undefined, { signal });
    }
  }

  /** Makes one request for what is missing; gives why where the peer refuses it for good. */
  async #ask(signal: AbortSignal): Promise<string | undefined> {
    const { jobId, partition, token } = this.#request;
    const outputs = this.#missing
      .slice(0, maxOutputsPerRequest)
      .map(({ map, executionId }) => [map, executionId] as const);
    const asked: SegmentRequest = { jobId, partition, outputs };
    const { statusCode, body } = await this.#pool.request({
      path: segmentsPath,
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(asked),
      signal,
    });
    if (statusCode === 200) {
      await readAnswer(body, this.#run, (received) => this.#take(received));
      return undefined;
    }
    const text = await body.text();
    const reason = `the worker answered ${statusCode}: ${text.slice(0, 200).trim()}`;
    if (statusCode >= 500) throw new Error(reason);
    return reason;
  }

  #take(received: Received): void {
    const { header } = received;
    const [first] = this.#missing;
    if (first === undefined || header.map !== first.map) {
      throw new Error(`found a frame of map ${header.map}, expected ${first?.map ?? "none"}`);
    }
    switch (received.kind) {
      case "segment": {
        const { offset } = received;
        const { length, crc } = header;
        this.#fetched.sources.push({ kind: "fetched", ...first, path: this.#run.path, offset, length, crc });
        this.#next();
        return;
      }
      case "refused": {
        const why = header.status === frameStatus.unknown ? "holds no such output" : "can't read its file";
        this.#lose(first, "SEGMENT_UNAVAILABLE", `the worker ${why}`);
        this.#next();
        return;
      }
      case "corrupt":
        this.#corruptions++;
        if (this.#corruptions < maxTries) throw new Error("a segment came with a wrong checksum");
        this.#lose(first, "SEGMENT_CORRUPT", `came ${maxTries} times with a wrong checksum`);
        this.#next();
        return;
      default:
        received satisfies never;
    }
  }

  #next(): void {
    this.#missing.shift();
    this.#corruptions = 0;
  }

  #giveUp(reason: string): void {
    for (const lost of this.#missing) this.#lose(lost, "SEGMENT_UNAVAILABLE", reason);
  }

  #lose({ map, executionId }: LostSegment, code: UnavailableSegment["code"], reason: string): void {
    this.#fetched.unavailable.push({ map, executionId, code, reason: `${reason} (${this.#address})` });
  }
}

/** Doubles from the first to the largest, less a random half: peers do not come back all at once. */
function backoffMs(tries: number): number {
  return Math.min(firstBackoffMs * 2 ** (tries - 1), maxBackoffMs) * (0.5 + Math.random() / 2);
}
