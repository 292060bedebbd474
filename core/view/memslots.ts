// SPDX-License-Identifier: GPL-2.0-or-later
// The table of memslots.

import { formatSize, hex } from '../bytes/hex.ts'
import { type LostMemslot, type Memslot, slotName } from '../kvm/memslots/memslot.ts'
import { printable } from '../bytes/printable.ts'
import { type Block, type TableBlock, type View, type ViewOptions } from './block.ts'
import { count, has, left, right, rowsOf } from './table.ts'
import { textOf } from './text.ts'

/** True for a memslot. */
export function isMemslot(value: object): value is Memslot {
  return has(value, 'addressSpace', 'id', 'baseGfn', 'npages', 'hva', 'invalid')
}

/** Memslots on their own. */
export function memslotsView(slots: readonly Memslot[], options: ViewOptions = {}): View {
  const blocks = [memslotsTable(slots, options), ...salvageNotes(slots)]
  return { text: textOf(blocks), blocks, charts: [] }
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
    remark: [
      others === 0 ? 'address space 0' : `address space 0; ${others} of address space 1 (SMM)`,
      lostRemark(slots),
    ]
      .filter((text) => text !== null)
      .join('; '),
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
      slotName(slot),
      hex(slot.gpa),
      slot.npages === 0 ? null : hex(slot.gpa + slot.size - 1),
      formatSize(slot.size),
      hex(slot.hva),
      flagsOf(slot),
    ]),
  }
}

/** How many memslots of address space 0 are missing from a list, or null. */
export function lostRemark(slots: object): string | null {
  const lost = lostOf(slots).filter((slot) => slot.addressSpace === 0)
  if (lost.length === 0) return null
  const least = lost.some(({ addresses }) => addresses.length === 0) ? 'at least ' : ''
  return `${least}${lost.length} more of address space 0 cannot be read`
}

/** What a reader of a list of memslots should know: changes under way, what is missing, how others were found. */
export function salvageNotes(slots: readonly Memslot[]): Block[] {
  const lost = [0, 1].flatMap((addressSpace) => {
    const ofSpace = lostOf(slots).filter((slot) => slot.addressSpace === addressSpace)
    const [first] = ofSpace
    if (first === undefined) return []
    const which = [...new Set(ofSpace.map(lostName))].join(', ')
    return [`cannot be read: of address space ${addressSpace} ${which}: ${first.reason}`]
  })
  const found = new Map<string, string[]>()
  for (const slot of slots) {
    if (slot.salvaged === undefined) continue
    const names = found.get(slot.salvaged) ?? []
    names.push(slot.addressSpace === 0 ? slotName(slot) : `${slotName(slot)} (SMM)`)
    found.set(slot.salvaged, names)
  }
  const salvaged = [...found].map(([how, names]) => `salvaged: slot ${names.join(', ')}: ${how}`)
  return [...remarksOf(slots), ...lost, ...salvaged].map((text) => ({
    kind: 'note',
    text: printable(text, 1000),
  }))
}

function lostName({ id, addresses }: LostMemslot): string {
  const [at, another] = addresses
  if (at === undefined) return 'an unknown number of memslots'
  if (another !== undefined)
    return `others of those at ${addresses.map((one) => hex(one)).join(', ')}`
  return `memslot ${id === null ? '' : `${id} `}at ${hex(at)}`
}

function lostOf(slots: object): readonly LostMemslot[] {
  return has(slots, 'lost') ? (slots as { lost: readonly LostMemslot[] }).lost : []
}

function remarksOf(slots: object): readonly string[] {
  return has(slots, 'remarks') ? (slots as { remarks: readonly string[] }).remarks : []
}

function flagsOf(slot: Memslot): string | null {
  const flags = [
    ...slot.flags,
    ...(slot.internal === undefined ? [] : [`KVM's own: ${slot.internal}`]),
    ...(slot.aliasOf === undefined ? [] : [`alias of gpa ${hex(slot.aliasOf)}`]),
    ...(slot.invalid ? ['deleted or moved'] : []),
    ...(slot.salvaged === undefined ? [] : ['salvaged']),
  ]
  return flags.length === 0 ? null : flags.join('|')
}
