// SPDX-License-Identifier: GPL-2.0-or-later
// Frames in bulk: the NUMA node of each and what it is used for, out of `struct page`, each page of which is read once.

import { wordsOf } from '../bytes/words.ts'
import { DumpError } from '../errors.ts'
import { layout, optional, pointer, u64, uint } from '../types/layout.ts'
import { FolioWords, NO_HEAD } from './foliowords.ts'
import { type Host } from './host.ts'
import { Memmap } from './memmap.ts'
import { type Pages } from './page.ts'
import { type PageUse } from './pageuse.ts'

/**
 * What backs a page of a process. `thp` is anonymous memory in a transparent huge page or another large folio; shmem and
 * files count as such whatever the size of their folios. `other` is no user memory; `unknown`: the dump does not tell.
 */
export type FrameKind =
  'anon' | 'thp' | 'ksm' | 'zero' | 'hugetlb' | 'shmem' | 'file' | 'other' | 'unknown'

/** The kinds in the order of the codes that `FrameTable.kind` gives. */
export const frameKinds: readonly FrameKind[] = Object.freeze([
  ...(['anon', 'thp', 'hugetlb', 'shmem', 'file', 'ksm', 'zero', 'other', 'unknown'] as const),
])

const codeOf = (kind: FrameKind): number => frameKinds.indexOf(kind)
const ANON = codeOf('anon')
const THP = codeOf('thp')
const HUGETLB = codeOf('hugetlb')
const KSM = codeOf('ksm')
const ZERO = codeOf('zero')
const OTHER = codeOf('other')
const UNKNOWN = codeOf('unknown')
/** A page of a file or a large folio: which file, or whether it is one of hugetlb, is looked up when somebody asks. */
const LATER = 14

/** An entry has the kind in bits 0 to 3, plus 1, and above them the node plus 1; 0 was not read yet. */
const KIND = 15
const NODE_SHIFT = 4
/** Frames of a chunk: a section of 128 MiB. */
const CHUNK = 1 << 15
/** MAX_NUMNODES is 1024 at most (NODES_SHIFT of arch/x86/Kconfig). */
const MOST_NODES = 1024

/** In columns of nodes: no frame, or its `struct page` is not in the dump. */
export const NO_NODE = -1

/**
 * Nodes and kinds of frames by number. A page of the array of `struct page` is read whole when the first of its frames is
 * asked for, and two bytes are kept for each frame. Nothing throws: a frame that cannot be told of is `unknown`.
 */
export class FrameTable {
  readonly #pages: Pages
  readonly #memmap: Memmap
  readonly #folios: FolioWords
  readonly #endPfn: number
  readonly #chunks: (Uint16Array | undefined)[] = []
  /** By the lower 53 bits of `page->mapping`. */
  readonly #files = new Map<number, number>()
  readonly #at
  /** The node is the flags' upper half, shifted by this; 32 on hosts that have but one. */
  readonly #nodeShift: number
  readonly #headBit: number
  readonly #slabBit: number
  readonly #tailBit: number | undefined
  /** By the top byte of page_type, for kernels that have one; `undefined` before 6.11. */
  readonly #types: ReadonlyMap<number, number> | undefined

