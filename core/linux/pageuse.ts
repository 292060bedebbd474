// SPDX-License-Identifier: GPL-2.0-or-later
// What a frame is used for, by the marks that the kernel leaves in its `struct page`.

import { TEXT_MAP } from '../space/kva.ts'
import { layout, pointer } from '../types/layout.ts'
import { type Host } from './host.ts'
import { type Paths } from './path.ts'

/**
 * What a frame is used for. `zero` is the shared page of zeros. `free`, `slab`, `table`, `offline`, `reserved` and
 * `kernel` are no user memory.
 */
export type PageUse =
  | 'anon'
  | 'file'
  | 'shmem'
  | 'ksm'
  | 'hugetlb'
  | 'zero'
  | 'free'
  | 'slab'
  | 'table'
  | 'offline'
  | 'reserved'
  | 'kernel'

/** The members of a head page that decide. */
interface HeadPage {
  readonly mapping: bigint
  readonly refcount: number
  readonly mapcount: number
  readonly pageType: number | undefined
}

// enum pagetype of include/linux/page-flags.h: since 6.11 the top byte of page_type says it.
const pageTypes: Readonly<Record<string, PageUse>> = {
  PGTY_buddy: 'free',
  PGTY_offline: 'offline',
  PGTY_table: 'table',
  PGTY_hugetlb: 'hugetlb',
  PGTY_slab: 'slab',
  PGTY_zsmalloc: 'kernel',
  PGTY_guard: 'kernel',
  PGTY_unaccepted: 'free',
  PGTY_large_kmalloc: 'kernel',
}

/** What a page type of `enum pagetype` says; undefined for one that is not known. */
export function frameUseOfType(name: string): PageUse | undefined {
  return pageTypes[name]
}

/** Decides what the frames of one host are used for. */
export class PageUses {
  readonly #host: Host
  readonly #paths: Paths
  readonly #mapping
  readonly #inode
  readonly #zeroFrames: ReadonlySet<number>
  /** The first of the 512 frames of the huge zero page, or -1. */
  readonly #hugeZero: number

  constructor(host: Host, paths: Paths) {
    this.#host = host
    this.#paths = paths
    this.#mapping = layout(host.types, 'address_space', { inode: pointer('host') })
    this.#inode = layout(host.types, 'inode', { superBlock: pointer('i_sb') })
    this.#zeroFrames = new Set(zeroFrames(host))
    const huge = host.symbols.address('huge_zero_pfn')
    // All ones while there is no huge zero page.
    const first = huge === undefined ? -1n : BigInt.asIntN(64, host.space.u64(huge))
    this.#hugeZero = first >= 0n ? Number(first) : -1
  }

  /** Decides from the head of a folio, its flag names and, where that costs a read, `isHugetlb`. */
  of(pfn: number, head: HeadPage, flags: readonly string[], isHugetlb: () => boolean): PageUse {
    if (this.isZero(pfn)) return 'zero'
    const typed = byPageType(this.#host, head)
    if (typed !== undefined) return typed
    if (flags.includes('slab')) return 'slab'
    if (isHugetlb()) return 'hugetlb'
    // PAGE_MAPPING_ANON is bit 0; with bit 1 beside it the page is one of KSM. Bit 1 alone: a movable kernel page.
    if ((head.mapping & 3n) === 3n) return 'ksm'
    if ((head.mapping & 3n) === 1n) return 'anon'
    if (head.mapping !== 0n && (head.mapping & 3n) === 0n) return this.ofFile(head.mapping)
    if (flags.includes('reserved')) return 'reserved'
    return head.refcount === 0 ? 'free' : 'kernel'
  }

  /** Decides from a mapping that is one of a file. */
  ofFile(mapping: bigint): PageUse {
    const { space } = this.#host
    const { inode } = this.#mapping.at(space, mapping)
    // The swap cache's own address spaces have no inode.
    if (inode === 0n) return 'anon'
    const fileSystem = this.#paths.fileSystemOf(this.#inode.at(space, inode).superBlock)
    if (fileSystem === 'hugetlbfs') return 'hugetlb'
    return fileSystem === 'tmpfs' || fileSystem === 'devtmpfs' ? 'shmem' : 'file'
  }

  /** Whether a frame is one of zeros that all processes share. */
  isZero(pfn: number): boolean {
    const isHuge = this.#hugeZero >= 0 && pfn >= this.#hugeZero && pfn < this.#hugeZero + 512
    return isHuge || this.#zeroFrames.has(pfn)
  }
}

function byPageType(host: Host, head: HeadPage): PageUse | undefined {
  const types = host.types.enumerators('pagetype')
  const value = head.pageType ?? head.mapcount >>> 0
  if (types?.has('PGTY_buddy') === true) {
    for (const [name, use] of Object.entries(pageTypes)) {
      if (types.get(name) === value >>> 24) return use
    }
    return undefined
  }
  // Before, a free page had a value of its own in _mapcount, which VMCOREINFO tells for makedumpfile.
  const buddy = host.vmcoreinfo.number('PAGE_BUDDY_MAPCOUNT_VALUE')
  return buddy !== undefined && Number(buddy) === (value | 0) ? 'free' : undefined
}

/** The 4 KiB frames of zeros: in the kernel's image, and since 7.x wherever zero_page_pfn says. */
function zeroFrames(host: Host): number[] {
  const frames: number[] = []
  const page = host.symbols.address('empty_zero_page')
  if (page !== undefined) frames.push(Number((page - TEXT_MAP + host.bases.physBase.value) >> 12n))
  const variable = host.symbols.address('zero_page_pfn')
  if (variable !== undefined) frames.push(Number(host.space.u64(variable)))
  return frames
}
