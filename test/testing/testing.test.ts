// Holds the helpers that users test their functions with.

import {
  mapper,
  reducer,
  sum,
  type Context,
  type Emit,
  type MapContext,
  type Reducer,
} from "mapreduce-fleet";
import { runMapper, runReducer } from "mapreduce-fleet/testing";
import { describe, expect, test } from "vitest";

const words = mapper("testing.words", (line: string, emit: Emit<string, number>, context: MapContext) => {
  context.counter("lines").add(1);
  for (const word of line.split(" ")) emit(word, context.source.offset);
});

class Buffered {
  #lines: string[] = [];
  #prefix = "";
  async open({ params }: Context): Promise<void> {
    this.#prefix = await Promise.resolve(params["prefix"] as string);
  }
  map(line: string, _emit: Emit<string, number>, context: MapContext): void {
    this.#lines.push(line);
    context.output("copies")(line, null);
  }
  close(emit: Emit<string, number>): void {
    emit(this.#prefix + this.#lines.join(), this.#lines.length);
  }
}
const buffered = mapper("testing.buffered", Buffered);

describe("runMapper", () => {
  test("gives pairs in order, and counters; records count as offsets", async () => {
    const { pairs, counters } = await runMapper(words, ["a b", "c"]);
    expect(pairs).toEqual([
      ["a", 0],
      ["b", 0],
      ["c", 1],
    ]);
    expect(counters).toEqual({ lines: 2 });
  });

  test("opens and closes a class, a new instance each time", async () => {
    const options = { params: { prefix: ">" } };
    const { pairs, outputs } = await runMapper(buffered, ["x", "y"], options);
    expect(pairs).toEqual([[">x,y", 2]]);
    expect(outputs).toEqual({
      copies: [
        ["x", null],
        ["y", null],
      ],
    });
    expect((await runMapper(buffered, [], options)).pairs).toEqual([[">", 0]]);
  });

  test("gives the source, files and secrets of the test, and refuses others", async () => {
    const asking = mapper(
      "testing.asking",
      (_line: string, emit: Emit<string, string>, context: MapContext) => {
        emit(context.source.url, context.file("model") + context.secret("token"));
        context.secret("other");
      },
    );
    const options = {
      source: { url: "file:///x", offset: 7 },
      files: { model: "/m" },
      secrets: { token: "t" },
    };
    await expect(runMapper(asking, ["line"], options)).rejects.toThrow(/secret "other": not among/);
  });

  test("copies what is emitted, and refuses what a job would refuse", async () => {
    const reused = new Uint8Array(1);
    const reusing = mapper("testing.reusing", (byte: number, emit: Emit<Uint8Array, number>) => {
      reused[0] = byte;
      emit(reused, byte);
    });
    const { pairs } = await runMapper(reusing, [1, 2]);
    expect(pairs).toEqual([
      [Uint8Array.of(1), 1],
      [Uint8Array.of(2), 2],
    ]);
    const bad = mapper("testing.bad", (_: string, emit: Emit<number, number>) => emit(Number.NaN, 1));
    await expect(runMapper(bad, [""])).rejects.toMatchObject({ code: "KEY_INVALID" });
  });

  test("an emit after the end is an error", async () => {
    let late: Emit<string, number> | undefined;
    const leaking = mapper("testing.leaking", (_line: string, emit: Emit<string, number>) => {
      late = emit;
    });
    await runMapper(leaking, [""]);
    expect(() => late?.("k", 1)).toThrow(/after the end of m0/);
  });
});

describe("runReducer", () => {
  test("gives each group to the reducer, in the order given, its values to be read once", async () => {
    const twice = reducer(
      "testing.twice",
      (key: string, values: Iterable<number>, emit: Emit<string, number[][]>) =>
        emit(key, [[...values], [...values]]),
    );
    const { pairs } = await runReducer(twice, [
      ["b", [1, 2]],
      ["a", [3]],
    ]);
    expect(pairs).toEqual([
      ["b", [[1, 2], []]],
      ["a", [[3], []]],
    ]);
  });

  test("runs what is built in", async () => {
    const ofStrings = sum as Reducer<string, number, string, number>;
    expect((await runReducer(ofStrings, [["k", [1, 2, 3]]])).pairs).toEqual([["k", 6]]);
  });

  test("refuses a handle of another kind", async () => {
    await expect(runReducer(words as unknown as typeof sum, [])).rejects.toThrow(/registered as mapper/);
  });
});
