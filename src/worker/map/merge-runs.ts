// placeholder until merge lands
import type { SegmentWriter } from "../shuffle/segment-writer.ts";
export type CombineRuns = "sum" | "keep";
export const sumRecords: CombineRuns = "sum";
export const keepRecords: CombineRuns = "keep";
export function mergeRuns(
  _runs: readonly string[],
  _writer: SegmentWriter,
  _reduceTasks: number,
  _combine: CombineRuns,
): number {
  throw new Error("no merge yet");
}
