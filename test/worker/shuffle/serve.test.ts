// Holds whom the segment server answers, with what, and what it refuses.

import {
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { crc32 } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { frameHeaderBytes, maxAnswerBytes, readFrameHeader } from "../../../src/worker/shuffle/frames.ts";
import { SegmentServer } from "../../../src/worker/shuffle/serve.ts";
import { SegmentFile } from "../../../src/worker/shuffle/segment-file.ts";
import { writeSegments } from "../segments.ts";

const token = "the-token-of-the-job";
let directory: string;
let server: SegmentServer;
let address: string;
beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), "serve-"));
  server = new SegmentServer();
  address = await server.start();
  server.addJob("job", token);
  writeSegments(join(directory, "m0"), [[["a", 1]], [["b", "two"]]]);
  writeSegments(join(directory, "m1"), [[], [["c", 3]]]);
  server.addOutput("job", "w.0", join(directory, "m0"));
  server.addOutput("job", "w.1", join(directory, "m1"));
});
afterEach(async () => {
  await server.stop();
  rmSync(directory, { recursive: true });
});

interface Asked {
  readonly method?: string;
  readonly path?: string;
  readonly authorization?: string | null;
  readonly body?: unknown;
}

async function ask({
  method = "POST",
  path = "/v1/segments",
  authorization,
  body,
}: Asked): Promise<Response> {
  const headers: Record<string, string> = {};
  if (authorization !== null) headers["authorization"] = authorization ?? `Bearer ${token}`;
  const text = typeof body === "string" ? body : JSON.stringify(body ?? wanted([0, "w.0"]));
  return await fetch(address + path, { method, headers, ...(method === "GET" ? {} : { body: text }) });
}

function wanted(...outputs: unknown[]): object {
  return { jobId: "job", partition: 1, outputs };
}

interface Frame {
  readonly map: number;
  readonly status: number;
  readonly bytes: Buffer;
}

async function framesOf(response: Response): Promise<Frame[]> {
  expect(response.status).toBe(200);
  const bytes = Buffer.from(await response.arrayBuffer());
  const frames: Frame[] = [];
  for (let at = 0; at < bytes.length;) {
    const { map, status, length, crc } = readFrameHeader(bytes, at);
    at += frameHeaderBytes;
    const segment = bytes.subarray(at, at + length);
    expect(crc32(segment)).toBe(crc);
    frames.push({ map, status, bytes: segment });
    at += length;
  }
  return frames;
}

function segmentOf(name: string, partition: number): Buffer {
  const file = new SegmentFile(join(directory, name));
  const { offset, length } = file.place(partition);
  file.close();
  return readFileSync(join(directory, name)).subarray(offset, offset + length);
}

describe("serving", () => {
  test("gives a frame for each output, in the order asked, and says which it does not hold", async () => {
    const response = await ask({ body: wanted([1, "w.1"], [9, "w.9"], [0, "w.0"]) });
    expect(await framesOf(response)).toEqual([
      { map: 1, status: 0, bytes: segmentOf("m1", 1) },
      { map: 9, status: 1, bytes: Buffer.alloc(0) },
      { map: 0, status: 0, bytes: segmentOf("m0", 1) },
    ]);
  });

  test("an empty segment is a frame without bytes, a partition that there is not is unknown", async () => {
    const body = { jobId: "job", partition: 0, outputs: [[1, "w.1"]] };
    expect(await framesOf(await ask({ body }))).toEqual([{ map: 1, status: 0, bytes: Buffer.alloc(0) }]);
    const beyond = { ...body, partition: 2 };
    expect(await framesOf(await ask({ body: beyond }))).toEqual([
      { map: 1, status: 1, bytes: Buffer.alloc(0) },
    ]);
  });

  test("a file that is gone or not whole is said to be unreadable; the others are served", async () => {
    writeFileSync(join(directory, "m1"), "not a segment file");
    server.addOutput("job", "w.2", join(directory, "gone"));
    const frames = await framesOf(await ask({ body: wanted([1, "w.1"], [2, "w.2"], [0, "w.0"]) }));
    expect(frames.map(({ status }) => status)).toEqual([2, 2, 0]);
  });

  test("an answer ends behind the frame that makes it full", async () => {
    const large = "x".repeat(maxAnswerBytes / 4);
    writeSegments(join(directory, "large"), [[], [["a", large]]]);
    server.addOutput("job", "w.5", join(directory, "large"));
    const frames = await framesOf(
      await ask({ body: wanted(...Array.from({ length: 9 }, (_, i) => [i, "w.5"])) }),
    );
    expect(frames.map(({ map }) => map)).toEqual([0, 1, 2, 3]);
  });

  test("more files than are kept open are served, one after the other and again", async () => {
    const outputs = Array.from({ length: 150 }, (_, i) => {
      writeSegments(join(directory, `n${i}`), [[], [[i, i]]]);
      server.addOutput("job", `n.${i}`, join(directory, `n${i}`));
      return [i, `n.${i}`];
    });
    for (let round = 0; round < 2; round++) {
      const frames = await framesOf(await ask({ body: wanted(...outputs) }));
      expect(frames.map(({ status }) => status)).toEqual(outputs.map(() => 0));
    }
  });
});

