// SPDX-License-Identifier: GPL-2.0-or-later
// The slots of a map in order, and small ones taken together when there are more than a picture can hold.

import { type Memslot, slotName } from '../kvm/memslots/memslot.ts'
import { type SlotMapInput } from './chart.ts'
import { slotPurpose } from './region.ts'
import { shareStates, toneOf, type Tone } from './tone.ts'

/** One slot, or a run of small ones without a marked address among them. */
export interface SlotGroup {
  readonly name: string
  /** What one slot is for, where that is known. */
  readonly purpose: string | null
  /** How many slots it stands for. */
  readonly count: number
  /** The first gpa, and the one behind the last. */
  readonly gpa: number
  readonly end: number
  /** From `gpa` to `end`, holes between its slots included. */
  readonly size: number
  /** Without those holes. */
  readonly bytes: number
  /** Of its first byte; null for a run. */
  readonly hva: bigint | null
  /** The bytes by tone in the order of legends, none of them 0; null when a slot was not counted. */
  readonly shares: readonly { readonly tone: Tone; readonly bytes: number }[] | null
}

/** KVM allows 32,764 slots; a guest with hotplugged memory and passed-through devices has some dozens. */
const MOST = 96
/** With more, this many of the largest stand alone. The runs between them are one more at most. */
const ALONE = 47

/** The slots of address space 0 by gpa. */
export function slotGroups(
  slots: SlotMapInput['slots'],
  marked: SlotMapInput['marked'],
): SlotGroup[] {
  const drawn = slots
    .filter(({ slot }) => slot.addressSpace === 0 && !slot.invalid && slot.npages > 0)
    .toSorted((a, b) => a.slot.gpa - b.slot.gpa)
  if (drawn.length <= MOST) return drawn.map((one) => groupOf([one]))
  const bySize = drawn.toSorted((a, b) => b.slot.size - a.slot.size)
  const alone = new Set(bySize.slice(0, ALONE))
  for (const one of drawn) if (marked.some(({ gpa }) => holds(one.slot, gpa))) alone.add(one)
  const runs: (typeof drawn)[] = []
  let isRun = false
  for (const one of drawn) {
    if (isRun && !alone.has(one)) runs.at(-1)?.push(one)
    else runs.push([one])
    isRun = !alone.has(one)
  }
  return runs.map(groupOf)
}

function holds(slot: Memslot, gpa: number): boolean {
  return gpa >= slot.gpa && gpa < slot.gpa + slot.size
}

function groupOf(run: SlotMapInput['slots']): SlotGroup {
  const slots = run.map(({ slot }) => slot)
  const gpa = Math.min(...slots.map((slot) => slot.gpa))
  const end = Math.max(...slots.map((slot) => slot.gpa + slot.size))
  const first = slots[0]
  const isOne = slots.length === 1
  return {
    name: isOne && first !== undefined ? nameOf(first) : `${slots.length} slots`,
    purpose: isOne && first !== undefined ? purposeOf(first) : null,
    count: slots.length,
    gpa,
    end,
    size: end - gpa,
    bytes: slots.reduce((sum, slot) => sum + slot.size, 0),
    hva: isOne ? (first?.hva ?? null) : null,
    shares: sharesOf(run),
  }
}

function purposeOf({ gpa, size, flags }: Memslot): string | null {
  return slotPurpose(gpa, gpa + size, flags)
}

function nameOf(slot: Memslot): string {
  const words = [purposeOf(slot), slot.salvaged === undefined ? null : 'salvaged']
    .filter((word) => word !== null)
    .join(', ')
  return `slot ${slotName(slot)}${words === '' ? '' : ` (${words})`}`
}

function sharesOf(run: SlotMapInput['slots']): SlotGroup['shares'] {
  const sums = new Map<Tone, number>()
  for (const { shares } of run) {
    if (shares === null) return null
    for (const { state, pageSize, bytes } of shares) {
      const tone = toneOf(state, pageSize)
      sums.set(tone, (sums.get(tone) ?? 0) + bytes)
    }
  }
  return shareStates
    .map((tone) => ({ tone, bytes: sums.get(tone) ?? 0 }))
    .filter(({ bytes }) => bytes > 0)
}
