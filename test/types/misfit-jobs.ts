// Holds jobs that must not compile, with the mistake at the line where the compiler must show it. Checked by tsc, never
// run. A comment that expects an error where there is none is itself an error.

/* oxlint-disable no-new -- what counts is whether it compiles */

import {
  csv,
  lines,
  mapper,
  MapReduceSpecification,
  partitioner,
  reducer,
  sum,
  type Emit,
  type WholeFile,
} from "mapreduce-fleet";

const inputs = ["a.txt"];

const counts = mapper("counts", (line: string, emit: Emit<string, number>) => emit(line, 1));
const texts = mapper("texts", (line: string, emit: Emit<string, string>) => emit(line, line));
const numbered = mapper("numbered", (line: string, emit: Emit<number, number>) => emit(line.length, 1));
const ofBytes = mapper("of_bytes", (line: Uint8Array, emit: Emit<string, number>) => emit("", line.length));
const ofFile = mapper("of_file", (file: WholeFile, emit: Emit<string, number>) => emit(file.url, 1));
const ofColumns = mapper("of_columns", (row: Record<string, string>, emit: Emit<string, number>) =>
  emit(row["a"] ?? "", 1),
);
const addUp = reducer("add_up", (key: string, values: Iterable<number>, emit: Emit<string, number>) =>
  emit(key, [...values].length),
);
const toText = reducer("to_text", (key: string, values: Iterable<number>, emit: Emit<string, string>) =>
  emit(key, [...values].join()),
);

// ---- mapper and reducer ----------------------------------------------------------------------------

// @ts-expect-error a mapper that emits what the reducer does not take
new MapReduceSpecification({ name: "n", inputs, mapper: texts, reducer: addUp });
// @ts-expect-error a mapper whose keys the reducer does not take
new MapReduceSpecification({ name: "n", inputs, mapper: numbered, reducer: addUp });
// @ts-expect-error values that sum can't add up
new MapReduceSpecification({ name: "n", inputs, mapper: texts, reducer: sum });
// @ts-expect-error a reducer where a mapper belongs
new MapReduceSpecification({ name: "n", inputs, mapper: addUp, reducer: addUp });
// @ts-expect-error a mapper where a reducer belongs
new MapReduceSpecification({ name: "n", inputs, mapper: counts, reducer: counts });
// @ts-expect-error a function that was not registered
new MapReduceSpecification({ name: "n", inputs, mapper: (line: string) => line, reducer: addUp });

// ---- combiner and partitioner ----------------------------------------------------------------------

// @ts-expect-error a combiner that emits what the reducer does not take
new MapReduceSpecification({ name: "n", inputs, mapper: counts, combiner: toText, reducer: addUp });
// @ts-expect-error a combiner without a reducer
new MapReduceSpecification({ name: "n", inputs, mapper: counts, combiner: sum });
const ofNumbers = partitioner("of_numbers", (key: number, reduceTasks) => key % reduceTasks);
// @ts-expect-error a partitioner of other keys
new MapReduceSpecification({ name: "n", inputs, mapper: counts, partitioner: ofNumbers, reducer: addUp });

// ---- mapper and format -----------------------------------------------------------------------------

// @ts-expect-error bytes, where lines are strings by default
new MapReduceSpecification({ name: "n", inputs, mapper: ofBytes, reducer: addUp });
new MapReduceSpecification({
  name: "n",
  inputs,
  format: lines({ as: "bytes" }),
  // @ts-expect-error strings, where lines are asked for as bytes
  mapper: counts,
  reducer: sum,
});
// @ts-expect-error a line, where the format gives whole files
new MapReduceSpecification({ name: "n", inputs, format: "wholeFile", mapper: counts, reducer: addUp });
// @ts-expect-error a whole file, where the format gives lines
new MapReduceSpecification({ name: "n", inputs, format: "lines", mapper: ofFile, reducer: addUp });
// @ts-expect-error columns by name, where there is no header
new MapReduceSpecification({ name: "n", inputs, format: "csv", mapper: ofColumns, reducer: addUp });
// @ts-expect-error the same by the handle
new MapReduceSpecification({ name: "n", inputs, format: csv(), mapper: ofColumns, reducer: addUp });
// @ts-expect-error an unknown format
new MapReduceSpecification({ name: "n", inputs, format: "xml", mapper: counts, reducer: addUp });
// @ts-expect-error without a reducer the mapper still has to fit its format
new MapReduceSpecification({ name: "n", inputs, format: "wholeFile", mapper: counts });

// ---- inputs of their own ---------------------------------------------------------------------------

new MapReduceSpecification({
  name: "n",
  // @ts-expect-error the input's mapper does not fit the input's format
  inputs: [{ url: "a", format: csv({ header: true }), mapper: counts }],
  reducer: addUp,
});
new MapReduceSpecification({
  name: "n",
  // @ts-expect-error the input's mapper does not fit the specification's format
  inputs: ["b", { url: "a", mapper: ofBytes }],
  mapper: counts,
  reducer: addUp,
});
new MapReduceSpecification({
  name: "n",
  inputs: [
    { url: "a", mapper: counts },
    // @ts-expect-error the second input's mapper does not fit the reducer
    { url: "b", mapper: texts },
  ],
  reducer: addUp,
});
new MapReduceSpecification({
  name: "n",
  inputs: {
    // @ts-expect-error the same where inputs have names
    b: { url: "b", format: "wholeFile", mapper: counts },
  },
  reducer: addUp,
});

// ---- fields ----------------------------------------------------------------------------------------

// @ts-expect-error an unknown field
new MapReduceSpecification({ name: "n", inputs, mapper: counts, reducer: addUp, reduceTask: 3 });
// @ts-expect-error a number as text
new MapReduceSpecification({ name: "n", inputs, mapper: counts, reducer: addUp, reduceTasks: "3" });
// @ts-expect-error a param that JSON can't carry
new MapReduceSpecification({ name: "n", inputs, mapper: counts, reducer: addUp, params: { at: new Date() } });
// @ts-expect-error an unknown policy
new MapReduceSpecification({ name: "n", inputs, mapper: counts, reducer: addUp, scheduling: "push" });
// @ts-expect-error no name
new MapReduceSpecification({ inputs, mapper: counts, reducer: addUp });
// @ts-expect-error no inputs
new MapReduceSpecification({ name: "n", mapper: counts, reducer: addUp });

// ---- registering -----------------------------------------------------------------------------------

// @ts-expect-error an object as a key
mapper("bad_key", (line: string, emit: Emit<{ line: string }, number>) => emit({ line }, 1));
// @ts-expect-error a partition as text
partitioner("bad_partition", (key: string) => key);
reducer(
  "bad_class",
  // @ts-expect-error a class without reduce
  class {
    map(): void {}
  },
);
// @ts-expect-error an emit of another value than the one that it says
reducer("bad_emit", (key: string, _values: Iterable<number>, emit: Emit<string, number>) => emit(key, key));
