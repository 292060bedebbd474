// SPDX-License-Identifier: GPL-2.0-or-later
// What frames are to the kernel, out of words of `struct page`: what `kernelKind` says, without an object for each.

import { PAGE_SIZE } from '../dump/format.ts'
import { DumpError } from '../errors.ts'
import { FolioWords, NO_HEAD } from '../linux/foliowords.ts'
import { type Linux } from '../linux/linux.ts'
import { Memmap } from '../linux/memmap.ts'
import { frameUseOfType } from '../linux/pageuse.ts'
import { int, layout, optional, pointer, u64, uint } from '../types/layout.ts'
import { isOldTableType, oldTableBit } from './kernelpage.ts'
import { kindCode } from './kinds.ts'

const ZERO = kindCode('zero')
const FREE = kindCode('free')
const SLAB = kindCode('slab')
const RESERVED = kindCode('reserved')
const KERNEL = kindCode('kernel')
const TABLE = kindCode('table')
const ANON = kindCode('anon')
const FILE = kindCode('file')
const HUGETLB = kindCode('hugetlb')
const SWAP_CACHE = kindCode('swap-cache')
const UNKNOWN = kindCode('unknown')

/** The flags that decide, as masks: those of anonymous memory have other names for some bits. */
interface Masks {
  readonly slab: number
  readonly reserved: number
  readonly swapbacked: number
  readonly swapcache: number
  readonly ahead: number
}

/** Codes of frames of the kernel, without an object or a bigint for each. */
export class QuickKinds {
  readonly #linux: Linux
  readonly #memmap: Memmap
  readonly #words: Words | undefined
  /** Codes by a mapping's place in the direct map, which a number holds. */
  readonly #files = new Map<number, number>()
  readonly #directMapLow: number
  readonly #directMapHigh: number
  /** The head that was looked at last, its mapping, and what it makes of all pages of its folio. */
  #head = -1
  #low = 0
  #high = 0
  #use: number | undefined

  constructor(linux: Linux) {
    this.#linux = linux
    this.#memmap = new Memmap(linux.host)
    const directMap = linux.host.bases.directMap.value
    this.#directMapLow = Number(directMap & 0xffffffffn)
    this.#directMapHigh = Number(directMap >> 32n)
    this.#words = wordsOf(linux, this.#memmap)
  }

  /**
   * The code of the kind of a frame that the host has; undefined when that takes a closer look. Files are read only for
   * frames that are wanted: those of the others, as a rule its neighbours, need not be known.
   */
  code(pfn: number, isWanted: boolean): number | undefined {
    const words = this.#words
    if (words === undefined) return undefined
    const memmap = this.#memmap
    // A struct page that lies in one page is there or not.
    if (!memmap.seek(pfn)) return words.isInOnePage ? UNKNOWN : undefined
    const flags = memmap.u32(words.flags)
    const type = memmap.u32(words.type)
    const head = words.folios.head(pfn)
    if (head === NO_HEAD) return UNKNOWN
    if (head !== this.#head || (isWanted && this.#use === undefined)) {
      this.#lookAt(words, head, isWanted)
    }
    if (this.#use === undefined || this.#use === UNKNOWN) return this.#use
    const use = this.#linux.pages.isZero(pfn) ? ZERO : this.#use
    const isFree = this.#low === 0 && this.#high === 0
    const masks = (this.#low & 1) === 1 ? words.anon : words.other
    // isSwapCached of kinds.ts.
    if ((flags & masks.swapbacked) !== 0) {
      const isAhead = isFree && use === KERNEL && (flags & masks.ahead) !== 0
      if (isAhead || (flags & masks.swapcache) !== 0) return SWAP_CACHE
    }
    if (use === HUGETLB) return isFree ? HUGETLB : FILE
    return use === KERNEL && isOldTableType(type, words.oldTableBit) ? TABLE : use
  }

  /** Nothing is kept of a look that is interrupted. */
  #lookAt(words: Words, head: number, isWanted: boolean): void {
    this.#head = -1
    const isThere = this.#memmap.seek(head)
    this.#low = isThere ? this.#memmap.u32(words.mapping) : 0
    this.#high = isThere ? this.#memmap.u32(words.mapping + 4) : 0
    this.#use = isThere ? this.#useOf(words, head, isWanted) : UNKNOWN
    this.#head = head
  }

  /** PageUses.of, and the reasons for which Pages.at throws. */
  #useOf(words: Words, head: number, isWanted: boolean): number | undefined {
    const memmap = this.#memmap
    const [low, high] = [this.#low, this.#high]
    const flags = memmap.u32(words.flags)
    const type = memmap.u32(words.type)
    const refcount = memmap.u32(words.refcount)
    const masks = (low & 1) === 1 ? words.anon : words.other
    const isHead = words.folios.isHead(flags)
    if (isHead && (words.isInPart || !words.folios.isWhole(head))) return undefined
    if (words.types !== undefined) {
      const typed = words.types.get(type >>> 24)
      if (typed !== undefined) return typed
    } else if (type === words.buddy) return FREE
    if ((flags & masks.slab) !== 0) return SLAB
    if (isHead && words.folios.isHugetlb(head)) return HUGETLB
    // PAGE_MAPPING_ANON is bit 0, with bit 1 beside it for KSM. Bit 1 alone: a movable page of the kernel.
    if ((low & 1) === 1) return ANON
    if ((low & 2) === 0 && (low !== 0 || high !== 0)) return this.#file(low, high, isWanted)
    if ((flags & masks.reserved) !== 0) return RESERVED
    return refcount === 0 ? FREE : KERNEL
  }

  #file(low: number, high: number, isWanted: boolean): number | undefined {
    const key = (high - this.#directMapHigh) * 2 ** 32 + low - this.#directMapLow
    const known = this.#files.get(key)
    if (known !== undefined || !isWanted) return known
    const code = this.#useOfFile((BigInt(high) << 32n) | BigInt(low))
    if (Number.isSafeInteger(key)) this.#files.set(key, code)
    return code
  }

  #useOfFile(mapping: bigint): number {
    try {
      const use = this.#linux.pages.useOfFile(mapping)
      return use === 'anon' ? ANON : FILE
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
      return UNKNOWN
    }
  }
}

