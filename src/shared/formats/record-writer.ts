// Owns the promise that every output format keeps: records in, bytes into a buffer.

/**
 * Writes records in one format. Nothing is kept of a key or a value after the call.
 * Each method throws KEY_INVALID or VALUE_INVALID for what is no key or value, with its path.
 */
export interface RecordWriter {
  write(key: unknown, value: unknown): void;
  /** The same with a key that is encoded already (shared/keys/codec.ts), `keyLength` bytes from 0. */
  writeWithKey(key: Uint8Array, keyLength: number, value: unknown): void;
  /** The same with a value that is encoded too (shared/values/codec.ts). */
  writeEncoded(
    key: Uint8Array,
    keyLength: number,
    values: Uint8Array,
    valueStart: number,
    valueEnd: number,
  ): void;
}
