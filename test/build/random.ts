// SPDX-License-Identifier: GPL-2.0-or-later
// Numbers that look random and are the same in every run.

/** Gives numbers from 0 to below 1: Marsaglia's xorshift of 32 bits (Journal of Statistical Software 8/14, 2003). */
export function seededRandom(seed: number): () => number {
  let state = Math.imul(seed, 0x9e3779b1) | 1
  return () => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) / 2 ** 32
  }
}
