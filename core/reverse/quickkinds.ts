// SPDX-License-Identifier: GPL-2.0-or-later
// What single frames are to the kernel, out of a few words of `struct page`: for those that need nothing else to be told.

import { type Linux } from '../linux/linux.ts'
import { Memmap } from '../linux/memmap.ts'
import { frameUseOfType } from '../linux/pageuse.ts'
import { int, layout, optional, pointer, u64, uint } from '../types/layout.ts'
import { kindCode } from './kinds.ts'

/** Codes of frames of the kernel, without an object or a bigint for each. */
export class QuickKinds {
  readonly #linux: Linux
  readonly #memmap: Memmap
  readonly #at
  /** Codes by the top byte of page_type, for kernels that have one (6.11). */
  readonly #types: ReadonlyMap<number, number> | undefined
  /** The value of `_mapcount` that marks a free block in kernels before. */
  readonly #buddy: number | undefined
  readonly #unclear: number
  readonly #slab: number
  readonly #reserved: number

  constructor(linux: Linux) {
    const { types, vmcoreinfo } = linux.host
    this.#linux = linux
    this.#memmap = new Memmap(linux.host)
    const page = layout(types, 'page', {
      flags: u64('flags.f', 'flags'),
      head: optional(u64('compound_info', 'compound_head')),
      mapping: pointer('mapping'),
      refcount: int('_refcount', '_count'),
      mapcount: int('_mapcount'),
      type: optional(uint('page_type')),
    })
    this.#at = {
      flags: page.offset('flags'),
      // Kernels without it mark tail pages by a flag.
      head: page.has('head') ? page.offset('head') : undefined,
      mapping: page.offset('mapping'),
      refcount: page.offset('refcount'),
      type: page.has('type') ? page.offset('type') : page.offset('mapcount'),
    }
    const pageTypes = types.enumerators('pagetype')
    if (pageTypes?.has('PGTY_buddy') === true) {
      this.#types = new Map(
        [...pageTypes].flatMap(([name, value]): [number, number][] => {
          const use = frameUseOfType(name)
          const isTold = use === 'free' || use === 'slab' || use === 'table' || use === 'offline'
          return isTold || use === 'kernel' ? [[value, kindCode(use)]] : []
        }),
      )
    }
    const buddy = vmcoreinfo.number('PAGE_BUDDY_MAPCOUNT_VALUE')
    this.#buddy = buddy === undefined ? undefined : Number(buddy) >>> 0
    const bits = types.enumerators('pageflags')
    const bit = (name: string) => {
      const number = bits?.get(name)
      return number === undefined || number > 31 ? 0 : (1 << number) >>> 0
    }
    this.#unclear = bit('PG_head') | bit('PG_swapbacked')
    this.#slab = bit('PG_slab')
    this.#reserved = bit('PG_reserved')
  }

  /** The code of a frame's kind; undefined when `struct page` alone does not tell, or the dump lacks it. */
  code(pfn: number): number | undefined {
    const memmap = this.#memmap
    const { flags, head, mapping, refcount, type } = this.#at
    if (head === undefined || !memmap.seek(pfn) || (memmap.u32(head) & 1) === 1) return undefined
    const bits = memmap.u32(flags)
    if ((bits & this.#unclear) !== 0) return undefined
    if (this.#linux.pages.isZero(pfn)) return ZERO
    const value = memmap.u32(type)
    if (this.#types !== undefined) {
      const typed = this.#types.get(value >>> 24)
      if (typed !== undefined) return typed
    } else if (value === this.#buddy) return FREE
    // Types in bits that are clear, from 4.18 to 6.10, or damage.
    if (value >>> 28 === 0xf && value !== 0xffffffff) return undefined
    if ((bits & this.#slab) !== 0) return SLAB
    if (memmap.u32(mapping) !== 0 || memmap.u32(mapping + 4) !== 0) return undefined
    if ((bits & this.#reserved) !== 0) return RESERVED
    return memmap.u32(refcount) === 0 ? FREE : KERNEL
  }
}

const ZERO = kindCode('zero')
const FREE = kindCode('free')
const SLAB = kindCode('slab')
const RESERVED = kindCode('reserved')
const KERNEL = kindCode('kernel')
