// SPDX-License-Identifier: GPL-2.0-or-later
// What backs a guest's memory: the bytes of each memslot by state and page size.

import { PAGE_SIZE } from '../dump/format.ts'
import { type Memslot } from '../kvm/memslot.ts'
import { type Vm } from '../kvm/vm.ts'
import { type SwapEntry } from '../linux/swapentry.ts'
import { scan } from '../paging/scan.ts'
import { bytesPerEntry } from '../paging/x86_64.ts'
import { type TranslationState } from './translation.ts'

/** The bytes of a memslot in one state. */
export interface Share {
  readonly state: TranslationState
  /** The size of the mapping for `mapped`, else null. */
  readonly pageSize: number | null
  readonly bytes: number
}

/** A memslot and what its bytes come to. */
export interface SlotShares {
  readonly slot: Memslot
  readonly shares: readonly Share[]
}

const swapStates: Readonly<Record<SwapEntry['kind'], TranslationState>> = {
  swap: 'swapped',
  migration: 'migrating',
  hwpoison: 'poisoned',
  'device-private': 'device-private',
  'device-exclusive': 'device-private',
  marker: 'marker',
  unknown: 'unmapped',
}

/**
 * The shares of every memslot of address space 0, in the order of gpa. Reads each page table of the guest once: one
 * table for each 2 MiB that is mapped by small pages.
 */
export function coverage(vm: Vm): SlotShares[] {
  return vm.memslots
    .filter((slot) => slot.addressSpace === 0 && !slot.invalid)
    .map((slot) => ({ slot, shares: slotShares(vm, slot) }))
}

function slotShares(vm: Vm, slot: Memslot): Share[] {
  const { memory, rules, root } = vm.userSpace
  const { format } = vm.linux.swap
  const pages = new Map<
    string,
    { state: TranslationState; pageSize: number | null; count: number }
  >()
  const add = (state: TranslationState, pageSize: number | null, count: number) => {
    const key = `${state} ${pageSize ?? 0}`
    const known = pages.get(key)
    if (known === undefined) pages.set(key, { state, pageSize, count })
    else known.count += count
  }
  const first = Number(slot.hva >> 12n)
  scan(memory, rules, root, first, slot.npages, (_vpn, count, kind, level, _frame, _low, high) => {
    if (kind === 'page' || kind === 'prot-none') add('mapped', bytesPerEntry(level), count)
    else if (kind === 'swap') add(swapStates[format.kindOf(high)], null, count)
    else if (kind === 'missing') add('not-in-dump', null, count)
    else add('unmapped', null, count)
  })
  return [...pages.values()].map(({ state, pageSize, count }) => ({
    state,
    pageSize,
    bytes: count * PAGE_SIZE,
  }))
}
