// Owns serving segments of this worker's map outputs to other workers, over HTTP (protocol: frames.ts). What it serves
// is in its own table: no path ever comes from a request.

import { createHash, timingSafeEqual } from "node:crypto";
import { read } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { promisify } from "node:util";
import { MapReduceError } from "../../shared/job/errors.ts";
import type { ExecutionId, JobId } from "../../shared/job/ids.ts";
import {
  decodeSegmentRequest,
  frameHeaderBytes,
  frameStatus,
  maxAnswerBytes,
  segmentsPath,
  writeFrameHeader,
  type FrameHeader,
  type SegmentRequest,
} from "./frames.ts";
import { OpenSegmentFiles } from "./open-files.ts";
import type { SegmentFile } from "./segment-file.ts";

/** 1,000 outputs of 128 characters and their map numbers. */
const maxBodyBytes = 256 * 1024;
const maxHeaderBytes = 8 * 1024;
const maxHeaders = 64;
/** More than the workers of a large fleet that ask one of them at a time: each has few connections to a peer. */
const maxConnections = 4_096;
/** Answers that are sent at once, each from its own buffer: 16 MiB in all. Other requests wait their turn. */
const maxAnswers = 128;
const bufferBytes = 128 * 1024;
const headersTimeoutMs = 10_000;
const requestTimeoutMs = 30_000;
/** Longer than a client keeps an idle connection, so that it is the client who closes it. */
const keepAliveTimeoutMs = 65_000;
/** A reader that takes nothing for so long is gone, or as good as gone. */
const stalledTimeoutMs = 60_000;

const readFile = promisify(read);

export interface SegmentServerOptions {
  /** The address to listen on; by default the loopback one. */
  readonly host?: string;
  /** By default any free port. */
  readonly port?: number;
  /** The name under which other workers reach this machine; by default `host`. */
  readonly advertisedHost?: string;
}

interface ServedJob {
  readonly tokenHash: Buffer;
  readonly outputs: Map<ExecutionId, string>;
}

/** An HTTP answer other than 200, as something to throw. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** Serves segment files by (job, execution). `stop` before `start` and twice is fine. */
export class SegmentServer {
  readonly #options: SegmentServerOptions;
  readonly #jobs = new Map<JobId, ServedJob>();
  readonly #files = new OpenSegmentFiles();
  /** Requests that wait for one of maxAnswers to end; at most maxConnections of them. */
  readonly #waiting: (() => void)[] = [];
  #answers = 0;
  #server: Server | undefined;

  constructor(options: SegmentServerOptions = {}) {
    this.#options = options;
  }

  /** Listens, and gives the address for other workers: "http://host:port". */
  async start(): Promise<string> {
    const { host = "127.0.0.1", port = 0, advertisedHost = host } = this.#options;
    const server = createServer(
      {
        maxHeaderSize: maxHeaderBytes,
        headersTimeout: headersTimeoutMs,
        requestTimeout: requestTimeoutMs,
        keepAliveTimeout: keepAliveTimeoutMs,
      },
      (request, response) => void this.#answer(request, response),
    );
    server.maxHeadersCount = maxHeaders;
    server.maxConnections = maxConnections;
    server.timeout = stalledTimeoutMs;
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject);
      server.listen(port, host, () => {
        server.off("error", reject);
        resolve();
      });
    });
    const name = advertisedHost.includes(":") ? `[${advertisedHost}]` : advertisedHost;
    return `http://${name}:${(server.address() as AddressInfo).port}`;
  }

  /** Serves outputs of this job to whoever has its token. A job that is known gets the new token and keeps its outputs. */
  addJob(jobId: JobId, token: string): void {
    const outputs = this.#jobs.get(jobId)?.outputs ?? new Map<ExecutionId, string>();
    this.#jobs.set(jobId, { tokenHash: hash(token), outputs });
  }

  /** Serves a finished segment file. @throws Error where the job was not added */
  addOutput(jobId: JobId, executionId: ExecutionId, path: string): void {
    const job = this.#jobs.get(jobId);
    if (job === undefined) throw new Error(`segment server: output of job ${jobId}, which was not added`);
    job.outputs.set(executionId, path);
  }

  /** Serves nothing of this job any more; its token is worth nothing from now on. */
  removeJob(jobId: JobId): void {
    for (const path of this.#jobs.get(jobId)?.outputs.values() ?? []) this.#files.forget(path);
    this.#jobs.delete(jobId);
  }

  /** Cuts all connections and returns when the server is gone. */
  async stop(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server !== undefined) {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    }
    this.#files.closeAll();
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      const token = bearerToken(request);
      const asked = await readRequest(request);
      const job = this.#jobs.get(asked.jobId);
      // The comparison is made for an unknown job too: an answer tells nothing of which jobs there are.
      const matches = timingSafeEqual(job?.tokenHash ?? hash("no such job"), hash(token));
      if (job === undefined || !matches) throw new Refusal(401, "token: not the one of this job");
      await this.#inTurn(() => this.#sendSegments(asked, job, response));
    } catch (error) {
      if (error instanceof Refusal && !response.headersSent) refuse(request, response, error);
      // A frame that was begun can't be ended any other way: the reader sees a cut answer and asks again.
      else response.destroy();
    }
  }

  async #inTurn(send: () => Promise<void>): Promise<void> {
    if (this.#answers < maxAnswers) this.#answers++;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      await send();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#answers--;
      else next();
    }
  }

  async #sendSegments(asked: SegmentRequest, job: ServedJob, response: ServerResponse): Promise<void> {
    response.writeHead(200, { "content-type": "application/octet-stream" });
    const answer = new Answer(response);
    for (const [map, executionId] of asked.outputs) {
      const path = job.outputs.get(executionId);
      if (path === undefined) await answer.header(empty(map, frameStatus.unknown));
      else await this.#sendSegment(map, asked.partition, path, answer);
      if (answer.bytes >= maxAnswerBytes) break;
    }
    await answer.flush();
    response.end();
  }

  async #sendSegment(map: number, partition: number, path: string, answer: Answer): Promise<void> {
    let file: SegmentFile;
    try {
      file = this.#files.acquire(path);
    } catch (error) {
      if (!(error instanceof MapReduceError)) throw error;
      await answer.header(empty(map, frameStatus.unreadable));
      return;
    }
    try {
      if (partition >= file.partitions) await answer.header(empty(map, frameStatus.unknown));
      else {
        const place = file.place(partition);
        const { length, crc, records } = place;
        await answer.header({ map, status: frameStatus.whole, length, crc, records });
        await answer.bytesOf(file.fd, place.offset, length);
      }
    } finally {
      this.#files.release(path);
    }
  }
}

