// Owns the context that user code gets under test: what a specification would name is given by the test.

import type { Json } from "../shared/job/document.ts";
import { reservedPrefix } from "../shared/job/counters.ts";
import type { Source } from "../shared/job/errors.ts";
import { decodeKey, encodeKey } from "../shared/keys/codec.ts";
import type { Counter, Emit, Key, Log, MapContext } from "../shared/registry/functions.ts";
import { decodeValue, encodeValue } from "../shared/values/codec.ts";

/** What the code under test may ask its context for. */
export interface TestOptions {
  readonly params?: { readonly [name: string]: Json };
  /** Local paths by name. */
  readonly files?: { readonly [name: string]: string };
  readonly secrets?: { readonly [name: string]: string };
}

export type Pair = readonly [unknown, unknown];

/** A context for one run of one function, and what was emitted and counted in it. */
export class TestContext implements MapContext {
  readonly jobId = "00000000-0000-7000-8000-000000000000";
  readonly taskId: string;
  readonly attempt = 1;
  readonly params: { readonly [name: string]: Json };
  readonly signal: AbortSignal = new AbortController().signal;
  /** Nobody reads it: a test looks at what is emitted. */
  readonly log: Log = { debug() {}, info() {}, warn() {}, error() {} };
  readonly pairs: Pair[] = [];
  readonly outputs: Record<string, Pair[]> = {};
  readonly counters: Record<string, number> = {};
  source: Source;
  readonly #options: TestOptions;
  #ended = false;

  constructor(taskId: string, source: Source, options: TestOptions) {
    this.taskId = taskId;
    this.source = source;
    this.params = options.params ?? {};
    this.#options = options;
  }

  /** Emits into `pairs`. */
  readonly emit: Emit<unknown, unknown> = (key, value) => this.#add(this.pairs, key, value);

  counter(name: string): Counter {
    if (name.startsWith(reservedPrefix)) {
      throw new TypeError(`counter "${name}": names that start with "${reservedPrefix}" are reserved`);
    }
    this.counters[name] ??= 0;
    return { add: (n) => (this.counters[name] += n) };
  }

  output(name: string): Emit<Key, unknown> {
    const pairs = (this.outputs[name] ??= []);
    return (key, value) => this.#add(pairs, key, value);
  }

  /** @throws TypeError where the test gives none of this name */
  file(name: string): string {
    return this.#given("files", name);
  }

  /** @throws TypeError where the test gives none of this name */
  secret(name: string): string {
    return this.#given("secrets", name);
  }

  /** The execution is over: an emit from here on is an error. */
  end(): void {
    this.#ended = true;
  }

  /** Through the encodings, so that a test sees what a job would: copies, and refusals. */
  #add(pairs: Pair[], key: unknown, value: unknown): void {
    if (this.#ended) throw new Error(`emit after the end of ${this.taskId}: its execution is over`);
    const [keyBytes, valueBytes] = [encodeKey(key as Key), encodeValue(value)];
    pairs.push([decodeKey(keyBytes, 0, keyBytes.length), decodeValue(valueBytes, 0, valueBytes.length)]);
  }

  #given(kind: "files" | "secrets", name: string): string {
    const given = this.#options[kind] ?? {};
    if (Object.hasOwn(given, name)) return given[name];
    throw new TypeError(`${kind.slice(0, -1)} "${name}": not among the test's ${kind}`);
  }
}
