// Owns how messages become bytes and bytes become messages: JSON, checked where it arrives. What passes is exactly one
// of the kinds of messages.ts; it never guesses, repairs or leaves out.

import * as v from "valibot";
import { MapReduceError } from "../job/errors.ts";
import { maxMessageBytes, protocolVersion, type EventMessage, type Message } from "./messages.ts";
import { schemas } from "./schemas.ts";

/**
 * Gives a message's bytes.
 * @throws MapReduceError MESSAGE_INVALID when they are more than maxMessageBytes
 */
export function encodeMessage(message: Message): Buffer {
  const bytes = Buffer.from(JSON.stringify(message));
  checkSize(message.kind, bytes);
  return bytes;
}

/**
 * Gives the message that these bytes are.
 * @throws MapReduceError MESSAGE_INVALID naming path, found and expected; another protocol version is named as such
 */
export function decodeMessage(bytes: Uint8Array): Message {
  checkSize("of unknown kind", bytes);
  const value = parse(bytes);
  if (typeof value !== "object" || value === null || !("kind" in value)) {
    throw invalid(`message: found ${show(value)}, expected an object with a kind`);
  }
  const { kind } = value;
  if (typeof kind !== "string" || !isKind(kind)) {
    throw invalid(`message: kind: found ${show(kind)}, expected one of ${Object.keys(schemas).join(", ")}`);
  }
  const protocol = "protocol" in value ? value.protocol : undefined;
  if (protocol !== protocolVersion) {
    throw invalid(
      `message ${kind}: protocol: found ${show(protocol)}, expected ${protocolVersion}: its sender is of another version`,
    );
  }
  const result = v.safeParse<v.GenericSchema<unknown, Message>>(schemas[kind], value, { abortEarly: true });
  if (result.success) return result.output;
  const [issue] = result.issues;
  const path = v.getDotPath(issue) ?? "";
  throw invalid(`message ${kind}: ${path}: found ${show(issue.input)}, expected ${expectedBy(issue)}`);
}

/** Whether a message is one of those that are announced to all who follow a job. */
export function isEvent(message: Message): message is EventMessage {
  return (
    message.kind === "MapOutputReady" || message.kind === "JobProgress" || message.kind === "JobFinished"
  );
}

function isKind(kind: string): kind is Message["kind"] {
  return Object.hasOwn(schemas, kind);
}

function parse(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch (cause) {
    const start = Buffer.from(bytes.subarray(0, 40)).toString("latin1");
    throw invalid(`message: found ${JSON.stringify(start)}, expected JSON in UTF-8`, cause);
  }
}

function checkSize(kind: string, bytes: Uint8Array): void {
  if (bytes.length > maxMessageBytes) {
    throw invalid(`message ${kind}: found ${bytes.length} bytes, expected at most ${maxMessageBytes}`);
  }
}

/** valibot says "never" of an unknown field, and of a missing one its name. */
function expectedBy({ expected, input, message }: v.BaseIssue<unknown>): string {
  if (expected === "never") return "no such field";
  return input === undefined ? "a value" : (expected ?? message);
}

/** A value as an error names it: short, whatever was sent. */
function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length > 80 ? `${text.slice(0, 80)}...` : text;
}

function invalid(message: string, cause?: unknown): MapReduceError {
  return new MapReduceError("MESSAGE_INVALID", message, { cause });
}
