// SPDX-License-Identifier: GPL-2.0-or-later
// Lost memslots, and slots of the other address space that map the same memory.

import { type Memslot } from './memslot.ts'

/** A memslot whose own page is missing, and what is known of it all the same. */
export interface LostSlot {
  readonly address: bigint
  /** The numbers that it can have, lowest first. */
  readonly ids: () => readonly number[]
  /** It lies within these frames, and begins between these host virtual addresses. */
  readonly gfns: readonly [from: number, to: number]
  readonly hvas: readonly [from: bigint, to: bigint]
  /** Why it cannot be read. */
  readonly reason: string
}

/** Lost slots and what stands for them: as many slots as lost ones, or fewer. */
export interface Twins {
  readonly lost: readonly LostSlot[]
  readonly slots: readonly Memslot[]
}

/**
 * VMMs give KVM the same memory in both address spaces; only what system management mode sees differs. Gives for the
 * lost slots of one space the slots of the other that must be the same: they overlap none that could be read, and lie
 * where the lost ones do. Where it is not certain which stands for which, several are told together.
 */
export function twinsOf(
  lost: readonly LostSlot[],
  readable: readonly Memslot[],
  others: readonly Memslot[],
): Twins[] {
  const free = new Set(
    others.filter((slot) => !slot.invalid && !readable.some((one) => overlap(one, slot))),
  )
  const left = new Set(lost)
  const pairs: Twins[] = []
  // A slot that fits one lost slot only stands for that; then perhaps another has only one place left.
  for (let found = true; found;) {
    found = false
    for (const slot of free) {
      const [place, another] = [...left].filter((one) => fits(one, slot))
      if (place === undefined || another !== undefined) continue
      if ([...free].some((other) => other !== slot && fits(place, other) && isOnly(left, other))) {
        continue
      }
      pairs.push({ lost: [place], slots: [slot] })
      left.delete(place)
      free.delete(slot)
      found = true
    }
  }
  return [...pairs, ...groupsOf(left, free)]
}

/** True when a slot fits one lost slot and no other. */
function isOnly(left: ReadonlySet<LostSlot>, slot: Memslot): boolean {
  return [...left].filter((one) => fits(one, slot)).length === 1
}

/** What is left, taken together where one can stand for the other. */
function groupsOf(left: Set<LostSlot>, free: ReadonlySet<Memslot>): Twins[] {
  const groups: Twins[] = []
  for (const first of left) {
    const lost = new Set([first])
    const slots = new Set<Memslot>()
    for (const one of lost) {
      for (const slot of free) {
        if (slots.has(slot) || !fits(one, slot)) continue
        slots.add(slot)
        for (const other of left) if (fits(other, slot)) lost.add(other)
      }
    }
    for (const one of lost) left.delete(one)
    // One too many is one that only the other space has, and nobody can tell which.
    groups.push({ lost: [...lost], slots: slots.size > lost.size ? [] : [...slots] })
  }
  return groups
}

function fits({ gfns, hvas }: LostSlot, slot: Memslot): boolean {
  return (
    slot.baseGfn >= gfns[0] &&
    slot.baseGfn + slot.npages <= gfns[1] &&
    slot.hva >= hvas[0] &&
    slot.hva <= hvas[1]
  )
}

function overlap(a: Memslot, b: Memslot): boolean {
  return a.baseGfn < b.baseGfn + b.npages && b.baseGfn < a.baseGfn + a.npages
}
