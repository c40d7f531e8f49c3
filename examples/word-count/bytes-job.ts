// Counts words without ever making a string: lines come as bytes, and keys leave as bytes. The counts are those of job.ts
// for ASCII white space.

import { lines, MapReduce, MapReduceSpecification, mapper, sum, type Emit } from "mapreduce-fleet";

export const byteWordCounter = mapper(
  "byte_word_counter",
  (line: Uint8Array, emit: Emit<Uint8Array, number>) => {
    let start = 0;
    for (let at = 0; at <= line.length; at++) {
      if (at < line.length && !isSpace(line[at])) continue;
      // A view is enough: what is emitted is copied at once.
      if (at > start) emit(line.subarray(start, at), 1);
      start = at + 1;
    }
  },
);

/** Space, and tab to carriage return. */
function isSpace(byte: number): boolean {
  return byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);
}

const specification = new MapReduceSpecification({
  name: "byte-word-count",
  module: import.meta.url,
  inputs: ["books/**/*.txt"],
  format: lines({ as: "bytes" }),
  mapper: byteWordCounter,
  combiner: sum,
  reducer: sum,
  reduceTasks: 4,
  output: "out/byte-word-count",
});
export default specification;

if (import.meta.main) {
  const result = await new MapReduce(specification).exec();
  console.log(result.counters, result.elapsedMs, result.outputs);
}
