// SPDX-License-Identifier: GPL-2.0-or-later
// Columns of 64-bit numbers seen as halves: loops over them make no bigint.

/** The same memory as 32-bit words, the lower half of each number first (x86-64 and ARM64 are little-endian). */
export function wordsOf(column: BigUint64Array): Uint32Array {
  return new Uint32Array(column.buffer, column.byteOffset, 2 * column.length)
}
