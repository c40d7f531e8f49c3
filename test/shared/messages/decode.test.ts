// Holds decode.ts to its promises: every kind comes back equal, and nothing else gets through.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { MapReduceError } from "../../../src/shared/job/errors.ts";
import { decodeMessage, encodeMessage } from "../../../src/shared/messages/decode.ts";
import { maxMessageBytes, type Message } from "../../../src/shared/messages/messages.ts";
import { schemas } from "../../../src/shared/messages/schemas.ts";
import { cancelJob, mapTask, messages } from "./message-fixtures.ts";

function errorOf(bytes: Uint8Array): MapReduceError {
  try {
    decodeMessage(bytes);
  } catch (error) {
    if (error instanceof MapReduceError) return error;
    throw error;
  }
  throw new Error("it decodes");
}

function errorOfJson(value: unknown): string {
  const error = errorOf(Buffer.from(JSON.stringify(value)));
  expect(error.code).toBe("MESSAGE_INVALID");
  return error.message;
}

describe("what is a message", () => {
  test("the fixtures have every kind", () => {
    expect(new Set(messages.map(({ kind }) => kind))).toEqual(new Set(Object.keys(schemas)));
  });

  test.each(messages.map((message): [string, Message] => [message.kind, message]))(
    "%s comes back equal",
    (_kind, message) => {
      expect(decodeMessage(encodeMessage(message))).toEqual(message);
    },
  );

  test("counters keep every name, those of Object.prototype too", () => {
    const decoded = decodeMessage(encodeMessage(messages.find(({ kind }) => kind === "AttemptSucceeded")!));
    expect(decoded.kind === "AttemptSucceeded" && Object.entries(decoded.report.counters)).toContainEqual([
      "constructor",
      1,
    ]);
  });
});

describe("what is none", () => {
  test("an error names path, found and expected", () => {
    const text = errorOfJson({ ...mapTask(), splits: { url: 7 } });
    expect(text).toBe("message MapTask: splits.url: found 7, expected string");
    expect(errorOfJson({ ...cancelJob(), jobId: 5 })).toBe(
      "message CancelJob: jobId: found 5, expected string",
    );
    expect(errorOfJson({ kind: "CancelJob", protocol: 1 })).toBe(
      "message CancelJob: jobId: found nothing, expected a value",
    );
  });

  test("another protocol version is named as such", () => {
    expect(errorOfJson({ ...cancelJob(), protocol: 2 })).toMatch(
      /^message CancelJob: protocol: found 2, expected 1: .*another version/,
    );
  });

  test("an unknown field is refused and named", () => {
    expect(errorOfJson({ ...cancelJob(), priority: 1 })).toBe(
      'message CancelJob: priority: found "priority", expected no such field',
    );
  });

  test.each(["../../etc", "a/b", "", ".", ".hidden", "a\u0000", "x".repeat(200)])(
    "an id that would lead out of scratch is refused: %j",
    (jobId) => {
      expect(errorOfJson({ ...cancelJob(), jobId })).toMatch(/jobId/);
    },
  );

  test.each(["m01", "x1", "m-1", "m1/..", "m12345678901"])(
    "a task id that is none is refused: %j",
    (taskId) => {
      expect(errorOfJson({ ...mapTask(), taskId })).toMatch(/taskId/);
    },
  );

  test("numbers that are no counts are refused", () => {
    for (const attempt of [0, -1, 1.5, 2 ** 53, null, "1"]) {
      expect(errorOfJson({ ...mapTask(), attempt })).toMatch(/attempt/);
    }
  });

  test("a counter that is no number is refused", () => {
    const message = messages.find(({ kind }) => kind === "AttemptSucceeded") as { report: object };
    const broken = { ...message, report: { ...message.report, counters: { a: 1, b: "2" } } };
    expect(errorOfJson(broken)).toMatch(/report\.counters/);
  });

  test.each([null, 1, "CancelJob", [[]], {}, { kind: "Nonsense" }, { kind: "toString" }, { kind: 1 }])(
    "a foreign value is refused: %j",
    (value) => {
      expect(errorOfJson(value)).toMatch(/^message/);
    },
  );

  test("bytes that are no JSON, no UTF-8, cut or too many are refused", () => {
    const whole = encodeMessage(mapTask());
    for (const bytes of [
      Buffer.alloc(0),
      Buffer.from("{"),
      Buffer.from([0xff, 0xfe]),
      whole.subarray(0, whole.length - 1),
      Buffer.alloc(maxMessageBytes + 1, " "),
      Buffer.alloc(maxMessageBytes, "["),
    ]) {
      expect(errorOf(bytes).code).toBe("MESSAGE_INVALID");
    }
  });

  test("a changed byte gives MESSAGE_INVALID or another valid message, never another error", () => {
    const numbered = fc.nat({ max: messages.length - 1 });
    fc.assert(
      fc.property(numbered, fc.nat(), fc.integer({ min: 0, max: 255 }), (index, position, byte) => {
        const bytes = encodeMessage(messages[index]);
        bytes[position % bytes.length] = byte;
        let decoded: Message;
        try {
          decoded = decodeMessage(bytes);
        } catch (error) {
          return error instanceof MapReduceError && error.code === "MESSAGE_INVALID";
        }
        expect(decodeMessage(encodeMessage(decoded))).toEqual(decoded);
        return true;
      }),
      { numRuns: 500 },
    );
  });
});

test("a message of more than maxMessageBytes is refused by its sender, one of exactly as many is not", () => {
  const overhead = encodeMessage({ ...mapTask(), shuffleToken: "" }).length;
  const fitting = { ...mapTask(), shuffleToken: "x".repeat(maxMessageBytes - overhead) };
  expect(decodeMessage(encodeMessage(fitting))).toEqual(fitting);
  const larger = { ...fitting, shuffleToken: `${fitting.shuffleToken}x` };
  expect(() => encodeMessage(larger)).toThrow(/found 262145 bytes, expected at most 262144/);
});
