// SPDX-License-Identifier: GPL-2.0-or-later
// The page cache of a mapped file: pages of shared memory that no page table of the process names.

import { hex } from '../bytes/hex.ts'
import { PAGE_SIZE } from '../dump/format.ts'
import { FaultError } from '../errors.ts'
import { address as addressOf, layout, pointer } from '../types/layout.ts'
import { type Files } from './file.ts'
import { type Host } from './host.ts'
import { type Pages } from './page.ts'
import { type EntryValues, entryValues } from './swap/entryvalue.ts'
import { type Swap } from './swap/swap.ts'
import { ShmemSwap } from './swap/shmemswap.ts'
import { type PageContent, type SwapContents, ZEROS } from './swap/swapcontent.ts'
import { type Trees, treesOf } from './tree.ts'
import { type Vma } from './vma.ts'

const NAME = 'user virtual'

/** The parts of a dumped kernel that contents are looked for in. */
export interface ContentSources {
  readonly host: Host
  readonly files: Files
  readonly pages: Pages
  readonly swap: Swap
  readonly swapContents: SwapContents
}

/** Pages of files and shared memory of one host. */
export class PageCache {
  readonly #linux: ContentSources
  readonly #trees: Trees
  readonly #values: EntryValues
  readonly #shmem: ShmemSwap
  readonly #vma
  readonly #file
  readonly #mapping

  constructor(linux: ContentSources) {
    const { space, types } = linux.host
    this.#linux = linux
    this.#trees = treesOf(space, types)
    this.#values = entryValues(linux.host)
    this.#shmem = new ShmemSwap(linux.host)
    this.#vma = layout(types, 'vm_area_struct', { file: pointer('vm_file') })
    this.#file = layout(types, 'file', { mapping: pointer('f_mapping') })
    this.#mapping = layout(types, 'address_space', { pages: addressOf('i_pages', 'page_tree') })
  }

  /**
   * Page `index` of the file behind a VMA, for the user virtual address that asked. Shared memory (tmpfs, memfd) keeps
   * its swap entries in the same place. Throws FaultError when memory does not hold it.
   */
  read(vma: Vma, index: bigint, address: bigint): PageContent {
    const { host, pages } = this.#linux
    const { file } = this.#vma.at(host.space, vma.address)
    if (file === 0n) throw new FaultError(NAME, address, 'not-mapped', 'its VMA has no file')
    const { mapping } = this.#file.at(host.space, file)
    const at = Number(index)
    const tree = this.#mapping.at(host.space, mapping).pages
    if (vma.flags.includes('HUGETLB')) return this.#hugetlb(tree, at, address)
    const found = this.#trees.find(tree, at)
    const { entry } = found
    const isShared = this.#isSharedMemory(file)
    if (entry === 0n && isShared) {
      this.#shmem.refuse(this.#linux.files.paths.inodeOf(file))
      return { from: 'zeros', how: 'never written, reads as zeros', bytes: ZEROS }
    }
    if ((entry & 1n) === 1n && isShared) {
      const { type, offset } = this.#values.read(entry >> 1n)
      // An entry of a large folio stands for all of its pages, which follow each other on the device.
      return this.#swapped(type, offset + at - found.first, address)
    }
    const head = (entry & 1n) === 1n ? undefined : pages.frameAt(entry)
    if (head === undefined) {
      const problem = `page ${at} of ${vma.file ?? 'its file'} is not in memory`
      throw new FaultError(NAME, address, 'swapped', problem)
    }
    return this.#frame(head + (at % 2 ** pages.order(entry)), address)
  }

  /**
   * hugetlb counts in huge pages until 6.6, and in small ones later, when one entry covers all of them: that tells which
   * of the counts a page is found by.
   */
  #hugetlb(tree: bigint, index: number, address: bigint): PageContent {
    for (const count of [1, 512, 512 * 512]) {
      const { entry, first } = this.#trees.find(tree, Math.floor(index / count))
      if (entry === 0n || (entry & 1n) === 1n) continue
      const covers = this.#trees.find(tree, first + 1).first === first
      const order = this.#linux.pages.order(entry)
      const isOwn = count === 1 ? covers : !covers && 2 ** order === count
      const head = isOwn ? this.#linux.pages.frameAt(entry) : undefined
      if (head !== undefined) return this.#frame(head + (index % 2 ** order), address)
    }
    return { from: 'zeros', how: 'never touched, reads as zeros', bytes: ZEROS }
  }

  #frame(pfn: number, address: bigint): PageContent {
    const bytes = this.#linux.host.memory.tryPage(pfn)
    const hpa = hex(pfn * PAGE_SIZE)
    if (bytes instanceof Uint8Array) return { from: 'page cache', how: `hpa ${hpa}`, bytes }
    const where = `in the page cache at hpa ${hpa}: ${bytes.detail}`
    throw new FaultError(NAME, address, bytes.why, where)
  }

  #swapped(type: number, offset: number, address: bigint): PageContent {
    const { swap, swapContents } = this.#linux
    if (type < swap.format.maxSwapFiles) return swapContents.read(type, offset)
    const problem = `shared memory has an entry of type ${type} for it: no page`
    throw new FaultError(NAME, address, 'not-mapped', problem)
  }

  /** tmpfs and memfd: what is not there was never written. Files on disks have more than their cache. */
  #isSharedMemory(file: bigint): boolean {
    return this.#linux.files.paths.entryOf(file).fileSystem === 'tmpfs'
  }
}
