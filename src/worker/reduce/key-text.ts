// Owns how a key is shown to a person: in results and in messages, never as data.

import type { Key } from "../../shared/registry/functions.ts";

/** Keys may be 1 MiB; this is enough to know one by. */
const maxLength = 200;

/** A string as it is, bytes in hexadecimal, everything else as JSON; cut where it is long. */
export function keyText(key: Key): string {
  const text = typeof key === "string" ? key : shown(key);
  return text.length <= maxLength ? text : `${text.slice(0, maxLength)}...`;
}

function shown(key: Key): string {
  if (key instanceof Uint8Array) return Buffer.from(key.subarray(0, maxLength)).toString("hex");
  if (typeof key === "string") return JSON.stringify(key);
  if (typeof key === "number") return String(key);
  return `[${key.map(shown).join(",")}]`;
}
