// Owns the shorter way to the result of two built-in reducers, `sum` and the identity: over encoded records, decoding
// only what is needed. What they give is what shared/registry/built-ins.ts says.

import type { RecordWriter } from "../../shared/formats/record-writer.ts";
import { MapReduceError } from "../../shared/job/errors.ts";
import { decodeValue } from "../../shared/values/codec.ts";
import type { Groups } from "./groups.ts";
import type { Merge } from "./merge.ts";

/** Reduces the present group into `output`; returns how many records it wrote. */
export type ReduceGroup = (groups: Groups, merge: Merge, output: RecordWriter) => number;

/** Copies each record. */
export const copyGroup: ReduceGroup = (groups, merge, output) => {
  const { key, keyLength } = groups;
  while (groups.take()) {
    const { bytes, valueStart, valueEnd } = merge.reader;
    output.writeEncoded(key, keyLength, bytes, valueStart, valueEnd);
  }
  return groups.records;
};

/** Adds the numbers of a group, in order. @throws MapReduceError VALUE_INVALID where one is none */
export const sumGroup: ReduceGroup = (groups, merge, output) => {
  const { key, keyLength } = groups;
  let total = 0;
  while (groups.take()) {
    const { bytes, valueStart, valueEnd } = merge.reader;
    const value = decodeValue(bytes, valueStart, valueEnd);
    if (typeof value !== "number") {
      throw new MapReduceError(
        "VALUE_INVALID",
        `sum: found a value of type ${typeof value}, expected a number`,
      );
    }
    total += value;
  }
  output.writeWithKey(key, keyLength, total);
  return 1;
};
