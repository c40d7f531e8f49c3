// Holds the reading of lines to reading each exactly once, wherever a file is cut.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import * as fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { LineBlocks } from "../../../src/worker/map/lines.ts";

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), "lines-"));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** All lines of a range with their offsets, the way the map reads them. */
function linesOf(
  path: string,
  start: number,
  end: number,
  fileSize: number,
  maxRecordBytes = 1 << 24,
): [string, number][] {
  const blocks = new LineBlocks(
    { input: 0, url: pathToFileURL(path).href, start, end, fileSize },
    maxRecordBytes,
  );
  const lines: [string, number][] = [];
  while (blocks.advance()) {
    const text = blocks.text();
    let line = 0;
    for (let at = 0; at <= text.length; line++) {
      let stop = text.indexOf("\n", at);
      if (stop < 0) stop = text.length;
      const cr = blocks.crBytes(text.charCodeAt(stop - 1), stop === text.length);
      lines.push([text.slice(at, stop - cr), blocks.offsetOf(line)]);
      at = stop + 1;
    }
  }
  blocks.close();
  return lines;
}

function reference(content: Buffer): [string, number][] {
  const lines: [string, number][] = [];
  for (let at = 0; at < content.length;) {
    const newline = content.indexOf(10, at);
    const stop = newline < 0 ? content.length : newline;
    const text = content.subarray(at, stop).toString("utf8");
    lines.push([newline < 0 ? text : text.replace(/\r$/, ""), at]);
    at = stop + 1;
  }
  return lines;
}

describe("lines of a file", () => {
  const piece = fc.oneof(
    fc.constantFrom("\n", "\r\n", "\r", "a", "word ", "\n\n", "é", "\u{1f600}"),
    fc.integer({ min: 1, max: 300_000 }).map((length) => "x".repeat(length)),
  );

  test("are each read exactly once, with their offsets, however the file is cut", () => {
    const path = join(directory, "cut.txt");
    fc.assert(
      fc.property(
        fc.array(piece, { maxLength: 30 }),
        fc.array(fc.nat({ max: 10_000 }), { maxLength: 5 }),
        (pieces, cuts) => {
          const content = Buffer.from(pieces.join(""));
          writeFileSync(path, content);
          const ends = cuts
            .map((cut) => Math.floor((cut / 10_000) * content.length))
            .toSorted((a, b) => a - b);
          const lines: [string, number][] = [];
          let start = 0;
          for (const end of [...ends, content.length]) {
            if (end > start) lines.push(...linesOf(path, start, end, content.length));
            start = Math.max(start, end);
          }
          expect(lines).toEqual(reference(content));
        },
      ),
    );
  });

  test("that are not UTF-8 keep their offsets and have U+FFFD in place of bad bytes", () => {
    const path = join(directory, "bad.txt");
    const content = Buffer.concat([Buffer.from("a\n"), Buffer.from([0xff, 0xc3, 0x0a]), Buffer.from("é\nz")]);
    writeFileSync(path, content);
    expect(linesOf(path, 0, content.length, content.length)).toEqual([
      ["a", 0],
      ["\ufffd\ufffd", 2],
      ["é", 5],
      ["z", 8],
    ]);
  });

  test("longer than maxRecordBytes are an error that names the place", () => {
    const path = join(directory, "long.txt");
    writeFileSync(path, `short\n${"y".repeat(700_000)}\n`);
    expect(() => linesOf(path, 0, 700_007, 700_007, 500_000)).toThrow(
      expect.objectContaining({
        code: "RECORD_INVALID",
        source: { url: pathToFileURL(path).href, offset: 6 },
      }),
    );
  });

  test("of a file whose size is not the listed one are refused", () => {
    const path = join(directory, "changed.txt");
    writeFileSync(path, "abc\n");
    expect(() => linesOf(path, 0, 3, 3)).toThrow("found 4 bytes, expected 3 as listed");
  });
});
