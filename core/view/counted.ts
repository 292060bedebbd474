// SPDX-License-Identifier: GPL-2.0-or-later
// The slot map of a virtual machine, with its pages counted where that is quick.

import { DumpError } from '../errors.ts'
import { type Memslot } from '../kvm/memslots/memslot.ts'
import { Vm } from '../kvm/vm.ts'
import { coverage } from '../translate/coverage.ts'
import { type SlotMap, type SlotMapInput } from './chart.ts'
import { guestMemory } from './memslots.ts'
import { slotMapOf } from './slotmap.ts'

/** Counting reads a page table for each 2 MiB of small pages: up to 8,192 tables, some tenths of a second. */
const COUNTED = 16 * 2 ** 30

// The memory of a dump does not change, so a virtual machine is counted once.
const counts = new WeakMap<Vm, SlotMapInput['slots']>()

/** The slot map with its marks; none for a virtual machine without memory. */
export function slotMapsOf(
  vm: { readonly memslots: readonly Memslot[] },
  marked: SlotMapInput['marked'],
): SlotMap[] {
  const slots = slotsOf(vm)
  return slots.some(({ slot }) => slot.addressSpace === 0) ? [slotMapOf({ slots, marked })] : []
}

function slotsOf(vm: { readonly memslots: readonly Memslot[] }): SlotMapInput['slots'] {
  const uncounted = vm.memslots.map((slot) => ({ slot, shares: null }))
  if (!(vm instanceof Vm) || guestMemory(vm.memslots) > COUNTED) return uncounted
  const known = counts.get(vm)
  if (known !== undefined) return known
  try {
    const counted = coverage(vm)
    counts.set(vm, counted)
    return counted
  } catch (error) {
    // The top page table is not in the dump: the slots are still there.
    if (!(error instanceof DumpError)) throw error
    return uncounted
  }
}