  constructor(host: Host, pages: Pages) {
    const { types } = host
    this.#pages = pages
    this.#memmap = new Memmap(host)
    this.#folios = new FolioWords(host, pages, this.#memmap)
    this.#endPfn = host.memory.source.endPfn
    const page = layout(types, 'page', {
      flags: u64('flags.f', 'flags'),
      // Until 4.3 a flag marks a tail.
      head: pages.tailBit === undefined ? u64('compound_info', 'compound_head') : u64('first_page'),
      mapping: pointer('mapping'),
      mapcount: uint('_mapcount'),
      pageType: optional(uint('page_type')),
    })
    const pageTypes = types.enumerators('pagetype')
    this.#types = pageTypes?.has('PGTY_buddy') === true ? typeCodes(pageTypes) : undefined
    this.#at = {
      flags: page.offset('flags'),
      head: page.offset('head'),
      mapping: page.offset('mapping'),
      // They share a word.
      type: page.has('pageType') ? page.offset('pageType') : page.offset('mapcount'),
    }
    this.#nodeShift = pages.nodeShift - 32
    const flags = types.enumerators('pageflags')
    this.#headBit = flags?.get('PG_head') ?? -1
    this.#slabBit = flags?.get('PG_slab') ?? -1
    this.#tailBit = pages.tailBit
  }

  /** The NUMA node of a frame; NO_NODE when its `struct page` is not in the dump. */
  node(pfn: number): number {
    return nodeOf(this.#entry(pfn))
  }

  /** The code of a frame's kind: its place in `frameKinds`. */
  kind(pfn: number): number {
    const kind = kindOf(this.#entry(pfn))
    return kind === LATER ? this.#lookUp(pfn) : kind
  }

  /**
   * Node and kind of a frame that is asked for once, such as the first of a large page: what `nodeOf` and `kindOf` take.
   * Nothing is kept of it, so that one frame in 512 does not cost the memory of all.
   */
  once(pfn: number): number {
    if (pfn >= this.#endPfn) return UNKNOWN + 1
    const entry = this.#entryOf(pfn)
    if (kindOf(entry) !== LATER) return entry
    return (entry & ~KIND) | (this.#lookUp(pfn) + 1)
  }

  /** The NUMA nodes of a column of host physical addresses; NO_NODE where there is no address or nobody can tell. */
  nodes(hpa: BigUint64Array): Int16Array {
    const halves = wordsOf(hpa)
    const nodes = new Int16Array(hpa.length)
    for (let i = 0; i < nodes.length; i++) {
      nodes[i] = this.node((halves[2 * i + 1] ?? 0) * 0x100000 + ((halves[2 * i] ?? 0) >>> 12))
    }
    return nodes
  }

  #entry(pfn: number): number {
    if (pfn >= this.#endPfn) return UNKNOWN + 1
    const chunk = this.#chunks[Math.floor(pfn / CHUNK)]
    const entry = chunk?.[pfn % CHUNK] ?? 0
    return entry === 0 ? this.#read(pfn) : entry
  }

  /** Reads all frames whose `struct page` begins in the same page as this one's. */
  #read(pfn: number): number {
    const { size } = this.#memmap
    const page = Math.floor((pfn * size) / 4096)
    const end = Math.min(Math.ceil(((page + 1) * 4096) / size), this.#endPfn)
    for (let frame = Math.ceil((page * 4096) / size); frame < end; frame++) {
      this.#set(frame, this.#entryOf(frame))
    }
    return this.#chunks[Math.floor(pfn / CHUNK)]?.[pfn % CHUNK] ?? UNKNOWN + 1
  }

  #set(pfn: number, entry: number): void {
    const chunk = (this.#chunks[Math.floor(pfn / CHUNK)] ??= new Uint16Array(CHUNK))
    chunk[pfn % CHUNK] = entry
  }

  #entryOf(pfn: number): number {
    const memmap = this.#memmap
    if (!memmap.seek(pfn)) return UNKNOWN + 1
    const node = this.#nodeShift >= 32 ? 0 : memmap.u32(this.#at.flags + 4) >>> this.#nodeShift
    const above = node < MOST_NODES ? (node + 1) << NODE_SHIFT : 0
    return (this.#kindOf(pfn) + 1) | above
  }

  #kindOf(pfn: number): number {
    if (this.#tailBit !== undefined) {
      const isTail = isSet(this.#memmap.u32(this.#at.flags), this.#tailBit)
      return isTail ? LATER : this.#kindOfHead(pfn)
    }
    const isTail = (this.#memmap.u32(this.#at.head) & 1) === 1
    return isTail ? this.#kindOfTail(pfn) : this.#kindOfHead(pfn)
  }

  /** As its head. A head that is a tail is damage. */
  #kindOfTail(pfn: number): number {
    const head = this.#folios.head(pfn)
    if (head === NO_HEAD || head >= pfn) return UNKNOWN
    const entry = this.#chunks[Math.floor(head / CHUNK)]?.[head % CHUNK] ?? 0
    if (entry !== 0) return kindOf(entry)
    const isHead = this.#memmap.seek(head) && (this.#memmap.u32(this.#at.head) & 1) === 0
    return isHead ? this.#kindOfHead(head) : UNKNOWN
  }

  /** Of the frame that was gone to. */
  #kindOfHead(pfn: number): number {
    const memmap = this.#memmap
    const { flags, mapping, type } = this.#at
    const bits = memmap.u32(flags)
    const typed = this.#types?.get(memmap.u32(type) >>> 24)
    if (typed !== undefined) return typed
    if (isSet(bits, this.#slabBit)) return OTHER
    const isHead = isSet(bits, this.#headBit)
    // Before page types, a head page alone does not tell whether it is one of hugetlb.
    if (isHead && this.#types === undefined) return LATER
    const low = memmap.u32(mapping)
    if ((low & 3) === 3) return KSM
    if ((low & 3) === 1) return isHead ? THP : ANON
    const high = memmap.u32(mapping + 4)
    if ((low & 3) !== 0) return OTHER
    if (low === 0 && high === 0) return this.#pages.isZero(pfn) ? ZERO : OTHER
    return this.#files.get(mappingKey(low, high)) ?? LATER
  }

  /** What was put off: most of the page cache, whose files nobody asks for. */
  #lookUp(pfn: number): number {
    const kind = this.#knownFile(pfn) ?? this.#byStructures(pfn)
    const chunk = this.#chunks[Math.floor(pfn / CHUNK)]
    const entry = chunk?.[pfn % CHUNK] ?? 0
    if (entry !== 0) this.#set(pfn, (entry & ~KIND) | (kind + 1))
    return kind
  }

  /** A page of a file whose kind was looked up for another page. */
  #knownFile(pfn: number): number | undefined {
    const memmap = this.#memmap
    if (this.#tailBit !== undefined) return undefined
    if (!memmap.seek(pfn) || (memmap.u32(this.#at.head) & 1) === 1) return undefined
    return this.#files.get(
      mappingKey(memmap.u32(this.#at.mapping), memmap.u32(this.#at.mapping + 4)),
    )
  }

  #byStructures(pfn: number): number {
    try {
      const page = this.#pages.at(pfn)
      const kind = kindOfUse(page.use, page.order)
      if (page.mapping !== 0n && (page.mapping & 3n) === 0n && kind !== OTHER) {
        const low = Number(page.mapping & 0xffffffffn)
        this.#files.set(mappingKey(low, Number(page.mapping >> 32n)), kind)
      }
      return kind
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
      return UNKNOWN
    }
  }
}

/** The node in what `once` gives. */
export function nodeOf(entry: number): number {
  return (entry >>> NODE_SHIFT) - 1
}

/** The kind in what `once` gives. */
export function kindOf(entry: number): number {
  return (entry & KIND) - 1
}

function isSet(bits: number, bit: number): boolean {
  return bit >= 0 && bit < 32 && ((bits >>> bit) & 1) === 1
}

/** Kernel addresses differ in their lower 53 bits. */
function mappingKey(low: number, high: number): number {
  return (high & 0x1fffff) * 2 ** 32 + low
}

function kindOfUse(use: PageUse, order: number): number {
  switch (use) {
    case 'anon':
      return order > 0 ? THP : ANON
    case 'ksm':
    case 'zero':
    case 'hugetlb':
    case 'shmem':
    case 'file':
      return codeOf(use)
    case 'free':
    case 'slab':
    case 'table':
    case 'offline':
    case 'reserved':
    case 'kernel':
      return OTHER
  }
}

/** PGTY_hugetlb is user memory, all other types are not (include/linux/page-flags.h, since 6.11). */
function typeCodes(types: ReadonlyMap<string, number>): Map<number, number> {
  const codes = new Map<number, number>()
  for (const [name, value] of types) {
    // The last one only marks the end of what counts as a mapping count.
    if (name.startsWith('PGTY_') && name !== 'PGTY_mapcount_underflow') {
      codes.set(value, name === 'PGTY_hugetlb' ? HUGETLB : OTHER)
    }
  }
  return codes
}
