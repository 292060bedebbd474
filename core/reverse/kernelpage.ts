// SPDX-License-Identifier: GPL-2.0-or-later
// What a frame that no page table of a process names is to the kernel: a file's cache, a slab, a free block.

import { hex } from '../bytes/hex.ts'
import { CorruptError, MissingError } from '../errors.ts'
import { InodePaths } from '../linux/inodepath.ts'
import { type Linux } from '../linux/linux.ts'
import { type Page } from '../linux/page.ts'
import { int, layout, optional, pointer, u64, uint } from '../types/layout.ts'
import { type Types } from '../types/type.ts'

/** A page of a file, or of shared memory, in the page cache. */
export interface CachedFile {
  /** As the kernel would print it; null when no name of it is in memory, or when it is a block device. */
  readonly path: string | null
  readonly inode: bigint
  readonly fileSystem: string
  /** The number of a block device, `253:1`, or null. */
  readonly device: string | null
  /** Where in the file the frame's first byte is, in bytes. */
  readonly offset: number
}

/** A frame of a slab. */
export interface SlabFrame {
  /** The cache's name, as in /proc/slabinfo. */
  readonly cache: string
  /** The size of an object in bytes, with what lies between two. */
  readonly objectSize: number
  /** The first frame of the slab. */
  readonly firstPfn: number
}

/** A free block of the buddy allocator. */
export interface FreeBlock {
  readonly firstPfn: number
  /** It has 2^order frames. */
  readonly order: number
}

/** MAX_PAGE_ORDER of include/linux/mmzone.h is 10 on x86-64. */
const TOP_ORDER = 10
/** No object is larger than KMALLOC_MAX_SIZE; no slab has more than 2^10 pages. */
const MOST_OBJECT = 1 << 22

/** Reads what lies behind a `struct page`. */
export class KernelPages {
  readonly #linux: Linux
  #paths: InodePaths | undefined
  readonly #page
  readonly #mapping
  #slabs: ReturnType<typeof slabLayouts> | undefined

  constructor(linux: Linux) {
    const { types } = linux.host
    this.#linux = linux
    this.#page = layout(types, 'page', {
      flags: u64('flags.f', 'flags'),
      private: u64('private'),
      mapcount: int('_mapcount'),
      type: optional(uint('page_type')),
    })
    this.#mapping = layout(types, 'address_space', { inode: pointer('host') })
  }

  /** `page->private` of a frame: the swap entry of one in the swap cache, the order of a free block. */
  privateOf(pfn: number): bigint {
    return this.#page.at(this.#linux.host.space, this.#linux.pages.addressOf(pfn)).private
  }

  /** The file whose page this is, or null. Throws FaultError when the dump lacks what names it. */
  file(page: Page): CachedFile | null {
    if (page.mapping === 0n || (page.mapping & 3n) !== 0n) return null
    const { inode } = this.#mapping.at(this.#linux.host.space, page.mapping)
    if (inode === 0n) return null
    this.#paths ??= new InodePaths(this.#linux.host, this.#linux.files.paths)
    const { path, inode: number, fileSystem, device } = this.#paths.of(inode)
    // hugetlb counted its index in huge pages until 6.7.
    const offset = (Number(page.index) + page.pfn - page.head) * 4096
    return { path, inode: number, fileSystem, device, offset }
  }

  /** The slab that a frame is part of. Throws MissingError, FaultError, or CorruptError for what no slab cache can be. */
  slab(page: Page): SlabFrame {
    const { space } = this.#linux.host
    const head = this.#linux.pages.addressOf(page.head)
    // Kernels with SLAB keep it elsewhere: only who asks for a slab is told so.
    this.#slabs ??= slabLayouts(this.#linux.host.types)
    const { cache } = this.#slabs.slab.at(space, head)
    const { name, size } = this.#slabs.cache.at(space, cache)
    if (size === 0 || size > MOST_OBJECT) {
      throw new CorruptError('kmem_cache.size', cache, `${size} is no size of an object`)
    }
    return { cache: space.text(name, 256), objectSize: size, firstPfn: page.head }
  }

  /** The free block that holds a frame, or null: then it waits in a list of one processor, or is being freed. */
  freeBlock(pfn: number): FreeBlock | null {
    for (let order = 0; order <= TOP_ORDER; order++) {
      const firstPfn = pfn - (pfn % 2 ** order)
      const address = this.#linux.pages.addressOf(firstPfn)
      if (!this.#isBuddy(address)) continue
      const found = this.privateOf(firstPfn)
      if (found > BigInt(TOP_ORDER)) {
        const problem = `${hex(found)} is no order of a free block`
        throw new CorruptError('page.private', address, problem)
      }
      if (Number(found) >= order) return { firstPfn, order: Number(found) }
    }
    return null
  }

  /** True for a page table by the marks of kernels before 6.11, which have them in bits that are clear. */
  isOldTable(page: Page): boolean {
    const { space, types } = this.#linux.host
    return isOldTableType(this.#page.at(space, page.address).type ?? 0, oldTableBit(types))
  }

  #isBuddy(address: bigint): boolean {
    const { space, types, vmcoreinfo } = this.#linux.host
    const record = this.#page.at(space, address)
    const type = record.type ?? record.mapcount >>> 0
    const buddy = types.enumerators('pagetype')?.get('PGTY_buddy')
    if (buddy !== undefined) return type >>> 24 === buddy
    const value = vmcoreinfo.number('PAGE_BUDDY_MAPCOUNT_VALUE')
    if (value !== undefined) return Number(value) === (type | 0)
    // A flag of its own until 2.6.37.
    const bit = types.enumerators('pageflags')?.get('PG_buddy')
    if (bit !== undefined) return ((record.flags >> BigInt(bit)) & 1n) === 1n
    throw new MissingError('number', 'PAGE_BUDDY_MAPCOUNT_VALUE', 'VMCOREINFO')
  }
}

function slabLayouts(types: Types) {
  return {
    // A type of its own since 5.17, laid over struct page.
    slab: layout(types, types.has('slab') ? 'slab' : 'page', { cache: pointer('slab_cache') }),
    cache: layout(types, 'kmem_cache', { name: pointer('name'), size: uint('size') }),
  }
}

/** The bit of page_type that is clear in page tables of kernels before 6.11; 0 for later ones. */
export function oldTableBit(types: Types): number {
  if (types.enumerators('pagetype')?.has('PGTY_table') === true) return 0
  // PG_table of include/linux/page-flags.h: PG_kmemcg was below it until 5.11, when page.memcg_data came.
  return types.struct('page')?.member('memcg_data') === undefined ? 0x400 : 0x200
}

/** Whether a page_type says by that bit that it is one of a page table. */
export function isOldTableType(type: number, bit: number): boolean {
  return bit !== 0 && type >>> 28 === 0xf && (type & bit) === 0
}
