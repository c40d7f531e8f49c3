// Finds the lines that match a pattern and tells where each stands: a job with a param, a mapper that is a class, and no
// reducer.

import { basename } from "node:path";
import {
  MapReduce,
  MapReduceSpecification,
  mapper,
  type Context,
  type Emit,
  type MapContext,
} from "mapreduce-fleet";

/** A file's name and a line's offset in it: keys sort by name, then by number, which is the order of the input. */
type Place = readonly [file: string, offset: number];

class Grep {
  #pattern = /$^/;

  /** Once for each execution: the pattern is compiled here, not for each line. */
  open({ params }: Context): void {
    this.#pattern = new RegExp(params["pattern"] as string);
  }

  map(line: string, emit: Emit<Place, string>, context: MapContext): void {
    if (!this.#pattern.test(line)) return;
    context.counter("matching lines").add(1);
    emit([basename(context.source.url), context.source.offset], line);
  }
}

export const grep = mapper("grep", Grep);

const specification = new MapReduceSpecification({
  name: "grep",
  module: import.meta.url,
  inputs: ["input/*.txt"],
  mapper: grep,
  // One partition is one part file, sorted from end to end.
  reduceTasks: 1,
  params: { pattern: "whale" },
  output: "out/grep",
});
export default specification;

if (import.meta.main) {
  const result = await new MapReduce(specification).exec();
  console.log(result.counters, result.elapsedMs, result.outputs);
}
