// Owns the bytes of an output on their way to its file: formats write straight into the buffer, which is handed on when
// it is full. It opens no file.

const bufferBytes = 1024 * 1024;

/** A buffer of 1 MiB; it grows for a larger piece, for as long as that one is there. */
export class OutputBuffer {
  bytes: Buffer = Buffer.allocUnsafeSlow(bufferBytes);
  /** Where the next byte goes. Formats move it after `reserve`. */
  used = 0;
  readonly #write: (bytes: Uint8Array) => void;

  /** @param write takes the bytes at once: they are written over afterwards */
  constructor(write: (bytes: Uint8Array) => void) {
    this.#write = write;
  }

  /** Makes room for `count` bytes from `used` on. May change `bytes` and `used`. */
  reserve(count: number): void {
    if (this.used + count <= this.bytes.length) return;
    this.flush();
    if (count > this.bytes.length) this.bytes = Buffer.allocUnsafeSlow(count);
    else if (this.bytes.length > bufferBytes && count <= bufferBytes) {
      this.bytes = Buffer.allocUnsafeSlow(bufferBytes);
    }
  }

  /** Hands on what is there. */
  flush(): void {
    if (this.used > 0) this.#write(this.bytes.subarray(0, this.used));
    this.used = 0;
  }
}
