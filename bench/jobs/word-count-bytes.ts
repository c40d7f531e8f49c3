// The measured word count with bytes: the mapper finds words itself and emits views of the line.

import { MapReduceSpecification, lines, mapper, sum, type Emit } from "mapreduce-fleet";

const isSpace = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13);

const words = mapper("words", (line: Uint8Array, emit: Emit<Uint8Array, number>) => {
  const end = line.length;
  for (let at = 0; at < end;) {
    while (at < end && isSpace(line[at])) at++;
    const start = at;
    while (at < end && !isSpace(line[at])) at++;
    if (at > start) emit(line.subarray(start, at), 1);
  }
});

export default new MapReduceSpecification({
  name: "bench-word-count-bytes",
  module: import.meta.url,
  inputs: ["corpus.txt"],
  format: lines({ as: "bytes" }),
  mapper: words,
  combiner: sum,
  reducer: sum,
  reduceTasks: 4,
  output: "out",
});
