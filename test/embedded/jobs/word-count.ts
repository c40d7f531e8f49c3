// Owns the job of the embedded tests: word count, and on demand every way in which user code can misbehave.

import { mapper, reducer, sum, type Emit, type MapContext } from "mapreduce-fleet";

export const wordCounter = mapper(
  "word_counter",
  (line: string, emit: Emit<string, number>, context: MapContext) => {
    const { fail, hang } = context.params;
    if (typeof fail === "string" && line.includes(fail)) throw new Error(`found ${fail}`);
    if (typeof hang === "string" && line.includes(hang)) for (;;);
    for (const word of line.match(/\S+/g) ?? []) {
      emit(word, 1);
      context.counter("words").add(1);
    }
  },
);

export const adder = reducer(
  "adder",
  (word: string, counts: Iterable<number>, emit: Emit<string, number>) => {
    let total = 0;
    for (const count of counts) total += count;
    emit(word, total);
  },
);

export const combiner = sum;
