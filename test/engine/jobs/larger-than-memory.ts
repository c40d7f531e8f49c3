// Jobs that could not be run in memory: each line of input, a number, becomes a mebibyte of records. Reducers check what
// they get as it passes by, and count.

import { MapReduceSpecification, mapper, reducer, type Emit } from "mapreduce-fleet";

const MiB = 2 ** 20;
const filler = "x".repeat(64 * 1024);

const valueBytes = 64 * 1024;

/** All records under one key; the values are numbered. */
const oneGroup = mapper("one_group", (line: string, emit: Emit<string, string>) => {
  for (let i = 0; i < MiB / valueBytes; i++) {
    const number = Number(line) * (MiB / valueBytes) + i;
    emit("all", String(number).padStart(8, "0") + filler.slice(8, valueBytes));
  }
});

/** Values come in the order of the input, each whole. */
const checkGroup = reducer(
  "check_group",
  (key: string, values: Iterable<string>, emit: Emit<string, number>) => {
    let count = 0;
    for (const value of values) {
      if (Number(value.slice(0, 8)) !== count || value.length !== valueBytes)
        throw new Error(`value ${count} is another`);
      count++;
    }
    emit(key, count);
  },
);

const keyBytes = 1024;

/** As many distinct keys as fill a mebibyte, far from their order. */
const manyKeys = mapper("many_keys", (line: string, emit: Emit<string, null>) => {
  for (let i = 0; i < MiB / keyBytes; i++) {
    const number = Number(line) * (MiB / keyBytes) + i;
    // An odd factor permutes the 32-bit numbers: no key comes twice.
    const scattered = (Math.imul(number, 0x9e3779b1) >>> 0).toString(16).padStart(8, "0");
    emit(scattered + filler.slice(8, keyBytes), null);
  }
});

/** Keys come in order, each once. */
class CheckKeys {
  #previous = "";
  #count = 0;
  reduce(key: string, values: Iterable<null>): void {
    if (key <= this.#previous) throw new Error(`key ${key.slice(0, 8)} after ${this.#previous.slice(0, 8)}`);
    this.#previous = key;
    for (const _ of values) this.#count++;
  }
  close(emit: Emit<string, number>): void {
    emit("keys", this.#count);
  }
}
const checkKeys = reducer("check_keys", CheckKeys);

/** The least that a slot's executor may have. */
export const memory = "128MiB";

const common = { module: import.meta.url, reduceTasks: 1, memory, maxAttempts: 1, splitSize: 1500 } as const;

export function specifyOneGroup(input: string, output: string): MapReduceSpecification {
  return new MapReduceSpecification({
    ...common,
    name: "one-group",
    inputs: [input],
    mapper: oneGroup,
    reducer: checkGroup,
    output,
  });
}

export function specifyManyKeys(input: string, output: string): MapReduceSpecification {
  return new MapReduceSpecification({
    ...common,
    name: "many-keys",
    inputs: [input],
    mapper: manyKeys,
    reducer: checkKeys,
    output,
  });
}
