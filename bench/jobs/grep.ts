// The measured grep: lines that a regular expression matches, sorted.

import { MapReduceSpecification, mapper, type Emit } from "mapreduce-fleet";

const grep = mapper("grep", (line: string, emit: Emit<string, null>, context) => {
  pattern ??= new RegExp(context.params["pattern"] as string);
  if (pattern.test(line)) emit(line, null);
});
let pattern: RegExp | undefined;

export default new MapReduceSpecification({
  name: "bench-grep",
  module: import.meta.url,
  inputs: ["corpus.txt"],
  mapper: grep,
  reduceTasks: 1,
  params: { pattern: "" },
  output: "out",
});
