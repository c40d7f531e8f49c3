// Owns how often an effect is tried before it counts as failed. Effects may be performed twice: so may a try.

import { setTimeout as delay } from "node:timers/promises";

/** Eight tries over some 25 seconds: longer than a broker's restart, shorter than a person's patience. */
const tries = 8;
const firstWaitMs = 100;
const longestWaitMs = 8_000;

/**
 * Performs `act` until it succeeds, with growing waits between.
 * @throws the last error, or the signal's reason when it aborts
 */
export async function retried<T>(act: () => Promise<T>, signal: AbortSignal): Promise<T> {
  for (let turn = 1; ; turn++) {
    try {
      return await act();
    } catch (error) {
      if (turn === tries || signal.aborted) throw error;
      await delay(Math.min(longestWaitMs, firstWaitMs * 2 ** (turn - 1)), undefined, { signal });
    }
  }
}
