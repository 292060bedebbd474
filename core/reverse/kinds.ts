// SPDX-License-Identifier: GPL-2.0-or-later
// What a frame that nobody has mapped is to the kernel, and the codes of all kinds.

import { DumpError } from '../errors.ts'
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

/** Frames in a block of kinds that are known. */
const BLOCK = 4096
const NOT_LOOKED = 0xff
/** A struct page has 64 bytes as a rule: so many lie in a page of memory. */
const NEAR = 64
const NOT_RAM = kindCode('not-ram')

/** What tells many kinds at once; undefined for those that need a closer look. */
interface Quick {
  code(pfn: number): number | undefined
}

/** The kinds of frames that nobody has mapped, each looked up once. */
export class KernelKinds {
  readonly #back: KindSources
  readonly #blocks = new Map<number, Uint8Array>()
  readonly #quick: Quick

  constructor(back: KindSources, quick: Quick) {
    this.#back = back
    this.#quick = quick
  }

  /** The code of what a frame is; `unknown` when the dump lacks its `struct page`, or has it damaged. */
  code(pfn: number): number {
    const known = this.#known(pfn)
    if (known !== NOT_LOOKED) return known
    // Its neighbours' struct pages lie in the same page of memory, which is read once for all of them.
    const first = pfn - (pfn % NEAR)
    for (let near = first; near < first + NEAR; near++) {
      if (this.#known(near) !== NOT_LOOKED) continue
      const code = isRam(this.#back, near) ? this.#quick.code(near) : NOT_RAM
      if (code !== undefined) this.#keep(near, code)
    }
    const found = this.#known(pfn)
    return found === NOT_LOOKED ? this.#keep(pfn, kindCode(this.#look(pfn))) : found
  }

  #known(pfn: number): number {
    return this.#blocks.get(Math.floor(pfn / BLOCK))?.[pfn % BLOCK] ?? NOT_LOOKED
  }

  #keep(pfn: number, code: number): number {
    const number = Math.floor(pfn / BLOCK)
    let block = this.#blocks.get(number)
    if (block === undefined) {
      block = new Uint8Array(BLOCK).fill(NOT_LOOKED)
      this.#blocks.set(number, block)
    }
    block[pfn % BLOCK] = code
    return code
  }

  #look(pfn: number): OwnerKind {
    try {
      const page = isRam(this.#back, pfn) ? this.#back.linux.pages.at(pfn) : null
      return kernelKind(this.#back, pfn, page)
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
      return 'unknown'
    }
  }
}
