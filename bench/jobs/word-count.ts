// The measured word count with strings: what people write first.

import { MapReduceSpecification, mapper, sum, type Emit } from "mapreduce-fleet";

const words = mapper("words", (line: string, emit: Emit<string, number>) => {
  for (const word of line.match(/\S+/g) ?? []) emit(word, 1);
});

export default new MapReduceSpecification({
  name: "bench-word-count",
  module: import.meta.url,
  inputs: ["corpus.txt"],
  mapper: words,
  combiner: sum,
  reducer: sum,
  reduceTasks: 4,
  output: "out",
});
