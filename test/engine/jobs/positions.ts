// A job whose output shows any change of order: for each word, where it occurs, in the order in which its values came.

import { MapReduceSpecification, mapper, reducer, type Emit, type Key } from "mapreduce-fleet";
import type { Computation } from "../reference.ts";

export const positions = {
  map: (line, emit, offset) =>
    line.split(" ").forEach((word, at) => word !== "" && emit(word, `${offset}.${at}`)),
  reduce: (key, values, emit) => emit(key, [...(values as Iterable<string>)].join(" ")),
} satisfies Computation;

const words = mapper("positions", (line: string, emit: Emit<Key, string>, context) =>
  positions.map(line, emit as Emit<Key, unknown>, context.source.offset),
);
const list = reducer("position_list", (key: Key, values: Iterable<string>, emit: Emit<Key, unknown>) =>
  positions.reduce(key, values, emit),
);

/** The job over these files, in small splits. */
export function specifyPositions(
  inputs: readonly string[],
  output: string,
  reduceTasks: number,
): MapReduceSpecification {
  return new MapReduceSpecification({
    name: "positions",
    module: import.meta.url,
    inputs: [...inputs],
    mapper: words,
    reducer: list,
    reduceTasks,
    output,
    splitSize: 8000,
    filesPerTask: 3,
  });
}
