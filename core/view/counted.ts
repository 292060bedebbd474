// SPDX-License-Identifier: GPL-2.0-or-later
// The slot map of a virtual machine, with its pages counted.

import { DumpError } from '../errors.ts'
import { type Memslot } from '../kvm/memslots/memslot.ts'
import { Vm } from '../kvm/vm.ts'
import { type SlotMap, type SlotMapInput } from './chart.ts'
import { guestMemory } from './memslots.ts'
import { slotMapOf } from './slotmap.ts'

/**
 * Beside a translation a map is made without a word only where that is quick: for 64 GiB of small pages 32,768 tables are
 * read, a second or two.
 */
const QUICK = 64 * 2 ** 30

// The memory of a dump does not change, so a virtual machine is counted once.
const counts = new WeakMap<Vm, SlotMapInput['slots']>()

/**
 * The slot map with its marks; none for a virtual machine without memory. With `always`, pages are counted however long
 * that takes (with a progress bar), else only where it is quick or was done before.
 */
export function slotMapsOf(
  vm: { readonly memslots: readonly Memslot[] },
  marked: SlotMapInput['marked'],
  always = false,
): SlotMap[] {
  const slots = slotsOf(vm, always)
  return slots.some(({ slot }) => slot.addressSpace === 0) ? [slotMapOf({ slots, marked })] : []
}

function slotsOf(
  vm: { readonly memslots: readonly Memslot[] },
  always: boolean,
): SlotMapInput['slots'] {
  const uncounted = vm.memslots.map((slot) => ({ slot, shares: null }))
  if (!(vm instanceof Vm)) return uncounted
  const known = counts.get(vm)
  if (known !== undefined) return known
  if (!always && guestMemory(vm.memslots) > QUICK) return uncounted
  try {
    const { slots } = vm.coverage({ pages: false })
    counts.set(vm, slots)
    return slots
  } catch (error) {
    // Damage on the way to the page tables: the slots are still there.
    if (!(error instanceof DumpError)) throw error
    return uncounted
  }
}
