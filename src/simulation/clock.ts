// Owns virtual time: what is to happen when, in a binary heap. Time passes only by going to the next thing to happen.

interface Due {
  readonly atMs: number;
  /** Of two at the same time, the one that was asked for first happens first. */
  readonly order: number;
  readonly act: () => void;
}

/** A clock that stands still until it is run. */
export class Clock {
  nowMs = 0;
  readonly #heap: Due[] = [];
  #order = 0;

  /** Lets something happen `ms` from now. */
  after(ms: number, act: () => void): void {
    const due = { atMs: this.nowMs + ms, order: this.#order++, act };
    const heap = this.#heap;
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent], due)) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = due;
  }

  /** Lets time pass until `isOver`, or until `untilMs`; false where it came to that, or nothing is left to happen. */
  run(untilMs: number, isOver: () => boolean): boolean {
    while (!isOver()) {
      const due = this.#heap[0];
      if (due === undefined || due.atMs > untilMs) return false;
      this.#removeFirst();
      this.nowMs = due.atMs;
      due.act();
    }
    return true;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1], heap[child])) child++;
      if (isBefore(last, heap[child])) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = last;
  }
}

function isBefore(a: Due, b: Due): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
