// SPDX-License-Identifier: GPL-2.0-or-later
// Rows counted by state, slot and page size: one pass over the small columns.

import { UsageError } from '../errors.ts'
import { type RowState, stateNames } from './states.ts'

/** What rows can be grouped by. */
export type GroupKey = 'state' | 'slot' | 'pageSize'

/** Rows that are alike. A member is there when the rows were grouped by it. */
export interface Group {
  readonly state?: RowState
  /** The slot's number; null is no slot. */
  readonly slot?: number | null
  /** In bytes; null is nothing mapped. */
  readonly pageSize?: number | null
  /** How many rows. */
  readonly count: number
}

interface SmallColumns {
  readonly state: Uint8Array
  readonly slot: Int16Array
  readonly pageShift: Uint8Array
}

const groupKeys: readonly GroupKey[] = ['state', 'slot', 'pageSize']

/** Groups with their counts, most rows first. */
export function groupRows(
  { state, slot, pageShift }: SmallColumns,
  keys: readonly GroupKey[],
): Group[] {
  const wrong = keys.find((key) => !groupKeys.includes(key))
  if (wrong !== undefined || keys.length === 0) {
    throw new UsageError(
      `groupBy(...keys) takes ${groupKeys.map((key) => `'${key}'`).join(', ')}; not ${wrong === undefined ? 'nothing' : `'${wrong}'`}`,
    )
  }
  // Bits 0 to 15 the slot, 16 to 20 the page shift, 21 to 24 the state: what is not asked for counts as 0.
  const slotMask = keys.includes('slot') ? 0xffff : 0
  const shiftMask = keys.includes('pageSize') ? 0x1f : 0
  const stateMask = keys.includes('state') ? 0xf : 0
  const counts = new Map<number, number>()
  // Neighbours are mostly alike: only the end of a run goes into the map.
  let last = -1
  let run = 0
  for (let i = 0; i < state.length; i++) {
    const key =
      ((slot[i] ?? 0) & slotMask) |
      (((pageShift[i] ?? 0) & shiftMask) << 16) |
      (((state[i] ?? 0) & stateMask) << 21)
    if (key !== last) {
      if (run > 0) counts.set(last, (counts.get(last) ?? 0) + run)
      last = key
      run = 0
    }
    run++
  }
  if (run > 0) counts.set(last, (counts.get(last) ?? 0) + run)
  const groups: Group[] = []
  for (const [key, count] of counts) {
    const number = ((key & 0xffff) << 16) >> 16
    const shift = (key >>> 16) & 0x1f
    groups.push({
      ...(stateMask === 0 ? {} : { state: stateNames[key >>> 21] ?? 'invalid' }),
      ...(slotMask === 0 ? {} : { slot: number < 0 ? null : number }),
      ...(shiftMask === 0 ? {} : { pageSize: shift === 0 ? null : 2 ** shift }),
      count,
    })
  }
  return groups.sort((a, b) => b.count - a.count)
}
