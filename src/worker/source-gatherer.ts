// Owns bringing together what one reduce execution reads: a source for each map, of files that lie on this machine, or
// fetched as they become ready. What it has, it keeps, whatever becomes of the worker it came from.

import { accessSync, constants } from "node:fs";
import { taskId, type ExecutionId, type Incarnation } from "../shared/job/ids.ts";
import type { ReduceTask } from "../shared/messages/messages.ts";
import type { LostSegment, SegmentSource } from "./executor/protocol.ts";
import type { MapOutputDirectory, MapOutputPlace } from "./map-outputs.ts";
import { segmentPath } from "./scratch.ts";
import type { Peer, SegmentFetcher } from "./shuffle/fetch.ts";

export interface GathererOptions {
  readonly task: ReduceTask;
  readonly outputs: MapOutputDirectory;
  readonly fetcher: () => Promise<SegmentFetcher>;
  readonly worker: Incarnation;
  readonly machine: string;
  /** The execution's own folder: fetched segments are appended to run files in it. */
  readonly folder: string;
  /** The share of maps whose segment is here. */
  readonly onFraction: (fraction: number) => void;
  /** Called for a map output that can't be read; resolves when that is reported. */
  readonly onLost: (lost: LostSegment, reason: string) => Promise<void>;
}

/** Gathers the sources of one reduce execution. */
export class SourceGatherer {
  readonly #options: GathererOptions;
  readonly #sources: (SegmentSource | undefined)[];
  /** Maps to look at: their output has become ready or has moved, and was not gathered. At most M. */
  readonly #ready = new Set<number>();
  readonly #lost = new Set<ExecutionId>();
  #missing: number;
  #news = Promise.withResolvers<void>();

  constructor(options: GathererOptions) {
    this.#options = options;
    this.#missing = options.task.mapTasks;
    this.#sources = new Array<SegmentSource | undefined>(options.task.mapTasks).fill(undefined);
  }

  /**
   * Waits until there is a source for every map, and gives them in map order. To be called again after `lose`.
   * @throws the signal's reason when it aborts, or what the scratch disk has against it
   */
  async gather(signal: AbortSignal): Promise<readonly SegmentSource[]> {
    const stop = (): void => this.#news.resolve();
    signal.addEventListener("abort", stop, { once: true });
    const stopListening = await this.#options.outputs.listen((map) => this.#hear(map));
    try {
      for (let map = 0; map < this.#sources.length; map++) this.#hear(map);
      while (this.#missing > 0) {
        signal.throwIfAborted();
        const peers = await this.#takeReady();
        if (peers.length > 0) await this.#fetch(peers, signal);
        else if (this.#missing > 0 && this.#ready.size === 0) await this.#news.promise;
        this.#news = Promise.withResolvers<void>();
        this.#options.onFraction(1 - this.#missing / this.#sources.length);
      }
      return this.#sources.filter((source) => source !== undefined);
    } finally {
      stopListening();
      signal.removeEventListener("abort", stop);
    }
  }

  /** A source could not be read: reports it, and waits for another execution's output in its place. */
  async lose(lost: LostSegment, reason: string): Promise<void> {
    this.#lost.add(lost.executionId);
    if (this.#sources[lost.map]?.executionId === lost.executionId) {
      this.#sources[lost.map] = undefined;
      this.#missing++;
    }
    await this.#options.onLost(lost, reason);
  }

  #hear(map: number): void {
    if (this.#sources[map] !== undefined) return;
    const place = this.#options.outputs.place(map);
    if (place === undefined || this.#lost.has(place.executionId)) return;
    this.#ready.add(map);
    this.#news.resolve();
  }

  #keep(source: SegmentSource): void {
    if (this.#sources[source.map] === undefined) this.#missing--;
    this.#sources[source.map] = source;
  }

  /** Takes what lies on this machine, and gives what is to be fetched, by the worker that serves it. */
  async #takeReady(): Promise<readonly Peer[]> {
    const wanted = new Map<string, LostSegment[]>();
    const ready = [...this.#ready].sort((a, b) => a - b);
    this.#ready.clear();
    for (const map of ready) {
      const place = this.#options.outputs.place(map);
      if (place === undefined || this.#sources[map] !== undefined) continue;
      const { executionId, holder } = place;
      const path = this.#localPath(map, place);
      if (path !== undefined) this.#keep({ kind: "mapOutput", map, executionId, path });
      else if (holder.address === null)
        await this.lose({ map, executionId }, "its worker serves no segments");
      else {
        const outputs = wanted.get(holder.address) ?? [];
        outputs.push({ map, executionId });
        wanted.set(holder.address, outputs);
      }
    }
    return [...wanted].map(([address, outputs]) => ({ address, outputs }));
  }

  #localPath(map: number, { attempt, holder }: MapOutputPlace): string | undefined {
    const { task, worker, machine } = this.#options;
    if (holder.machine !== machine) return undefined;
    const ref = { jobId: task.jobId, taskId: taskId("map", map), attempt };
    const path = segmentPath(holder.scratchDirectory, ref, holder.worker);
    if (holder.worker === worker) return path;
    try {
      accessSync(path, constants.R_OK);
      return path;
    } catch {
      // Another user's, or in a container of its own: it is fetched like any other.
      return undefined;
    }
  }

  async #fetch(peers: readonly Peer[], signal: AbortSignal): Promise<void> {
    const { task, folder, fetcher } = this.#options;
    const { jobId, shuffleToken: token, partition } = task;
    const { SegmentsUnavailableError } = await import("./shuffle/fetch.ts");
    try {
      const sources = await (
        await fetcher()
      ).fetch({ jobId, token, partition, directory: folder, peers }, signal);
      sources.forEach((source) => this.#keep(source));
    } catch (error) {
      if (!(error instanceof SegmentsUnavailableError)) throw error;
      error.fetched.forEach((source) => this.#keep(source));
      for (const { reason, ...lost } of error.unavailable) await this.lose(lost, reason);
    }
  }
}