/** Asks for 64 MiB and takes the first bytes of the answer only. */
async function slowReader(): Promise<{ socket: Socket; closed: Promise<unknown> }> {
  writeSegments(join(directory, "large"), [[], [["a", "x".repeat(64 << 20)]]]);
  server.addOutput("job", "w.5", join(directory, "large"));
  const { port, hostname } = new URL(address);
  const socket = connect(Number(port), hostname);
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.on("error", () => undefined);
  const body = JSON.stringify(wanted([0, "w.5"]));
  const head = `POST /v1/segments HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${token}\r\n`;
  socket.write(`${head}content-length: ${body.length}\r\n\r\n${body}`);
  await new Promise((resolve) => socket.once("readable", resolve));
  return { socket, closed };
}

describe("a slow reader", () => {
  test("holds up nobody else, and gets the whole answer when it reads", async () => {
    const { socket } = await slowReader();
    expect(await framesOf(await ask({}))).toHaveLength(1);
    let received = 0;
    socket.on("data", (chunk) => (received += chunk.length));
    await vi.waitUntil(() => received > 64 << 20, { timeout: 20_000 });
    socket.destroy();
  });

  test("of a job that is removed still gets what was begun, and its file is closed behind it", async () => {
    const { socket } = await slowReader();
    server.removeJob("job");
    rmSync(join(directory, "large"));
    let received = 0;
    socket.on("data", (chunk) => (received += chunk.length));
    await vi.waitUntil(() => received > 64 << 20, { timeout: 20_000 });
    socket.destroy();
    const isOpen = (name: string): boolean =>
      openPaths().some((path) => path.includes(join(directory, name)));
    expect(await vi.waitUntil(() => !isOpen("large"), { timeout: 20_000 })).toBe(true);
  });
});

/** What this process has open, where the system tells. */
function openPaths(): string[] {
  if (!existsSync("/proc/self/fd")) return [];
  return readdirSync("/proc/self/fd").flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}

describe("refusing", () => {
  test.each([
    ["no token", null],
    ["another token", "Bearer another"],
    ["the token in another scheme", `Basic ${token}`],
    ["an empty token", "Bearer "],
  ])("%s is 401", async (_, authorization) => {
    const response = await ask({ authorization });
    expect(response.status).toBe(401);
    expect(await response.text()).not.toContain(token);
  });

  test("a job that there is not is answered as one with another token, and so is one that was removed", async () => {
    const other = await ask({ authorization: "Bearer another" });
    const unknown = await ask({ body: { jobId: "none", partition: 0, outputs: [[0, "w.0"]] } });
    server.removeJob("job");
    const removed = await ask({});
    expect([unknown.status, removed.status]).toEqual([401, 401]);
    expect(new Set([await other.text(), await unknown.text(), await removed.text()]).size).toBe(1);
  });

  test("the token of one job opens no other job's outputs", async () => {
    server.addJob("other", "another-token");
    const frames = await framesOf(
      await ask({ authorization: "Bearer another-token", body: { ...wanted([0, "w.0"]), jobId: "other" } }),
    );
    expect(frames.map(({ status }) => status)).toEqual([1]);
  });

  test.each(["../m0", "/etc/passwd", "w.0/../w.1", "..%2fm0", "__proto__", ""])(
    "an execution named %j is no path and no output",
    async (executionId) => {
      const frames = await framesOf(await ask({ body: wanted([0, executionId]) }));
      expect(frames).toEqual([{ map: 0, status: 1, bytes: Buffer.alloc(0) }]);
    },
  );

  test.each(["/", "/v1/segments/", "/v1/segments/../../etc/passwd", "/v1/segments?x=1", "/v2/segments"])(
    "the path %s is 404",
    async (path) => {
      expect((await ask({ path })).status).toBe(404);
    },
  );

  test("another method is 405", async () => {
    const response = await ask({ method: "GET" });
    expect(response.status).toBe(405);
    expect(response.headers.get("allow")).toBe("POST");
  });

  const many = Array.from({ length: 1_001 }, (_, i) => [i, "w.0"]);
  test.each<[string, unknown, number]>([
    ["no JSON", "{", 400],
    ["no object", "7", 400],
    ["no outputs", { jobId: "job", partition: 0 }, 400],
    ["an empty list", wanted(), 400],
    ["too long a list", wanted(...many), 400],
    ["a negative map", wanted([-1, "w.0"]), 400],
    ["a map that is no integer", wanted([0.5, "w.0"]), 400],
    ["an execution that is no string", wanted([0, ["w.0"]]), 400],
    ["an execution of 1,000 characters", wanted([0, "w".repeat(1_000)]), 400],
    ["a triple", wanted([0, "w.0", 1]), 400],
    ["a partition that is a string", { jobId: "job", partition: "0", outputs: [[0, "w.0"]] }, 400],
    ["a body beyond 256 KiB", wanted([0, "w".repeat(300 * 1024)]), 413],
  ])("%s is refused in words", async (_, body, status) => {
    const response = await ask({ body });
    expect(response.status).toBe(status);
    expect(await response.text()).toMatch(/expected .*\n$/);
  });

  test("what is no HTTP at all does not disturb others", async () => {
    const { port, hostname } = new URL(address);
    const socket = connect(Number(port), hostname);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("error", () => undefined);
    socket.end("\0\0\0 not http\r\n\r\n");
    socket.resume();
    await closed;
    expect(await framesOf(await ask({}))).toHaveLength(1);
  });
});

describe("stopping", () => {
  test("cuts a reader that does not read", async () => {
    const { socket, closed } = await slowReader();
    await server.stop();
    socket.resume();
    expect(await closed).toBeDefined();
  });

  test("is fine twice, and before a start", async () => {
    await server.stop();
    await server.stop();
    await expect(new SegmentServer().stop()).resolves.toBeUndefined();
  });
});
