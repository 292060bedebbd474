// SPDX-License-Identifier: GPL-2.0-or-later
// `struct page`: what the kernel knows of one frame of physical memory.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { CorruptError, FaultError } from '../errors.ts'
import { int, layout, optional, pointer, u64, uint } from '../types/layout.ts'
import { type Types } from '../types/type.ts'
import { Folios } from './folio.ts'
import { type Host } from './host.ts'
import { PageUses, type PageUse } from './pageuse.ts'
import { type Paths } from './path.ts'

/** One frame as its `struct page` (and the head of its folio) describes it. */
export interface Page {
  /** The address of the `struct page`. */
  readonly address: bigint
  readonly pfn: number
  /** pfn * 4096. */
  readonly hpa: number
  /** `page->flags`, with section, node and zone in its upper bits. */
  readonly flagBits: bigint
  /** The flag bits by name from this kernel's own `enum pageflags`: `uptodate`, `lru`, `head`. */
  readonly flags: readonly string[]
  /** `page->mapping` of the folio's head, with its low bits. */
  readonly mapping: bigint
  /** `page->index` of the folio's head: offset in the file or the VMA, in pages. */
  readonly index: bigint
  /** `_refcount` of the head. */
  readonly refcount: number
  /**
   * How often this page is mapped, as /proc/kpagecount counts; null for frames that are not mapped as user memory, and
   * for large folios whose count is not known (inferred types).
   */
  readonly mapcount: number | null
  /** What it is used for. */
  readonly use: PageUse
  /** The frame of the folio's head, and its order (0 for a single page). */
  readonly head: number
  readonly order: number
  /** True when it is part of a transparent huge page or another large folio that is not hugetlb. */
  readonly isLarge: boolean
  /** The NUMA node. */
  readonly node: number
  /** The zone's number. */
  readonly zone: number
  /** True when a memory error took the frame out of use. */
  readonly isPoisoned: boolean
}

/** The array of `struct page` of one host. */
export class Pages {
  readonly #host: Host
  /** The lower and upper half of `bases.vmemmap`. */
  #vmemmap: readonly [low: number, high: number] | undefined
  readonly #uses: PageUses
  readonly #folios: Folios
  readonly #page
  readonly #flagNames: ReadonlyMap<number, { name: string; anonName: string }>
  /** `page->flags` shifted by this is the NUMA node; 64 where there is but one (NODES_SHIFT 0). */
  readonly nodeShift: number
  readonly #zoneShift: number
  readonly #zoneBits: number

