// SPDX-License-Identifier: GPL-2.0-or-later
// What backs a guest's memory: the bytes of each memslot by state and page size.

import { PAGE_SIZE } from '../dump/format.ts'
import { FaultError, ifThere } from '../errors.ts'
import { type LostMemslot, type Memslot } from '../kvm/memslots/memslot.ts'
import { type Vm } from '../kvm/vm.ts'
import { type SwapEntry } from '../linux/swap/swapentry.ts'
import { scan } from '../paging/scan.ts'
import { bytesPerEntry, type Level } from '../paging/x86_64.ts'
import { withProgress } from '../progress.ts'
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
  nonlinear: 'unmapped',
}

/** The memslots of a guest and what backs them. */
export interface Coverage extends ReadonlyArray<SlotShares> {
  /** Memslots of address space 0 that the dump lacks: nobody knows what backs them. Empty for a whole dump. */
  readonly lost: readonly LostMemslot[]
}

/**
 * The shares of every memslot of address space 0, in the order of gpa. Reads each page table of the guest once: one
 * table for each 2 MiB that is mapped by small pages.
 */
export function coverage(vm: Vm): Coverage {
  const { memslots } = vm
  const slots = memslots.filter((slot) => slot.addressSpace === 0 && !slot.invalid)
  const total = slots.reduce((sum, { npages }) => sum + npages, 0)
  const label = `counting ${vm.name ?? 'the guest'}`
  const shares = withProgress({ label, unit: 'pages', total }, (advance) =>
    slots.map((slot) => ({ slot, shares: slotShares(vm, slot, advance) })),
  )
  const lost = memslots.lost.filter((slot) => slot.addressSpace === 0)
  // Not enumerable: the list is an array like any other.
  return Object.defineProperty(shares, 'lost', { value: lost }) as unknown as Coverage
}

/** So many pages are counted between two words of progress: a few milliseconds. */
const PAGES_A_STEP = 1 << 16

function slotShares(vm: Vm, slot: Memslot, advance: (count: number) => void): Share[] {
  const { memory, rules, root } = vm.userSpace
  const { format } = vm.linux.swap
  // Pages by state, and mapped ones by the level of their entry: nothing is made for a page.
  const byState = new Map<TranslationState, number>()
  const mapped = [0, 0, 0, 0]
  const add = (state: TranslationState, count: number) => {
    byState.set(state, (byState.get(state) ?? 0) + count)
  }
  /** Counts the private ones of some pages, and gives how many are left. */
  const addPrivate = (vpn: number, count: number): number => {
    let shared = count
    for (let page = 0; page < count; page++) {
      const own = ifThere(() => vm.privatePage(slot.gpa + (vpn - first + page) * PAGE_SIZE))
      if (own === null) continue
      shared--
      if (own instanceof FaultError) add('not-in-dump', 1)
      else if (own.hpa === null) add('unmapped', 1)
      else mapped[1] = (mapped[1] ?? 0) + 1
    }
    return shared
  }
  const first = Number(slot.hva >> 12n)
  const isMixed = slot.flags.includes('GUEST_MEMFD')
  let untold = 0
  scan(memory, rules, root, first, slot.npages, (vpn, count, kind, level, _frame, low, high) => {
    // Of a confidential guest's pages the VMM's tables have the shared ones only.
    const shared = isMixed ? addPrivate(vpn, count) : count
    if (kind === 'page' || kind === 'prot-none') mapped[level] = (mapped[level] ?? 0) + shared
    else if (kind === 'swap') add(swapStates[format.kindOf(low, high)], shared)
    else if (kind === 'missing') add('not-in-dump', shared)
    else add('unmapped', shared)
    untold += count
    if (untold < PAGES_A_STEP) return
    advance(untold)
    untold = 0
  })
  advance(untold)
  const levels: readonly Level[] = [1, 2, 3]
  const shares: Share[] = levels.map((level) => ({
    state: 'mapped',
    pageSize: bytesPerEntry(level),
    bytes: (mapped[level] ?? 0) * PAGE_SIZE,
  }))
  for (const [state, count] of byState) {
    shares.push({ state, pageSize: null, bytes: count * PAGE_SIZE })
  }
  return shares.filter(({ bytes }) => bytes > 0)
}
