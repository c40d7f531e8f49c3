// Owns the names of the counters that the engine keeps itself. A user's counter may not start with the prefix.

export const reservedPrefix = "mapreduce.";

export const counterNames = {
  mapInputRecords: "mapreduce.map.input.records",
  mapInputBytes: "mapreduce.map.input.bytes",
  mapOutputRecords: "mapreduce.map.output.records",
  mapOutputBytes: "mapreduce.map.output.bytes",
  combineInputRecords: "mapreduce.combine.input.records",
  combineOutputRecords: "mapreduce.combine.output.records",
  spills: "mapreduce.map.spills",
  spilledRecords: "mapreduce.map.spilled.records",
  shuffleBytes: "mapreduce.shuffle.bytes",
  reduceInputGroups: "mapreduce.reduce.input.groups",
  reduceInputRecords: "mapreduce.reduce.input.records",
  reduceOutputRecords: "mapreduce.reduce.output.records",
  reduceOutputBytes: "mapreduce.reduce.output.bytes",
  skippedRecords: "mapreduce.skipped.records",
} as const;

/** Counts by name: the user's own, and the engine's under "mapreduce.". */
export type Counters = { readonly [name: string]: number };

/** Adds every count of `from` to `into`. */
export function addCounters(into: Record<string, number>, from: Counters): void {
  for (const [name, count] of Object.entries(from)) into[name] = (into[name] ?? 0) + count;
}
