// Owns the journal as files of a storage: numbered segments, each written only if absent, and now and then a snapshot.
//
//   <url>/segment-0000000001   opens an epoch, or holds the events of one append; numbers have no gap
//   <url>/snapshot-0000001000  the state after segment 1000; what the snapshot before it covers is removed
//
// Who finds its next segment taken by somebody else has been deposed. A file is a line of JSON, the header, and a body:
// events as JSON, one a line, or the snapshot's bytes.

import { randomUUID } from "node:crypto";
import { MapReduceError } from "../../shared/job/errors.ts";
import type { Storage } from "../../shared/storage/storage.ts";
import type { JournalledEvent } from "../decide/events.ts";
import type { Journal, JournalContents } from "./journal.ts";

/** What a journal needs of a storage. */
export type JournalStorage = Pick<Storage, "list" | "read" | "write" | "writeIfAbsent" | "remove">;

/** Replaying a thousand small files takes seconds; a snapshot is written in less than the thousand appends took. */
const segmentsPerSnapshot = 1_000;

/** Segments that a master which is still at work may add while it is being deposed: each costs it an append. */
const maxTakeOvers = 100;

const format = 1;

interface Header {
  readonly format: typeof format;
  readonly epoch: number;
  /** Tells a segment of one's own, whose answer was lost, from another master's. */
  readonly writer: string;
}

interface JournalFile {
  readonly url: string;
  readonly kind: "segment" | "snapshot";
  readonly number: number;
}

/** The files that there are: the latest snapshot, and the segments after it. */
interface Extent {
  readonly snapshot: number;
  readonly last: number;
}

export class StorageJournal implements Journal {
  readonly #storage: JournalStorage;
  readonly #url: string;
  readonly #writer = randomUUID();
  #epoch = 0;
  #last = 0;
  #snapshot = 0;
  #state: "new" | "open" | "deposed" | "closed" = "new";

  /** @param url the journal's directory, without a trailing slash; what else lies there is left alone */
  constructor(storage: JournalStorage, url: string) {
    this.#storage = storage;
    this.#url = url;
  }

