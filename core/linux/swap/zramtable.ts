// SPDX-License-Identifier: GPL-2.0-or-later
// How long an entry of zram's table is, in kernels whose zram does not describe itself.

import { PAGE_SIZE } from '../../dump/format.ts'
import { UnsupportedError } from '../../errors.ts'
import { type Space } from '../../space/space.ts'

/** Without and with ac_time (CONFIG_ZRAM_MEMORY_TRACKING). */
const SIZES = [16, 24] as const
/** So many entries are looked at: with the wrong size one in three of them is another member. */
const SAMPLE = 3072
/** Fewer used entries than that prove nothing. */
const LEAST_USED = 8

/**
 * The size of an entry, for which every entry makes sense: flags with no bit above the known ones, a size within a
 * page, and a handle where there is a size. Throws UnsupportedError when none fits, or both do.
 */
export function entrySize(space: Space, table: bigint, shift: number, flagCount: number): number {
  const fitting = SIZES.filter((size) => fits(space, table, size, shift, flagCount))
  const [size, another] = fitting
  if (size !== undefined && another === undefined) return size
  const found = size === undefined ? 'no known size fits' : 'too few pages are in use to tell'
  throw new UnsupportedError(
    `the module zram has no BTF in this dump, and how long an entry of its table is cannot be told: ${found}`,
    'zram without BTF',
  )
}

function fits(
  space: Space,
  table: bigint,
  size: number,
  shift: number,
  flagCount: number,
): boolean {
  const end = 2n ** BigInt(shift + flagCount)
  let used = 0
  for (let i = 0; i < SAMPLE; i++) {
    const handle = space.u64(table + BigInt(i * size))
    const flags = space.u64(table + BigInt(i * size + 8))
    const length = Number(BigInt.asUintN(shift, flags))
    if (flags >= end || length > PAGE_SIZE) return false
    // A handle is an address of the kernel; same-filled pages have any word there, and no length.
    if (length > 0 && handle < 0xff00000000000000n) return false
    if (length > 0) used++
  }
  return used >= LEAST_USED
}
