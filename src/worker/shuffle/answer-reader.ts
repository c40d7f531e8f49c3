// Owns the reading of one answer: it cuts a stream of bytes into frames and writes their segments to a run file. It
// checks each checksum as the bytes arrive, and asks for nothing.

import { frameHeaderBytes, readFrameHeader, type FrameHeader } from "./frames.ts";
import type { RunFile } from "./run-file.ts";

/** What became of one frame. */
export type Received =
  | { readonly kind: "segment"; readonly offset: number; readonly header: FrameHeader }
  | { readonly kind: "refused"; readonly header: FrameHeader }
  | { readonly kind: "corrupt"; readonly header: FrameHeader };

/**
 * Reads frames until the answer ends. Segments are small or large: many come in one chunk, or one in many.
 * @param onFrame told of each frame when all of it has come; it throws where the frame is not the one it expected
 * @throws whatever the stream throws; Error where it ends within a frame
 */
export async function readAnswer(
  body: AsyncIterable<Uint8Array>,
  run: RunFile,
  onFrame: (received: Received) => void,
): Promise<void> {
  let pending: Buffer = Buffer.alloc(0);
  let header: FrameHeader | undefined;
  run.begin();
  for await (const chunk of body) {
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (pending.length > 0) bytes = Buffer.concat([pending, bytes]);
    let at = 0;
    for (;;) {
      if (header === undefined) {
        if (bytes.length - at < frameHeaderBytes) break;
        header = readFrameHeader(bytes, at);
        if (!Number.isSafeInteger(header.length) || header.length < 0) throw new Error("a frame is not one");
        at += frameHeaderBytes;
      }
      const count = Math.min(header.length - run.length, bytes.length - at);
      if (count > 0) await run.write(bytes.subarray(at, at + count));
      at += count;
      if (run.length < header.length) break;
      onFrame(finish(header, run));
      header = undefined;
    }
    pending = bytes.subarray(at);
  }
  if (header !== undefined || pending.length > 0) throw new Error("the answer ended within a frame");
}

function finish(header: FrameHeader, run: RunFile): Received {
  if (header.status !== 0) return { kind: "refused", header };
  if (run.crc === header.crc) return { kind: "segment", offset: run.keep(), header };
  run.begin();
  return { kind: "corrupt", header };
}
