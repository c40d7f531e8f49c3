// Owns cutting what user code prints into lines.

import { StringDecoder } from "node:string_decoder";
import type { Readable } from "node:stream";

/** A longer line is handed on in pieces: what user code prints may have no end of line at all. */
const maxLineLength = 64 * 1024;

/** Hands on each line of a stream, without its LF, and at the end what is left. */
export function readLines(stream: Readable, onLine: (line: string) => void): void {
  const decoder = new StringDecoder("utf8");
  let rest = "";
  const take = (text: string): void => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(onLine);
    if (rest.length < maxLineLength) return;
    onLine(rest);
    rest = "";
  };
  stream.on("data", (bytes: Buffer) => take(decoder.write(bytes)));
  stream.on("end", () => {
    take(decoder.end());
    if (rest !== "") onLine(rest);
  });
}
