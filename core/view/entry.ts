// SPDX-License-Identifier: GPL-2.0-or-later
// One page-table entry, bit by bit.

import { hex } from '../bytes/hex.ts'
import { type WalkStep } from '../paging/walk.ts'
import { type Cell, type TableBlock } from './block.ts'
import { left, right } from './table.ts'

/**
 * The bits of x86-64 entries with the names that `entryFlags` gives them, the usual one first (Intel SDM volume 3,
 * table 5-20, and arch/x86/include/asm/pgtable_types.h). The first nine and NX are always shown.
 */
const bits: readonly (readonly [bit: number, ...names: string[]])[] = [
  [0, 'PRESENT'],
  [1, 'RW'],
  [2, 'USER'],
  [3, 'PWT'],
  [4, 'PCD'],
  [5, 'ACCESSED'],
  [6, 'DIRTY'],
  [7, 'PSE', 'PAT'],
  [8, 'GLOBAL', 'PROTNONE'],
  [9, 'SPECIAL', 'SOFT9'],
  [10, 'UFFD_WP', 'SOFT10'],
  [11, 'SOFT_DIRTY', 'SOFT11'],
  ...[52, 53, 54, 55, 56, 57].map((bit) => [bit, `SOFT${bit}`] as const),
  [58, 'SAVED_DIRTY', 'SOFT58'],
  [63, 'NX'],
]

/** In an entry that is not present, the same bits mean something else (pgtable_64.h): these three and two numbers. */
const swapBits: typeof bits = [
  [1, 'SWP_SOFT_DIRTY'],
  [2, 'SWP_UFFD_WP'],
  [3, 'SWP_EXCLUSIVE'],
]

/** The entry's bits with their names; for a swap entry its type and offset as well. */
export function entryBlock(step: WalkStep): TableBlock {
  const isSwap = step.kind === 'swap'
  const shown = (isSwap ? swapBits : bits).filter(
    ([bit]) => isSwap || bit <= 8 || bit === 63 || isSet(step.value, bit),
  )
  const rows = shown.map(([bit, usual, ...others]): Cell[] => {
    const set = isSet(step.value, bit)
    const name = [usual, ...others].find((other) => step.flags.includes(other ?? '')) ?? usual
    return [
      bit.toString(),
      hex(1n << BigInt(bit)),
      name ?? null,
      set ? '1' : { text: '0', look: 'dim' },
    ]
  })
  const pkey = step.flags.find((flag) => flag.startsWith('PKEY'))
  if (pkey !== undefined) rows.splice(-1, 0, ['62:59', hex(0xfn << 59n), 'PKEY', pkey.slice(4)])
  return {
    kind: 'table',
    caption: `${step.name} ${hex(step.value, 16)}`,
    remark: `at host physical ${hex(step.entryAt)}`,
    columns: [right('bit'), right('mask'), left('name'), right('set')],
    rows: isSwap ? [...rows, ...swapNumbers(step.value)] : rows,
    cut: null,
  }
}

/** Type in bits 59 to 63, offset inverted in bits 9 to 58 (arch/x86/include/asm/pgtable_64.h, since 4.19). */
function swapNumbers(value: bigint): Cell[][] {
  const offset = BigInt.asUintN(50, ~(value >> 9n))
  return [
    ['58:9', hex(((1n << 50n) - 1n) << 9n), 'offset, inverted', offset.toString()],
    ['63:59', hex(0x1fn << 59n), 'type', (value >> 59n).toString()],
  ]
}

function isSet(value: bigint, bit: number): boolean {
  return ((value >> BigInt(bit)) & 1n) === 1n
}
