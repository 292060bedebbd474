// SPDX-License-Identifier: GPL-2.0-or-later
// Compound pages and folios: which page is the head, how large it is, how often a part of it is mapped.

import { MissingError } from '../errors.ts'
import { int, layout, optional, u64, uint } from '../types/layout.ts'
import { type Host } from './host.ts'
import { type PageUse } from './pageuse.ts'

/** No folio is larger: 1 GiB of 4 KiB pages. */
const MAX_ORDER = 18
/** A compound_info above this is a mask: struct page lies nowhere near, and no folio's array of them is larger. */
const MASKS = 0xffffffff00000000n

/** What the pages of one host's folios have in common. */
export class Folios {
  readonly #host: Host
  readonly #page
  readonly #folio
  readonly #size: bigint
  readonly #headBit: bigint
  /** The number of PG_tail, for kernels that mark tail pages by it. */
  readonly tailBit: number | undefined
  readonly #doubleMapBit: number | undefined
  /** Whether `compound_info` of a tail page is a mask to its head, else its address. */
  readonly infoIsMask: boolean

  constructor(host: Host) {
    this.#host = host
    const { types } = host
    // Until 4.3 a flag marks a tail page, and the second page's list links hold order and destructor where they have no
    // member of their own.
    const isFlagged = types.struct('page')?.member('first_page') !== undefined
    this.#page = layout(types, 'page', {
      flags: u64('flags.f', 'flags'),
      // Bit 0 marks a tail page. Renamed in 7.1, when it became a mask or an address.
      head: isFlagged ? u64('first_page') : u64('compound_info', 'compound_head'),
      // In the second page of a compound page, until 6.2.
      order: optional(uint('compound_order', ...(isFlagged ? ['lru.prev'] : []))),
      // The address of a function until 4.3, then a number.
      destructor: optional(u64('compound_dtor', ...(isFlagged ? ['lru.next'] : []))),
      entireMapcount: optional(int('compound_mapcount')),
    })
    this.#folio = types.has('folio')
      ? layout(types, 'folio', {
          order: optional(uint('_folio_order')),
          // The order is the low byte of these flags since 6.6.
          secondFlags: optional(u64('_flags_1')),
          destructor: optional(u64('_folio_dtor')),
          entireMapcount: optional(int('_entire_mapcount')),
        })
      : undefined
    this.#size = BigInt(this.#page.size)
    const flags = types.enumerators('pageflags')
    this.#headBit = BigInt(flags?.get('PG_head') ?? 0)
    const tail = flags?.get('PG_tail')
    if (isFlagged && tail === undefined) {
      throw new MissingError('enumerator', 'PG_tail', `the types of ${types.name}`)
    }
    this.tailBit = isFlagged ? tail : undefined
    this.#doubleMapBit = flags?.get('PG_double_map')
    // compound_info is a mask when HUGETLB_PAGE_OPTIMIZE_VMEMMAP is built in and struct page is a power of two.
    const hasMasks = types.struct('zone')?.member('vmemmap_tails') !== undefined
    this.infoIsMask = hasMasks && (this.#size & (this.#size - 1n)) === 0n
  }

  /** The address of the head page of the page at `page`: itself, unless it is a tail. */
  head(page: bigint): bigint {
    const record = this.#page.at(this.#host.space, page)
    if (this.tailBit !== undefined) {
      return ((record.flags >> BigInt(this.tailBit)) & 1n) === 1n ? record.head : page
    }
    if ((record.head & 1n) === 1n) return this.#headOfTail(page, record.head)
    // While hugetlb shares the pages that hold its tails (5.18 to 7.0), the first struct page in such a shared page
    // reads as a head. Its neighbour tells: page_fixed_fake_head of include/linux/page-flags.h.
    if (!this.infoIsMask && page % 4096n === 0n && this.#isHead(record.flags)) {
      const next = this.#page.at(this.#host.space, page + this.#size).head
      if ((next & 1n) === 1n && next < MASKS) return next - 1n
    }
    return page
  }

  #headOfTail(page: bigint, info: bigint): bigint {
    return this.infoIsMask || info >= MASKS ? page & info & ~1n : info - 1n
  }

  /** The order of the compound page whose head is at `head`; 0 for a single page. */
  order(head: bigint): number {
    const { space, types } = this.#host
    if (!this.#isHead(this.#page.at(space, head).flags)) return 0
    const folio = this.#folio?.at(space, head)
    const order =
      folio?.order ??
      (folio?.secondFlags === undefined ? undefined : Number(folio.secondFlags & 0xffn)) ??
      this.#page.at(space, head + this.#size).order
    const why = order === undefined && types.whyMissing?.('folio._flags_1')
    if (typeof why === 'string') throw new MissingError('member', 'folio._flags_1', why)
    return Math.min(order ?? 0, MAX_ORDER)
  }

  /** True when the head page is one of hugetlb, by the ways of kernels before page types told it (6.11). */
  isHugetlb(head: bigint): boolean {
    const { space, symbols, types, vmcoreinfo } = this.#host
    if (!this.#isHead(this.#page.at(space, head).flags)) return false
    const bit = vmcoreinfo.number('PG_hugetlb')
    if (bit !== undefined) {
      return ((this.#page.at(space, head + this.#size).flags >> bit) & 1n) === 1n
    }
    const number = types.enumerators('compound_dtor_id')?.get('HUGETLB_PAGE_DTOR')
    const wanted = this.tailBit !== undefined ? symbols.address('free_huge_page') : number
    if (wanted === undefined) return false
    const folio = this.#folio?.at(space, head)
    const given = folio?.destructor ?? this.#page.at(space, head + this.#size).destructor
    return given === BigInt(wanted)
  }

  /**
   * How often a page is mapped. `own` is its `_mapcount`, stored less one. A page of a large folio is mapped by its
   * own entries and by those that map the whole: folio_precise_page_mapcount of fs/proc/internal.h. Null for large
   * folios of a kernel whose types are known in part, without that count.
   */
  mapcount(head: bigint, order: number, own: number, use: PageUse): number | null {
    if (order === 0) return own + 1
    const { space } = this.#host
    const second = this.#page.at(space, head + this.#size)
    const folio = this.#folio?.at(space, head)
    const entireLessOne = folio?.entireMapcount ?? second.entireMapcount
    if (entireLessOne === undefined && this.#host.types.whyMissing !== undefined) return null
    const entire = (entireLessOne ?? -1) + 1
    if (use === 'hugetlb') return entire
    // Until 6.1 a huge page mapped both ways counted each of its pages once more.
    const isDouble =
      this.#doubleMapBit !== undefined && ((second.flags >> BigInt(this.#doubleMapBit)) & 1n) === 1n
    return own + 1 + entire - (isDouble ? 1 : 0)
  }

  #isHead(flags: bigint): boolean {
    return ((flags >> this.#headBit) & 1n) === 1n
  }
}
