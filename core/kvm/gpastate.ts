// SPDX-License-Identifier: GPL-2.0-or-later
// What can become of a guest physical address, and what the kinds of swap entries come to.

import { type SwapEntry } from '../linux/swap/swapentry.ts'

/**
 * What became of a guest physical address.
 * - `mapped`: a host page is behind it
 * - `swapped`: it is on a swap device, perhaps still in the swap cache too
 * - `migrating`: the host was moving the page; hpa is its old place
 * - `poisoned`: a memory error took its frame away; hpa is that frame
 * - `marker`: no page, but the kernel left a note (userfaultfd write protection, guard, poison)
 * - `device-private`: the page is in a device's memory
 * - `unmapped`: nothing was ever put here, or it was given back
 * - `no-slot`: the guest has no memory at this address
 * - `not-in-dump`: a page that is needed to answer is not in the dump
 */
export type TranslationState =
  | 'mapped'
  | 'swapped'
  | 'migrating'
  | 'poisoned'
  | 'marker'
  | 'device-private'
  | 'unmapped'
  | 'no-slot'
  | 'not-in-dump'

/** What an address is whose page-table entry is a swap entry of this kind; a marker can mean poison, too. */
export const swapStates: Readonly<Record<SwapEntry['kind'], TranslationState>> = Object.freeze({
  swap: 'swapped',
  migration: 'migrating',
  hwpoison: 'poisoned',
  'device-private': 'device-private',
  'device-exclusive': 'device-private',
  marker: 'marker',
  unknown: 'unmapped',
  nonlinear: 'unmapped',
  untold: 'not-in-dump',
})
