// SPDX-License-Identifier: GPL-2.0-or-later
// Compound pages in bulk: what `Folios` tells of heads and tails, out of words, without a bigint for each.

import { PAGE_SIZE } from '../dump/format.ts'
import { layout, u64 } from '../types/layout.ts'
import { type Member } from '../types/type.ts'
import { type Host } from './host.ts'
import { type Memmap } from './memmap.ts'
import { type Pages } from './page.ts'

/** What `head` gives for a tail that leads to no `struct page`: damage. */
export const NO_HEAD = -1

/** The upper half of a mask. No `struct page` has it in its address. */
const MASK_HIGH = 0xffffffff

/** A number of up to 8 bytes in one of the pages behind the head. */
interface Place {
  readonly page: number
  readonly offset: number
  readonly bytes: number
}

/** Heads and tails of one host by the words of its `Memmap`, which is somewhere else after each call. */
export class FolioWords {
  readonly #memmap: Memmap
  readonly #endPfn: number
  readonly #flags: number
  readonly #info: number
  readonly #vmemmapLow: number
  readonly #vmemmapHigh: number
  readonly #isMask: boolean
  readonly #tailBit: number | undefined
  readonly #headBit: number
  /** The last page of a folio that has something of the whole in it. */
  readonly #lastPage: number
  /** The bit of the second page's flags that marks hugetlb. */
  readonly #hugetlbBit: bigint | undefined
  /** Where kernels before that keep what marks it, and the value. */
  readonly #destructor: Place | undefined
  readonly #hugetlbLow: number
  readonly #hugetlbHigh: number

  constructor(host: Host, pages: Pages, memmap: Memmap) {
    const { types, vmcoreinfo, symbols } = host
    this.#memmap = memmap
    this.#endPfn = host.memory.source.endPfn
    const page = layout(types, 'page', {
      flags: u64('flags.f', 'flags'),
      // Until 4.3 a flag marks a tail.
      info: pages.tailBit === undefined ? u64('compound_info', 'compound_head') : u64('first_page'),
    })
    this.#flags = page.offset('flags')
    this.#info = page.offset('info')
    this.#vmemmapLow = Number(host.bases.vmemmap & 0xffffffffn)
    this.#vmemmapHigh = Number(host.bases.vmemmap >> 32n)
    this.#isMask = pages.infoIsMask
    this.#tailBit = pages.tailBit
    this.#headBit = types.enumerators('pageflags')?.get('PG_head') ?? 0
    const ofFolio = (path: string) => place(types.struct('folio')?.member(path), 0, memmap.size)
    const ofPage = (path: string) => place(types.struct('page')?.member(path), 1, memmap.size)
    const wholes = [ofFolio('_flags_1'), ofFolio('_folio_dtor'), ofFolio('_entire_mapcount')]
    this.#lastPage = Math.max(1, ...wholes.map((one) => one?.page ?? 1))
    // As `Folios.isHugetlb` has it.
    this.#hugetlbBit = vmcoreinfo.number('PG_hugetlb')
    const isOld = pages.tailBit !== undefined
    const value = isOld
      ? symbols.address('free_huge_page')
      : types.enumerators('compound_dtor_id')?.get('HUGETLB_PAGE_DTOR')
    const oldest = isOld ? ofPage('lru.next') : undefined
    const kept = ofFolio('_folio_dtor') ?? ofPage('compound_dtor') ?? oldest
    this.#destructor = value === undefined ? undefined : kept
    this.#hugetlbLow = Number(BigInt(value ?? 0) & 0xffffffffn)
    this.#hugetlbHigh = Number(BigInt(value ?? 0) >> 32n)
  }

  /** The frame of the head of the page that the map was gone to: its own, unless it is a tail. */
  head(pfn: number): number {
    const memmap = this.#memmap
    const flags = memmap.u32(this.#flags)
    const low = memmap.u32(this.#info)
    if (this.#tailBit !== undefined) {
      if (((flags >>> this.#tailBit) & 1) === 0) return pfn
      return this.#frameAt(low, memmap.u32(this.#info + 4))
    }
    const high = memmap.u32(this.#info + 4)
    if ((low & 1) === 1) {
      if (!this.#isMask && high !== MASK_HIGH) return this.#frameAt(low - 1, high)
      const bytes = this.#vmemmapLow + pfn * memmap.size
      const carry = Math.floor(bytes / 2 ** 32)
      return this.#frameAt(((bytes % 2 ** 32) & low & ~1) >>> 0, (this.#vmemmapHigh + carry) & high)
    }
    // The first in a page that hugetlb shares reads as a head (5.18 to 7.0); its neighbour tells, see `Folios.head`.
    const isFirst = (pfn * memmap.size) % PAGE_SIZE === 0
    if (this.#isMask || !isFirst || !this.isHead(flags) || !memmap.seek(pfn + 1)) return pfn
    const next = memmap.u32(this.#info)
    const nextHigh = memmap.u32(this.#info + 4)
    return (next & 1) === 1 && nextHigh !== MASK_HIGH ? this.#frameAt(next - 1, nextHigh) : pfn
  }

  /** Whether flags are those of a head. */
  isHead(flags: number): boolean {
    return ((flags >>> this.#headBit) & 1) === 1
  }

  /** Whether the dump has those pages behind a head that tell of the folio. */
  isWhole(head: number): boolean {
    for (let page = 1; page <= this.#lastPage; page++) {
      if (!this.#memmap.seek(head + page)) return false
    }
    return true
  }

  /** Whether a whole folio is one of hugetlb, by the ways of kernels before page types told it (6.11). */
  isHugetlb(head: number): boolean {
    const memmap = this.#memmap
    const bit = this.#hugetlbBit
    if (bit !== undefined) {
      const word = this.#flags + (bit < 32n ? 0 : 4)
      return memmap.seek(head + 1) && ((memmap.u32(word) >>> Number(bit & 31n)) & 1) === 1
    }
    const kept = this.#destructor
    if (kept === undefined || !memmap.seek(head + kept.page)) return false
    const low = memmap.u32(kept.offset)
    if (kept.bytes < 4) return low % 256 ** kept.bytes === this.#hugetlbLow
    const high = kept.bytes === 8 ? memmap.u32(kept.offset + 4) : 0
    return low === this.#hugetlbLow && high === this.#hugetlbHigh
  }

  /** The frame whose `struct page` lies at an address, given as halves. */
  #frameAt(low: number, high: number): number {
    const bytes = ((high >>> 0) - this.#vmemmapHigh) * 2 ** 32 + low - this.#vmemmapLow
    const frame = bytes / this.#memmap.size
    return Number.isInteger(frame) && frame >= 0 && frame < this.#endPfn ? frame : NO_HEAD
  }
}

/** Where a member of a folio or of its `page` lies; undefined for a bit-field, which no kernel has there. */
function place(member: Member | undefined, page: number, size: number): Place | undefined {
  if (member?.bitSize !== undefined || member === undefined) return undefined
  const behind = Math.floor(member.offset / size)
  return { page: page + behind, offset: member.offset - behind * size, bytes: member.size }
}