/** Where the words are in this kernel, and what they mean. */
interface Words {
  readonly folios: FolioWords
  readonly flags: number
  readonly mapping: number
  readonly refcount: number
  /** page_type, or the `_mapcount` that kernels without it keep types in. */
  readonly type: number
  readonly other: Masks
  readonly anon: Masks
  /** Codes by the top byte of page_type, for kernels that have one (6.11). */
  readonly types: ReadonlyMap<number, number> | undefined
  /** The value of `_mapcount` that marks a free block in kernels before. */
  readonly buddy: number | undefined
  readonly oldTableBit: number
  readonly isInOnePage: boolean
  /** Types that are known in part may lack what tells of folios. */
  readonly isInPart: boolean
}

/** Undefined for types that are known in part and lack a word, and for flags that are in no word of 32 bits. */
function wordsOf(linux: Linux, memmap: Memmap): Words | undefined {
  const { types, vmcoreinfo } = linux.host
  const page = layout(types, 'page', {
    flags: u64('flags.f', 'flags'),
    // What FolioWords needs beside the flags.
    link:
      linux.pages.tailBit === undefined ? u64('compound_info', 'compound_head') : u64('first_page'),
    mapping: pointer('mapping'),
    refcount: int('_refcount', '_count'),
    mapcount: int('_mapcount'),
    type: optional(uint('page_type')),
  })
  const needed = ['flags', 'link', 'mapping', 'refcount', 'mapcount'] as const
  const isThere = needed.every((field) => page.has(field))
  const other = masksOf(linux, false)
  const anon = masksOf(linux, true)
  if (!isThere || memmap.size === 0 || other === undefined || anon === undefined) return undefined
  const pageTypes = types.enumerators('pagetype')
  const buddy = vmcoreinfo.number('PAGE_BUDDY_MAPCOUNT_VALUE')
  return {
    folios: new FolioWords(linux.host, linux.pages, memmap),
    flags: page.offset('flags'),
    mapping: page.offset('mapping'),
    refcount: page.offset('refcount'),
    type: page.offset(page.has('type') ? 'type' : 'mapcount'),
    other,
    anon,
    types: pageTypes?.has('PGTY_buddy') === true ? codesOf(pageTypes) : undefined,
    buddy: buddy === undefined ? undefined : Number(buddy) >>> 0,
    oldTableBit: page.has('type') ? oldTableBit(types) : 0,
    isInOnePage: PAGE_SIZE % memmap.size === 0,
    isInPart: types.whyMissing !== undefined,
  }
}

function masksOf({ pages }: Linux, isAnon: boolean): Masks | undefined {
  const slab = pages.flagMask('slab', isAnon)
  const reserved = pages.flagMask('reserved', isAnon)
  const swapbacked = pages.flagMask('swapbacked', isAnon)
  const swapcache = pages.flagMask('swapcache', isAnon)
  const ahead = pages.flagMask('owner_priv_1', isAnon)
  const isTold = slab !== undefined && reserved !== undefined && swapbacked !== undefined
  if (!isTold || swapcache === undefined || ahead === undefined) return undefined
  return { slab, reserved, swapbacked, swapcache, ahead }
}

function codesOf(pageTypes: ReadonlyMap<string, number>): Map<number, number> {
  const codes = new Map<number, number>()
  for (const [name, value] of pageTypes) {
    const use = frameUseOfType(name)
    // No type of a page says these.
    if (use !== undefined && use !== 'ksm' && use !== 'shmem') codes.set(value, kindCode(use))
  }
  return codes
}
