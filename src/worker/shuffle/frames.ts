// Owns what one worker says to another to get segments: the request, and the frames of its answer. It opens no socket.
//
//   POST /v1/segments, Authorization: Bearer <the job's token>, a SegmentRequest as JSON
//   200: a stream of frames, one for each output asked for, in that order; it may end early, behind a whole frame, and
//        then the client asks for the rest. 4xx, with a line of text: the request itself is refused.
//
//   frame     header, then `length` bytes of a segment (format: segment-file.ts)
//   header    24 bytes, little-endian: map u32, status u32, length f64, crc u32, records u32

import type { ExecutionId, JobId } from "../../shared/job/ids.ts";

export const segmentsPath = "/v1/segments";

/** At most this many outputs in one request: its body stays below 256 KiB. */
export const maxOutputsPerRequest = 1_000;
/** An answer ends behind the frame that reaches this many bytes: what is lost with a connection stays small. */
export const maxAnswerBytes = 64 * 1024 * 1024;
/** An execution id is a UUID and a serial number: this leaves room, and bounds the request. */
export const maxExecutionIdLength = 128;

/** Asks for one partition's segments of map outputs that the worker holds. */
export interface SegmentRequest {
  readonly jobId: JobId;
  readonly partition: number;
  /** (map, execution) */
  readonly outputs: readonly (readonly [map: number, executionId: ExecutionId])[];
}

export const frameStatus = {
  /** The segment's bytes follow. */
  whole: 0,
  /** The worker holds no such output. */
  unknown: 1,
  /** The worker's file of it can't be read or is not whole. */
  unreadable: 2,
} as const;

export const frameHeaderBytes = 24;

/** What stands before a segment's bytes. With a status other than `whole`, length, crc and records are 0. */
export interface FrameHeader {
  readonly map: number;
  readonly status: number;
  readonly length: number;
  readonly crc: number;
  readonly records: number;
}

/** Writes a header, frameHeaderBytes long, at `at`. */
export function writeFrameHeader(header: FrameHeader, into: Buffer, at: number): void {
  into.writeUInt32LE(header.map, at);
  into.writeUInt32LE(header.status, at + 4);
  into.writeDoubleLE(header.length, at + 8);
  into.writeUInt32LE(header.crc, at + 16);
  into.writeUInt32LE(header.records, at + 20);
}

/** Reads a header at `at`. */
export function readFrameHeader(from: Buffer, at: number): FrameHeader {
  return {
    map: from.readUInt32LE(at),
    status: from.readUInt32LE(at + 4),
    length: from.readDoubleLE(at + 8),
    crc: from.readUInt32LE(at + 16),
    records: from.readUInt32LE(at + 20),
  };
}

/**
 * Reads a request's body, which came from outside.
 * @throws TypeError naming what was found against what was expected
 */
export function decodeSegmentRequest(body: string): SegmentRequest {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    throw new TypeError("body: expected JSON");
  }
  if (typeof value !== "object" || value === null) throw new TypeError("body: expected an object");
  const { jobId, partition, outputs } = value as Partial<Record<keyof SegmentRequest, unknown>>;
  if (typeof jobId !== "string") throw new TypeError("jobId: expected a string");
  if (!isIndex(partition)) throw new TypeError("partition: expected an integer from 0 to 4294967295");
  if (!Array.isArray(outputs) || outputs.length === 0 || outputs.length > maxOutputsPerRequest) {
    throw new TypeError(`outputs: expected a list of 1 to ${maxOutputsPerRequest} entries`);
  }
  return { jobId, partition, outputs: outputs.map(decodeOutput) };
}

function decodeOutput(entry: unknown, index: number): [number, ExecutionId] {
  if (Array.isArray(entry) && entry.length === 2) {
    const [map, executionId] = entry as unknown[];
    if (isIndex(map) && typeof executionId === "string" && executionId.length <= maxExecutionIdLength) {
      return [map, executionId];
    }
  }
  throw new TypeError(`outputs[${index}]: expected [map, executionId]`);
}

function isIndex(value: unknown): value is number {
  return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= 0xffffffff;
}
