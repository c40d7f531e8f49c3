// Owns what Ctrl-C does: the first cancels and lets the job clean up, the second ends at once.

import { constants } from "node:os";
import { MapReduceError } from "../shared/job/errors.ts";

const signals = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/** Cancellation by signals of the process. */
export interface Interrupt extends Disposable {
  /** Aborts at the first signal, with JOB_CANCELLED. */
  readonly signal: AbortSignal;
  /** The exit status once a signal came: 130 after Ctrl-C. */
  readonly status: number | undefined;
}

/**
 * Listens until disposed.
 * @param first tells the user, with a line of text, what the first signal does
 * @param second restores the terminal before the second one ends the process
 */
export function onInterrupt(first: (text: string) => void, second: () => void): Interrupt {
  const abort = new AbortController();
  let status: number | undefined;
  const receive = (signal: NodeJS.Signals): void => {
    if (status !== undefined) {
      second();
      // oxlint-disable-next-line unicorn/no-process-exit -- asked for twice: nothing is waited for
      process.exit(status);
    }
    status = 128 + constants.signals[signal];
    first("cancelling; once more ends at once");
    abort.abort(new MapReduceError("JOB_CANCELLED", `cancelled by ${signal}`));
  };
  for (const signal of signals) process.on(signal, receive);
  return {
    signal: abort.signal,
    get status() {
      return status;
    },
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, receive);
    },
  };
}
