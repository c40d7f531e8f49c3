// Counts how often each word occurs: the job that everybody writes first.

import { MapReduce, MapReduceSpecification, mapper, reducer, sum, type Emit } from "mapreduce-fleet";

export const wordCounter = mapper("word_counter", (line: string, emit: Emit<string, number>) => {
  for (const word of line.match(/\S+/g) ?? []) emit(word, 1);
});

export const adder = reducer(
  "adder",
  (word: string, counts: Iterable<number>, emit: Emit<string, number>) => {
    let total = 0;
    for (const count of counts) total += count;
    emit(word, total);
  },
);

const specification = new MapReduceSpecification({
  name: "word-count",
  module: import.meta.url,
  inputs: ["books/**/*.txt"],
  mapper: wordCounter,
  combiner: sum,
  reducer: adder,
  reduceTasks: 4,
  output: "out/word-count",
  maxKeyBytes: "16MiB", // in minified code a "word" may be as long as its file
});
export default specification;

if (import.meta.main) {
  const result = await new MapReduce(specification).exec();
  console.log(result.counters, result.elapsedMs, result.outputs);
}
