// SPDX-License-Identifier: GPL-2.0-or-later
// Kernel virtual addresses of the dumped host: the text map first, page tables once their rules are known.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { FaultError } from '../errors.ts'
import { scan } from '../paging/scan.ts'
import { walk } from '../paging/walk.ts'
import { type PagingRules } from '../paging/x86_64.ts'
import { type PhysicalMemory } from './physical.ts'
import { Space } from './space.ts'

/** `__START_KERNEL_map` of arch/x86/include/asm/page_64_types.h: where the kernel's image is linked. */
export const TEXT_MAP = 0xffffffff80000000n

/** What the page tables add to the text map. */
export interface KernelTables {
  /** The host physical address of init_top_pgt. */
  readonly root: number
  readonly rules: PagingRules
  /** `page_offset_base`: all physical memory is mapped from here on. */
  readonly directMap: bigint
  /** `vmalloc_base`: the first address above the direct map. */
  readonly directMapEnd: bigint
}

/** The memory of the dumped kernel by virtual address. */
export class KernelSpace extends Space {
  readonly name = 'kernel virtual'
  readonly memory: PhysicalMemory
  /** What is added to `address - TEXT_MAP` to get the physical address of the kernel's image. */
  readonly physBase: bigint
  readonly #imageEnd: bigint
  #tables: KernelTables | undefined

  /** `imageSize` is KERNEL_IMAGE_SIZE: 1 GiB when KASLR is built in, else 512 MiB; modules begin behind it. */
  constructor(memory: PhysicalMemory, physBase: bigint, imageSize: bigint) {
    super()
    this.memory = memory
    this.physBase = physBase
    this.#imageEnd = TEXT_MAP + imageSize
  }

  /** Adds the direct map and the page tables; before that only the text map can be read. */
  useTables(tables: KernelTables): void {
    this.#tables = tables
  }

  /**
   * The host physical address behind a kernel virtual one. Throws FaultError when nothing maps it.
   * The image and the direct map are linear; vmalloc, modules and vmemmap go through the tables.
   */
  physical(address: bigint): number {
    const linear = this.#linear(address)
    if (linear !== undefined) return linear
    const tables = this.#tables
    if (tables === undefined) {
      throw new FaultError(this.name, address, 'not-mapped', 'outside the kernel image')
    }
    const { end } = walk(this.memory, tables.rules, tables.root, address)
    switch (end.kind) {
      case 'page':
        return end.hpa
      case 'not-in-dump':
        throw new FaultError(
          this.name,
          address,
          end.missing.why,
          `its page table at ${hex(end.table)} is not in the dump: ${end.missing.detail}`,
        )
      case 'non-canonical':
        throw new FaultError(this.name, address, 'non-canonical', 'not a canonical address')
      case 'empty':
      case 'bad':
      case 'swap':
        throw new FaultError(this.name, address, 'not-mapped', 'no page table entry maps it')
    }
  }

  /**
   * The frames behind `count` pages from a page-aligned address on; -1 for a page that nothing maps, or whose table the
   * dump lacks. For many pages of vmalloc or vmemmap: each table is read once. Pages of the linear maps come as -1.
   */
  frames(address: bigint, count: number): Float64Array {
    const frames = new Float64Array(count).fill(-1)
    const tables = this.#tables
    if (tables === undefined) return frames
    const first = Number(address / BigInt(PAGE_SIZE))
    const { root, rules } = tables
    scan(this.memory, rules, root, first, count, (vpn, pages, kind, _level, frame) => {
      if (kind !== 'page' && kind !== 'prot-none') return
      for (let page = 0; page < pages; page++) frames[vpn - first + page] = frame + page
    })
    return frames
  }

  #linear(address: bigint): number | undefined {
    if (address >= TEXT_MAP && address < this.#imageEnd) {
      const linear = address - TEXT_MAP + this.physBase
      if (linear >= 0n) return Number(linear)
    }
    const tables = this.#tables
    if (tables === undefined || address < tables.directMap || address >= tables.directMapEnd) {
      return undefined
    }
    return Number(address - tables.directMap)
  }

  protected pageAt(address: bigint): Uint8Array {
    const hpa = this.physical(address)
    const page = this.memory.tryPage(Math.floor(hpa / PAGE_SIZE))
    if (page instanceof Uint8Array) return page
    const where = `its page at hpa ${hex(hpa)}: ${page.detail}`
    throw new FaultError(this.name, address, page.why, where)
  }
}
