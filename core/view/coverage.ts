// SPDX-License-Identifier: GPL-2.0-or-later
// What backs each memslot, as bars with their numbers.

import { formatSize, hex } from '../bytes/hex.ts'
import { slotName } from '../kvm/memslots/memslot.ts'
import { type Share, type SlotShares } from '../translate/coverage.ts'
import { type Bar, type View, type ViewOptions } from './block.ts'
import { lostRemark } from './memslots.ts'
import { count, has, left, right, rowsOf } from './table.ts'
import { textOf } from './text.ts'
import { shareStates, toneOf } from './tone.ts'

/** True for one memslot of what `coverage` gives. */
export function isSlotShares(value: object): value is SlotShares {
  return has(value, 'slot', 'shares')
}

/** The memslots in the order given. */
export function coverageView(slots: readonly SlotShares[], options: ViewOptions = {}): View {
  const rule = { most: 20, head: 15, tail: 5, all: 'show(coverage(vm), { rows: Infinity })' }
  const bytes = slots.reduce((sum, { slot }) => sum + slot.size, 0)
  const block = {
    kind: 'table' as const,
    caption: `${count(slots.length, 'memslot')}, ${formatSize(bytes)}`,
    remark: lostRemark(slots),
    columns: [right('slot'), right('first gpa'), right('size'), left('bytes by state')],
    ...rowsOf(slots, rule, options, ({ slot, shares }) => [
      slot.salvaged === undefined ? slotName(slot) : `${slotName(slot)} (salvaged)`,
      hex(slot.gpa),
      formatSize(slot.size),
      barOf(shares, slot.size),
    ]),
  }
  return { text: textOf([block]), blocks: [block], charts: [] }
}

/** From good to bad, as in the legend of the slot map. */
function barOf(shares: readonly Share[], size: number): Bar | null {
  const pieces = shareStates.flatMap((tone) => {
    const bytes = shares
      .filter(({ state, pageSize }) => toneOf(state, pageSize) === tone)
      .reduce((sum, share) => sum + share.bytes, 0)
    return bytes === 0 ? [] : [{ tone, bytes }]
  })
  if (pieces.length === 0) return null
  return {
    bar: pieces.map(({ tone, bytes }) => ({ tone, share: bytes / size })),
    text: pieces.map(({ tone, bytes }) => `${tone} ${formatSize(bytes)}`).join(', '),
  }
}