/** One answer's bytes on their way out: gathered in one buffer, never more of it than the reader has taken. */
class Answer {
  /** Bytes put into the answer so far. */
  bytes = 0;
  readonly #response: ServerResponse;
  readonly #buffer = Buffer.allocUnsafeSlow(bufferBytes);
  #used = 0;

  constructor(response: ServerResponse) {
    this.#response = response;
  }

  async header(header: FrameHeader): Promise<void> {
    if (this.#used + frameHeaderBytes > bufferBytes) await this.flush();
    writeFrameHeader(header, this.#buffer, this.#used);
    this.#used += frameHeaderBytes;
    this.bytes += frameHeaderBytes;
  }

  async bytesOf(fd: number, offset: number, length: number): Promise<void> {
    for (let done = 0; done < length;) {
      if (this.#used === bufferBytes) await this.flush();
      const wanted = Math.min(length - done, bufferBytes - this.#used);
      const { bytesRead } = await readFile(fd, this.#buffer, this.#used, wanted, offset + done);
      if (bytesRead === 0) throw new MapReduceError("SEGMENT_CORRUPT", "segment: its file is cut short");
      this.#used += bytesRead;
      done += bytesRead;
    }
    this.bytes += length;
  }

  /** Returns when the bytes have left this process: the buffer is used again. */
  async flush(): Promise<void> {
    if (this.#used === 0) return;
    const response = this.#response;
    const bytes = this.#buffer.subarray(0, this.#used);
    this.#used = 0;
    await new Promise<void>((resolve, reject) => {
      const cut = (): void => reject(new Error("segment reader: it closed the connection"));
      if (response.destroyed) return cut();
      response.once("close", cut);
      response.write(bytes, (error) => {
        response.off("close", cut);
        if (error) reject(error);
        else resolve();
      });
    });
  }
}

function empty(map: number, status: number): FrameHeader {
  return { map, status, length: 0, crc: 0, records: 0 };
}

/** Both sides of a comparison become 32 bytes, whatever was sent. */
function hash(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

function bearerToken(request: IncomingMessage): string {
  if (request.url !== segmentsPath) throw new Refusal(404, `path: expected ${segmentsPath}`);
  if (request.method !== "POST") throw new Refusal(405, "method: expected POST");
  const match = /^Bearer ([\x21-\x7e]+)$/.exec(request.headers.authorization ?? "");
  if (match?.[1] === undefined) throw new Refusal(401, "authorization: expected a bearer token");
  return match[1];
}

async function readRequest(request: IncomingMessage): Promise<SegmentRequest> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > maxBodyBytes) throw new Refusal(413, `body: expected at most ${maxBodyBytes} bytes`);
    chunks.push(chunk);
  }
  try {
    return decodeSegmentRequest(Buffer.concat(chunks).toString("utf8"));
  } catch (error) {
    if (error instanceof TypeError) throw new Refusal(400, error.message);
    throw error;
  }
}

function refuse(request: IncomingMessage, response: ServerResponse, { status, message }: Refusal): void {
  const body = `${message}\n`;
  // What is left of the request is not read: its connection ends with the answer.
  const close = request.complete ? {} : { connection: "close" };
  response.writeHead(status, {
    "content-type": "text/plain; charset=utf-8",
    "content-length": Buffer.byteLength(body),
    ...(status === 401 ? { "www-authenticate": "Bearer" } : {}),
    ...(status === 405 ? { allow: "POST" } : {}),
    ...close,
  });
  response.end(body);
}