  async open(): Promise<JournalContents> {
    const { snapshot, last } = await this.#findExtent();
    const snapshotFile = snapshot === 0 ? undefined : await this.#read(snapshotName(snapshot));
    const lastHeader = last > snapshot ? (await this.#read(segmentName(last))).header : snapshotFile?.header;
    this.#snapshot = snapshot;
    this.#last = last;
    this.#epoch = (lastHeader?.epoch ?? 0) + 1;
    await this.#takeOver();
    this.#state = "open";
    return {
      epoch: this.#epoch,
      snapshot: snapshotFile?.body,
      events: this.#replay(snapshot + 1, this.#last),
    };
  }

  async append(events: readonly JournalledEvent[]): Promise<void> {
    this.#checkOpen("append to");
    let written: boolean;
    try {
      written = await this.#writeOwn(segmentName(this.#last + 1), encodeEvents(events));
    } catch (error) {
      // The segment may be there or not: adding others under its number could lose these.
      this.#state = "closed";
      throw error;
    }
    if (!written) this.#state = "deposed";
    this.#checkOpen("append to");
    this.#last++;
  }

  get snapshotDue(): boolean {
    return this.#last - this.#snapshot >= segmentsPerSnapshot;
  }

  async writeSnapshot(state: Uint8Array): Promise<void> {
    this.#checkOpen("write snapshot of");
    const [before, now] = [this.#snapshot, this.#last];
    await this.#storage.write(`${this.#url}/${snapshotName(now)}`, this.#encode(state));
    this.#snapshot = now;
    // What this snapshot replaces stays until the next one: a master that takes over just now may be reading it.
    const removed: Promise<void>[] = [];
    for await (const { url, kind, number } of this.#files()) {
      if (kind === "segment" ? number <= before : number < before) removed.push(this.#storage.remove(url));
    }
    await Promise.all(removed);
  }

  async close(): Promise<void> {
    this.#state = "closed";
  }

  async #findExtent(): Promise<Extent> {
    const segments: number[] = [];
    let snapshot = 0;
    for await (const { kind, number } of this.#files()) {
      if (kind === "segment") segments.push(number);
      else snapshot = Math.max(snapshot, number);
    }
    const after = segments.filter((number) => number > snapshot);
    const missing = after.findIndex((number, index) => number !== snapshot + 1 + index);
    if (missing >= 0) {
      const name = segmentName(snapshot + 1 + missing);
      throw failed(
        `open journal ${this.#url}: found no ${name}, expected one before ${segmentName(after.at(-1)!)}`,
      );
    }
    return { snapshot, last: snapshot + after.length };
  }

  async *#files(): AsyncGenerator<JournalFile, void, undefined> {
    for await (const { url } of this.#storage.list(this.#url)) {
      const match = /^(segment|snapshot)-([0-9]{10})$/.exec(url.slice(this.#url.length + 1));
      if (match === null) continue;
      yield { url, kind: match[1] === "segment" ? "segment" : "snapshot", number: Number(match[2]) };
    }
  }

  /** Writes the segment that opens this epoch, after whatever the master before still adds. */
  async #takeOver(): Promise<void> {
    for (let tries = 0; tries < maxTakeOvers; tries++) {
      const next = segmentName(++this.#last);
      if (await this.#writeOwn(next, new Uint8Array())) {
        if (await this.#storage.writeIfAbsent(`${this.#url}/${next}`, this.#encode(new Uint8Array()))) {
          throw failed(
            `open journal ${this.#url}: the storage wrote ${next} twice, expected conditional writes`,
          );
        }
        return;
      }
      this.#epoch = Math.max(this.#epoch, (await this.#read(next)).header.epoch + 1);
    }
    throw failed(`open journal ${this.#url}: found another master at work after ${maxTakeOvers} tries`);
  }

  async *#replay(first: number, last: number): AsyncGenerator<JournalledEvent, void, undefined> {
    for (let number = first; number <= last; number++) {
      const { body } = await this.#read(segmentName(number));
      for (const line of new TextDecoder().decode(body).split("\n")) {
        if (line !== "") yield this.#parse(segmentName(number), line) as JournalledEvent;
      }
    }
  }

  /** Writes a segment if it is absent; true where it is ours, also when we learn that only by reading it. */
  async #writeOwn(name: string, body: Uint8Array): Promise<boolean> {
    if (await this.#storage.writeIfAbsent(`${this.#url}/${name}`, this.#encode(body))) return true;
    return (await this.#read(name)).header.writer === this.#writer;
  }

  async #read(name: string): Promise<{ readonly header: Header; readonly body: Uint8Array }> {
    const bytes = await this.#storage.read(`${this.#url}/${name}`);
    const end = bytes.indexOf(0x0a);
    const line = new TextDecoder().decode(bytes.subarray(0, Math.max(0, end)));
    const header = this.#parse(name, line) as Header;
    if (header.format !== format) {
      throw failed(
        `read journal ${this.#url}/${name}: found ${line.slice(0, 80)}, expected format ${String(format)}`,
      );
    }
    return { header, body: bytes.subarray(end + 1) };
  }

  #encode(body: Uint8Array): Uint8Array {
    const header: Header = { format, epoch: this.#epoch, writer: this.#writer };
    return Buffer.concat([Buffer.from(`${JSON.stringify(header)}\n`), body]);
  }

  #parse(name: string, line: string): unknown {
    try {
      return JSON.parse(line);
    } catch (cause) {
      throw failed(`read journal ${this.#url}/${name}: found ${line.slice(0, 40)}, expected JSON`, cause);
    }
  }

  #checkOpen(operation: string): void {
    switch (this.#state) {
      case "open":
        return;
      case "deposed":
        throw new MapReduceError(
          "MASTER_DEPOSED",
          `${operation} journal ${this.#url}: another master has taken over from epoch ${this.#epoch}`,
        );
      case "new":
      case "closed":
        throw failed(`${operation} journal ${this.#url}: it is not open`);
      default:
        this.#state satisfies never;
    }
  }
}

const digits = 10;

function segmentName(number: number): string {
  return `segment-${String(number).padStart(digits, "0")}`;
}

function snapshotName(number: number): string {
  return `snapshot-${String(number).padStart(digits, "0")}`;
}

function encodeEvents(events: readonly JournalledEvent[]): Uint8Array {
  return Buffer.from(events.map((event) => JSON.stringify(event)).join("\n"));
}

function failed(message: string, cause?: unknown): MapReduceError {
  return new MapReduceError("STORAGE_FAILED", message, { cause });
}
