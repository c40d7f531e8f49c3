// Owns the hash that places a key in a partition. It is part of the contract, bit by bit, and never changes within a
// major version: FNV-1a, 32 bits (Fowler, Noll, Vo; draft-eastlake-fnv) over the encoded key, its tag included, then the
// finaliser of MurmurHash3 (fmix32, Appleby), since FNV alone mixes its high bits poorly. The partition is the high part
// of hash x reduceTasks / 2^32.

export const fnvOffset = 0x811c9dc5 | 0;
export const fnvPrime = 0x01000193;

/** The hash of an encoded key: a signed 32-bit integer, whose bits are what counts. */
export function hashKey(bytes: Uint8Array, start: number, end: number): number {
  let hash = fnvOffset;
  for (let i = start; i < end; i++) hash = Math.imul(hash ^ bytes[i], fnvPrime);
  return finishHash(hash);
}

/** fmix32: what follows once all bytes have gone in. */
export function finishHash(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}

/** The partition, 0 to reduceTasks - 1, of a key with this hash. */
export function partitionOf(hash: number, reduceTasks: number): number {
  return Math.floor(((hash >>> 0) * reduceTasks) / 4294967296);
}
