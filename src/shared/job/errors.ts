// Owns the closed list of error codes: whose fault each is, and whether another attempt can help.
// Code branches on codes, never on message text. Wording: the operation and its subject, then what was
// found against what was expected; lower case, no full stop.

/** Who has to act: the author of the job, the owner of the input, whoever runs the machines, or we. */
export type Blame = "user" | "input" | "infrastructure" | "bug";

interface CodeFacts {
  readonly blame: Blame;
  /** Whether another attempt, elsewhere or later, may succeed. */
  readonly retry: "may help" | "cannot help";
}

export const errorCodes = {
  SPECIFICATION_INVALID: { blame: "user", retry: "cannot help" },
  JOB_FILE_INVALID: { blame: "user", retry: "cannot help" },
  NOT_YET_AVAILABLE: { blame: "user", retry: "cannot help" },
  INPUT_NOT_FOUND: { blame: "input", retry: "cannot help" },
  INPUT_UNREADABLE: { blame: "input", retry: "may help" },
  INPUT_CHANGED: { blame: "input", retry: "may help" },
  RECORD_INVALID: { blame: "input", retry: "may help" },
  OUTPUT_EXISTS: { blame: "user", retry: "cannot help" },
  OUTPUT_NOT_WRITABLE: { blame: "user", retry: "may help" },
  FUNCTION_UNKNOWN: { blame: "user", retry: "cannot help" },
  FUNCTION_REGISTERED_TWICE: { blame: "user", retry: "cannot help" },
  BUNDLE_INVALID: { blame: "infrastructure", retry: "may help" },
  USER_CODE_THREW: { blame: "user", retry: "may help" },
  USER_CODE_EXITED: { blame: "user", retry: "may help" },
  KEY_INVALID: { blame: "user", retry: "may help" },
  VALUE_INVALID: { blame: "user", retry: "may help" },
  PARTITION_INVALID: { blame: "user", retry: "may help" },
  OUT_OF_MEMORY: { blame: "user", retry: "may help" },
  TASK_TIMEOUT: { blame: "user", retry: "may help" },
  TOO_MANY_SKIPPED_RECORDS: { blame: "input", retry: "cannot help" },
  SEGMENT_UNAVAILABLE: { blame: "infrastructure", retry: "may help" },
  SEGMENT_CORRUPT: { blame: "infrastructure", retry: "may help" },
  SCRATCH_UNUSABLE: { blame: "infrastructure", retry: "may help" },
  STORAGE_FAILED: { blame: "infrastructure", retry: "may help" },
  BROKER_FAILED: { blame: "infrastructure", retry: "may help" },
  MESSAGE_INVALID: { blame: "infrastructure", retry: "cannot help" },
  MASTER_DEPOSED: { blame: "infrastructure", retry: "cannot help" },
  ATTEMPT_LOST: { blame: "infrastructure", retry: "may help" },
  JOB_CANCELLED: { blame: "user", retry: "cannot help" },
  INTERNAL: { blame: "bug", retry: "may help" },
} as const satisfies Record<string, CodeFacts>;

export type ErrorCode = keyof typeof errorCodes;

/** A record's place: the file's URL as the client resolved it, and bytes from its start. */
export interface Source {
  readonly url: string;
  readonly offset: number;
}

/** An error as plain data: how it travels in messages and stands in results. */
export interface Failure {
  readonly code: ErrorCode;
  readonly message: string;
  /** The user's own stack, where the error is the user's; source-mapped, without frames of ours. */
  readonly stack?: string;
  readonly source?: Source;
}

/** An error of the closed list. `facts` are the ids and numbers that the message also words. */
export class MapReduceError extends Error {
  override readonly name = "MapReduceError";
  readonly code: ErrorCode;
  readonly source: Source | undefined;
  /** The stack to show a user, where it is not this error's own. */
  readonly userStack: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { cause?: unknown; source?: Source; userStack?: string } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.source = options.source;
    this.userStack = options.userStack;
  }
}

/** Turns whatever was thrown into plain data; what is not of the list becomes INTERNAL with its own stack. */
export function toFailure(error: unknown): Failure {
  if (error instanceof MapReduceError) {
    return {
      code: error.code,
      message: error.message,
      ...(error.userStack === undefined ? {} : { stack: error.userStack }),
      ...(error.source === undefined ? {} : { source: error.source }),
    };
  }
  if (error instanceof Error) {
    return {
      code: "INTERNAL",
      message: error.message,
      ...(error.stack === undefined ? {} : { stack: error.stack }),
    };
  }
  return { code: "INTERNAL", message: String(error) };
}

/** The same failure as something to throw. */
export function fromFailure(failure: Failure): MapReduceError {
  return new MapReduceError(failure.code, failure.message, {
    ...(failure.source === undefined ? {} : { source: failure.source }),
    ...(failure.stack === undefined ? {} : { userStack: failure.stack }),
  });
}
