// SPDX-License-Identifier: GPL-2.0-or-later
// The regions that rows wait for: read from the page tables, with word to those that can unpack them side by side.

import { type Columns } from './columns.ts'
import { type Mapping } from './mapping.ts'
import { REGION } from './region.ts'
import { PENDING } from './states.ts'

/** So many regions are told of at a time, and those behind them while they are built: 1 GiB of a guest. */
const AHEAD = 512

/**
 * Builds the regions of all rows from `from` to below `to` that have the state PENDING. Regions of rows behind, to below
 * `end`, are unpacked meanwhile where that can be.
 */
export function buildPending(
  mapping: Mapping,
  { gpa, state }: Columns,
  from: number,
  to: number,
  end: number,
): void {
  const pending = regionsOf(gpa, from, to, Infinity, (i) => state[i] === PENDING)
  const isPending = (i: number) => mapping.isPending(gpa[2 * i] ?? 0, gpa[2 * i + 1] ?? 0)
  const next = regionsOf(gpa, to, end, AHEAD, isPending)
  const all = [...new Set([...pending, ...next])]
  mapping.ahead(all.slice(0, AHEAD))
  for (const [i, gfn] of pending.entries()) {
    if (i % AHEAD === 0) mapping.ahead(all.slice(i + AHEAD, i + 2 * AHEAD))
    mapping.build((gfn * 4096) >>> 0, Math.floor(gfn / 2 ** 20))
  }
}

/** The first pages of the regions of rows, each region once, and not more than `most`. */
function regionsOf(
  gpa: Uint32Array,
  from: number,
  to: number,
  most: number,
  isWanted: (row: number) => boolean,
): number[] {
  const regions = new Set<number>()
  let low = -1
  let high = -1
  for (let i = from; i < to && regions.size < most; i++) {
    const isSame = (gpa[2 * i] ?? 0) >>> 21 === low && gpa[2 * i + 1] === high
    if (isSame) continue
    low = (gpa[2 * i] ?? 0) >>> 21
    high = gpa[2 * i + 1] ?? 0
    if (isWanted(i)) regions.add((high * 2048 + low) * REGION)
  }
  return [...regions]
}
