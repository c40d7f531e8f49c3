// Owns what is to happen when on a virtual clock: a binary heap of acts. It knows nothing of what they do.

interface Entry {
  readonly atMs: number;
  /** Of two acts at one time, the one that was planned first happens first. */
  readonly order: number;
  readonly act: () => void;
}

/** Acts in the order of their times. */
export class Agenda {
  readonly #heap: Entry[] = [];
  #planned = 0;

  /** Plans an act. */
  at(atMs: number, act: () => void): void {
    const heap = this.#heap;
    const entry: Entry = { atMs, order: this.#planned++, act };
    let at = heap.length;
    heap.push(entry);
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (isBefore(heap[parent], entry)) break;
      heap[at] = heap[parent];
      at = parent;
    }
    heap[at] = entry;
  }

  /** Takes the act that is next, or gives undefined where nothing is planned. */
  next(): { readonly atMs: number; readonly act: () => void } | undefined {
    const heap = this.#heap;
    const first = heap[0];
    const last = heap.pop();
    if (last === undefined || heap.length === 0) return last;
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
    return first;
  }
}

function isBefore(a: Entry, b: Entry): boolean {
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
}
