// SPDX-License-Identifier: GPL-2.0-or-later
// Pages with a content of their own, to be told apart in tests.

import { PAGE_SIZE } from '../../core/dump/format.ts'

/**
 * A page for each frame: 1000 bytes that depend on the frame, then equal ones, so that every codec makes it smaller;
 * pages of `zero` frames are zeros.
 */
export function patterned(
  pfns: readonly number[],
  zero: readonly number[] = [],
): Map<number, Uint8Array> {
  return new Map(
    pfns.map((pfn) => {
      const byte = (_: unknown, i: number) =>
        i < 1000 ? (pfn * 31 + i * 7 + (i >> 5)) & 0xff : (pfn & 0x7f) + 1
      return [
        pfn,
        zero.includes(pfn)
          ? new Uint8Array(PAGE_SIZE)
          : Uint8Array.from({ length: PAGE_SIZE }, byte),
      ]
    }),
  )
}