  constructor(host: Host, paths: Paths) {
    this.#host = host
    this.#uses = new PageUses(host, paths)
    this.#folios = new Folios(host)
    this.#page = layout(host.types, 'page', {
      // Wrapped in memdesc_flags_t { f } since 6.18.
      flags: u64('flags.f', 'flags'),
      mapping: pointer('mapping'),
      // Renamed in 6.16.
      index: u64('__folio_index', 'index'),
      refcount: int('_refcount', '_count'),
      mapcount: int('_mapcount'),
      pageType: optional(uint('page_type')),
    })
    // The upper bits are, from the top: node, zone (include/linux/page-flags-layout.h; sections need none with vmemmap).
    const nodeBits = Math.ceil(Math.log2(host.vmcoreinfo.length('node_data') ?? 1))
    this.#zoneBits = zoneBits(host.types)
    this.nodeShift = 64 - nodeBits
    this.#zoneShift = this.nodeShift - this.#zoneBits
    this.#flagNames = flagNames(host.types, this.#zoneShift)
  }

  /** The frame if the host can have it, else undefined. */
  ifFrame(pfn: number): number | undefined {
    return pfn < this.#host.memory.source.endPfn ? pfn : undefined
  }

  /** The frame that the `struct page` at an address describes, or undefined when no page lies there. */
  frameAt(page: bigint): number | undefined {
    return this.frameAtHalves(Number(page & 0xffffffffn), Number(page >> 32n))
  }

  /** The same for an address in halves of 32 bits: for loops over many. */
  frameAtHalves(low: number, high: number): number | undefined {
    if (this.#vmemmap === undefined) {
      const { vmemmap } = this.#host.bases
      this.#vmemmap = [Number(vmemmap & 0xffffffffn), Number(vmemmap >> 32n)]
    }
    const [baseLow, baseHigh] = this.#vmemmap
    const pfn = ((high - baseHigh) * 2 ** 32 + (low - baseLow)) / this.#page.size
    return pfn >= 0 && Number.isInteger(pfn) ? this.ifFrame(pfn) : undefined
  }

  /** The address of the `struct page` of a frame. */
  addressOf(pfn: number): bigint {
    return this.#host.bases.vmemmap + BigInt(pfn * this.#page.size)
  }

  /** Whether a frame is one of zeros that all processes share. */
  isZero(pfn: number): boolean {
    return this.#uses.isZero(pfn)
  }

  /**
   * The bit that `flags` calls by a name, as a mask; 0 when none is. `isAnon`: in pages of anonymous memory some bits mean
   * something else. Undefined for a bit above 31.
   */
  flagMask(wanted: string, isAnon: boolean): number | undefined {
    for (const [bit, { name, anonName }] of this.#flagNames) {
      if (wanted === (isAnon ? anonName : name)) return bit > 31 ? undefined : (1 << bit) >>> 0
    }
    return 0
  }

  /** What a page is used for by its `mapping` of a file. Throws FaultError when the dump lacks what tells. */
  useOfFile(mapping: bigint): PageUse {
    return this.#uses.ofFile(mapping)
  }

  /** Whether a tail page has a mask to its head instead of its address. */
  get infoIsMask(): boolean {
    return this.#folios.infoIsMask
  }

  /** The flag that marks a tail page, until 4.3; undefined for kernels that mark it otherwise. */
  get tailBit(): number | undefined {
    return this.#folios.tailBit
  }

  /** The order of the folio whose head page is at an address: it has 2^order pages. */
  order(head: bigint): number {
    return this.#folios.order(head)
  }

  /** The `struct page` of a frame, or undefined when the kernel has none or the dump lacks it. */
  find(pfn: number): Page | undefined {
    try {
      return this.at(pfn)
    } catch (error) {
      if (error instanceof FaultError) return undefined
      throw error
    }
  }

  /** The `struct page` of a frame. Throws FaultError when the kernel has none or the dump lacks it. */
  at(pfn: number): Page {
    const { space } = this.#host
    const address = this.addressOf(pfn)
    const record = this.#page.at(space, address)
    const headAddress = this.#folios.head(address)
    const headFrame = headAddress === address ? pfn : this.frameAt(headAddress)
    if (headFrame === undefined) {
      throw new CorruptError('page.compound_head', address, `${hex(headAddress)} is no struct page`)
    }
    const head = headAddress === address ? record : this.#page.at(space, headAddress)
    const order = this.#folios.order(headAddress)
    const flagBits = record.flags
    // PAGE_MAPPING_ANON, bit 0 of the mapping.
    const isAnon = (head.mapping & 1n) === 1n
    const flags = this.#names(flagBits, isAnon)
    const use = this.#uses.of(pfn, head, this.#names(head.flags, isAnon), () =>
      this.#folios.isHugetlb(headAddress),
    )
    const isUser = ['anon', 'file', 'shmem', 'ksm', 'hugetlb'].includes(use)
    return {
      address,
      pfn,
      hpa: pfn * PAGE_SIZE,
      flagBits,
      flags,
      mapping: head.mapping,
      index: head.index,
      refcount: head.refcount,
      mapcount: isUser ? this.#folios.mapcount(headAddress, order, record.mapcount, use) : null,
      use,
      head: headFrame,
      order,
      isLarge: order > 0 && isUser && use !== 'hugetlb',
      node: Number(flagBits >> BigInt(this.nodeShift)),
      zone: Number((flagBits >> BigInt(this.#zoneShift)) & BigInt(2 ** this.#zoneBits - 1)),
      isPoisoned: flags.includes('hwpoison'),
    }
  }

  /** The names of the flag bits below the zone. */
  #names(bits: bigint, isAnon: boolean): string[] {
    const names: string[] = []
    for (const [bit, { name, anonName }] of this.#flagNames) {
      if ((bits >> BigInt(bit)) & 1n) names.push(isAnon ? anonName : name)
    }
    return names
  }
}

// Bits that belong to a page's owner: for anonymous memory they mean this (include/linux/page-flags.h).
const anonNames = ['PG_swapcache', 'PG_anon_exclusive']

/** The names of each flag bit, ascending. Of several the first counts, except for anonymous pages those above. */
function flagNames(types: Types, end: number): Map<number, { name: string; anonName: string }> {
  const names = new Map<number, { name: string; anonName: string }>()
  for (const [key, bit] of types.enumerators('pageflags') ?? []) {
    if (!key.startsWith('PG_') || bit >= end) continue
    const name = key.slice('PG_'.length)
    const known = names.get(bit)
    if (known === undefined) names.set(bit, { name, anonName: name })
    else if (anonNames.includes(key)) names.set(bit, { ...known, anonName: name })
  }
  return new Map([...names].sort(([a], [b]) => a - b))
}

/** ZONES_SHIFT of include/linux/page-flags-layout.h. */
function zoneBits(types: Types): number {
  const zones = types.enumerators('zone_type')?.get('__MAX_NR_ZONES') ?? 4
  return zones <= 2 ? 1 : zones <= 4 ? 2 : 3
}
