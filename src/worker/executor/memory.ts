// Owns how the memory of an executor is shared out: what Node takes before any user code runs, V8's heap, and the buffers
// of records outside of it. What is left over is for user Buffers and for what is being written or sorted.

/** Resident bytes of an executor that has loaded a small job and done nothing: about 55 MB. */
const nodeBytes = 64 * 2 ** 20;
/** User code's objects and strings. */
const heapShare = 0.5;
/** Emitted records before they are spilled; sorting and growing take up to as much again. */
const collectorShare = 0.25;
/** Places in an arena are 32-bit integers: whatever the memory, records are spilled long before those end. */
const maxCollectorBytes = 2 ** 30;
/** Blocks of merged segments. */
const mergeShare = 0.25;

/** Bytes that V8's heap may take. @param memory of the job document, at least 128 MiB; so for all here */
export function heapBytes(memory: number): number {
  return Math.floor((memory - nodeBytes) * heapShare);
}

/** The options of V8 that keep an executor within its memory. */
export function heapOptions(memory: number): string[] {
  // V8's default of 16 MiB, three of which may be in use beside the old space, is too much for a small executor.
  const semiSpaceBytes = Math.min(16 * 2 ** 20, memory / 32);
  return [
    `--max-old-space-size=${Math.floor(heapBytes(memory) / 2 ** 20)}`,
    `--max-semi-space-size=${Math.floor(semiSpaceBytes / 2 ** 20)}`,
  ];
}

/** Bytes of emitted records that a map holds before it spills them. */
export function collectorBytes(memory: number): number {
  return Math.min(Math.floor((memory - nodeBytes) * collectorShare), maxCollectorBytes);
}

/** Bytes of segments that a reduce has in memory while it merges. */
export function mergeBytes(memory: number): number {
  return Math.floor((memory - nodeBytes) * mergeShare);
}
