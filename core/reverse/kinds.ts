// SPDX-License-Identifier: GPL-2.0-or-later
// What a frame that nobody has mapped is to the kernel, and the codes of all kinds.

import { type Page } from '../linux/page.ts'
import { type OwnerKind } from './frame.ts'
import { type Linux } from '../linux/linux.ts'
import { type KernelPages } from './kernelpage.ts'

/** What kinds are told from. */
export interface KindSources {
  readonly linux: Linux
  readonly kernel: KernelPages
  /** All frames of the host are below this number. */
  readonly endPfn: number
}

/** What a row of many frames can be: a kind, or `invalid` for what is no physical address. */
export type RowKind = OwnerKind | 'invalid'

/** The kinds in the order of their codes: `ownerKinds[table.kind[i]]`. */
export const ownerKinds: readonly RowKind[] = Object.freeze([
  ...(['guest', 'process', 'swap-cache', 'zero', 'file', 'hugetlb', 'anon', 'free'] as const),
  ...(['slab', 'table', 'kernel', 'reserved', 'offline', 'not-ram', 'unknown', 'invalid'] as const),
])

/** The code of a kind. */
export function kindCode(kind: RowKind): number {
  return ownerKinds.indexOf(kind)
}

/** True when the host has memory at a frame, saved in the dump or not, as far as the dump tells. */
export function isRam(back: KindSources, pfn: number): boolean {
  return back.linux.host.memory.source.exists?.(pfn) ?? pfn < back.endPfn
}

/** True for the copy of a page that was swapped out: folio_test_swapcache of include/linux/page-flags.h. */
export function isSwapCached(page: Page): boolean {
  if (!page.flags.includes('swapbacked')) return false
  // A page that was read ahead belongs to nobody yet, so its flag goes by the name of its bit.
  const isAhead =
    page.mapping === 0n && page.use === 'kernel' && page.flags.includes('owner_priv_1')
  return isAhead || page.flags.includes('swapcache')
}

/** What a frame is that no page table names. `page` is null when it cannot be read. */
export function kernelKind(back: KindSources, pfn: number, page: Page | null): OwnerKind {
  if (!isRam(back, pfn)) return 'not-ram'
  if (page === null) return 'unknown'
  if (isSwapCached(page)) return 'swap-cache'
  switch (page.use) {
    case 'kernel':
      return back.kernel.isOldTable(page) ? 'table' : 'kernel'
    case 'ksm':
      return 'anon'
    case 'hugetlb':
      return page.mapping === 0n ? 'hugetlb' : 'file'
    case 'shmem':
      return 'file'
    case 'anon':
    case 'file':
    case 'free':
    case 'offline':
    case 'reserved':
    case 'slab':
    case 'table':
    case 'zero':
      return page.use
  }
}
