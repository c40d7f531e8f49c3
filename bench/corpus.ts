// Owns the text that is measured on when no corpus is given: words whose frequencies follow Zipf's law, the same bytes
// for the same size and seed on every machine. ASCII, pronounceable, about seven bytes a word.

import { closeSync, openSync, renameSync, writeSync } from "node:fs";

const blockBytes = 1 << 20;
/** 80 syllables of two letters: a word is its rank written in them, so frequent words are short and all differ. */
const syllables = Buffer.from(
  "bcdfghjklmnprstv".replace(/./g, (consonant) => "aeiou".replace(/./g, (vowel) => consonant + vowel)),
);
const base = syllables.length / 2;
/** About as many distinct words in 300 MB as source code of that size has. */
const vocabulary = 4_000_000;

/**
 * Writes `bytes` bytes of lines of 4 to 19 words; the last line ends with a newline.
 * Ranks are drawn by inverting the density 1/x on 1..vocabulary: Zipf's law with exponent 1.
 */
export function writeCorpus(path: string, bytes: number, seed: number): void {
  const random = sfc32(seed);
  const logVocabulary = Math.log(vocabulary);
  const block = Buffer.allocUnsafe(blockBytes);
  const longestLine = 19 * 9;
  const fd = openSync(`${path}.part`, "w");
  for (let written = 0; written < bytes;) {
    let at = 0;
    while (at < blockBytes - longestLine) {
      for (let words = 4 + (random() & 15); words > 0; words--) {
        let rank = Math.floor(Math.exp((random() / 2 ** 32) * logVocabulary)) - 1;
        do {
          const syllable = (rank % base) * 2;
          block[at++] = syllables[syllable]!;
          block[at++] = syllables[syllable + 1]!;
          rank = Math.floor(rank / base);
        } while (rank > 0);
        block[at++] = 32;
      }
      block[at - 1] = 10;
    }
    const take = Math.min(at, bytes - written);
    if (take < at) block[take - 1] = 10;
    writeSync(fd, block, 0, take);
    written += take;
  }
  closeSync(fd);
  renameSync(`${path}.part`, path);
}

/** Chris Doty-Humphrey's small fast counting generator (PractRand), 32-bit: uniform integers of 0..2^32-1. */
export function sfc32(seed: number): () => number {
  let a = seed >>> 0;
  let b = 0x9e3779b9;
  let c = 0x243f6a88;
  let counter = 1;
  const next = (): number => {
    const result = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + result) | 0;
    return result >>> 0;
  };
  for (let i = 0; i < 16; i++) next();
  return next;
}
