// Owns keeping what was thrown until it can be thrown again.

/** The error itself; what is none becomes the cause of one. */
export function asError(thrown: unknown): Error {
  return thrown instanceof Error ? thrown : new Error(String(thrown), { cause: thrown });
}
