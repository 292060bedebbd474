// SPDX-License-Identifier: GPL-2.0-or-later
// The table of memslots.

import { formatSize, hex } from '../bytes/hex.ts'
import { type Memslot } from '../kvm/memslot.ts'
import { type TableBlock, type View, type ViewOptions } from './block.ts'
import { count, has, left, right, rowsOf } from './table.ts'
import { textOf } from './text.ts'

/** True for a memslot. */
export function isMemslot(value: object): value is Memslot {
  return has(value, 'addressSpace', 'id', 'baseGfn', 'npages', 'hva', 'invalid')
}

/** Memslots on their own. */
export function memslotsView(slots: readonly Memslot[], options: ViewOptions = {}): View {
  const block = memslotsTable(slots, options)
  return { text: textOf([block]), blocks: [block], charts: [] }
}

/** The sum of the live slots of address space 0: the guest's memory. Other spaces show the same memory again. */
export function guestMemory(slots: readonly Memslot[]): number {
  const live = slots.filter((slot) => slot.addressSpace === 0 && !slot.invalid)
  return live.reduce((sum, slot) => sum + slot.size, 0)
}

/** Memslots by address space and gpa. */
export function memslotsTable(slots: readonly Memslot[], options: ViewOptions = {}): TableBlock {
  const sorted = slots.toSorted((a, b) => a.addressSpace - b.addressSpace || a.gpa - b.gpa)
  const others = sorted.filter((slot) => slot.addressSpace !== 0).length
  const caption = `${count(slots.length - others, 'memslot')}, ${formatSize(guestMemory(slots))}`
  const rule = { most: 14, head: 10, tail: 3, all: 'show(vm.memslots, { rows: Infinity })' }
  return {
    kind: 'table',
    caption: slots.length === others ? count(others, 'memslot') : caption,
    remark:
      others === 0 ? 'address space 0' : `address space 0; ${others} of address space 1 (SMM)`,
    columns: [
      ...(others === 0 ? [] : [right('space')]),
      right('slot'),
      right('first gpa'),
      right('last gpa'),
      right('size'),
      right('hva'),
      left('flags'),
    ],
    ...rowsOf(sorted, rule, options, (slot) => [
      ...(others === 0 ? [] : [slot.addressSpace.toString()]),
      slot.id.toString(),
      hex(slot.gpa),
      slot.npages === 0 ? null : hex(slot.gpa + slot.size - 1),
      formatSize(slot.size),
      hex(slot.hva),
      flagsOf(slot),
    ]),
  }
}

function flagsOf(slot: Memslot): string | null {
  const flags = slot.invalid ? [...slot.flags, 'deleted or moved'] : slot.flags
  return flags.length === 0 ? null : flags.join('|')
}
