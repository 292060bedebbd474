// SPDX-License-Identifier: GPL-2.0-or-later
// Where the pages of a machine's memory lie in a migration stream: blocks one behind the other, sent or mapped.

import { DumpError } from '../../errors.ts'
import { type FileBytes } from '../file.ts'
import { PAGE_SIZE } from '../format.ts'
import { ABSENT, RamIndex, ZERO } from './ramindex.ts'
import { type MappedBlock, type RamBlock, type RamVisitor } from './ramsection.ts'

/** ROMs, flash and video memory, by the names that QEMU gives their blocks, and memory of PCI devices. */
const notMemory = /^\/rom@|^pc\.(bios|rom)$|flash|vram|\.rom$|^[0-9a-f]{4}:[0-9a-f]{2}:/

/**
 * The blocks of a machine's memory by number of page. It is one, `pc.ram`; or those of its NUMA nodes, which are named by
 * the user and lie one behind the other in the nodes' order: libvirt and most people number them.
 */
export class RamPages implements RamVisitor {
  /** The blocks, in the order of memory. */
  readonly blocks: readonly RamBlock[]
  /** How many pages they have. */
  readonly pages: number
  readonly #file: FileBytes
  readonly #index: RamIndex
  readonly #firstPage: ReadonlyMap<RamBlock, number>

  /** The memory among all `blocks` of a stream in `file`. */
  constructor(blocks: readonly RamBlock[], file: FileBytes) {
    const whole = blocks.filter(({ name }) => name === 'pc.ram')
    const named = blocks.filter(({ name }) => !notMemory.test(name))
    const order = new Intl.Collator('en', { numeric: true })
    this.blocks = whole.length > 0 ? whole : named.sort((a, b) => order.compare(a.name, b.name))
    const firstPage = new Map<RamBlock, number>()
    let pages = 0
    for (const block of this.blocks) {
      firstPage.set(block, pages)
      pages += block.size / PAGE_SIZE
    }
    this.pages = pages
    this.#firstPage = firstPage
    this.#file = file
    this.#index = new RamIndex(pages)
  }

  /** Notes where a page of a block is. */
  page(block: RamBlock, page: number, offset: number): void {
    const first = this.#firstPage.get(block)
    if (first !== undefined) this.#index.set(first + page, offset)
  }

  /** Notes that a page of a block is all zeros. */
  zero(block: RamBlock, page: number): void {
    const first = this.#firstPage.get(block)
    if (first !== undefined) this.#index.setZero(first + page)
  }

  /** The offset of a page's bytes, `ZERO` or `ABSENT`. Throws DumpError when the file does not tell. */
  offsetOf(page: number): number {
    const indexed = this.#index.get(page)
    if (indexed !== ABSENT) return indexed
    const [block, first] = this.#blockOf(page)
    return block?.mapped === undefined ? ABSENT : this.#mappedOffset(block.mapped, page - first)
  }

  /** How many of `count` pages from `page` on have bytes in the file, or are zeros. */
  saved(page: number, count: number): number {
    const end = page + count
    let saved = 0
    for (let at = page; at < end;) {
      const [block, first] = this.#blockOf(at)
      if (block === undefined) break
      const next = Math.min(end, first + block.size / PAGE_SIZE)
      if (block.mapped === undefined) saved += this.#index.sent(at, next - at)
      // Each page of a mapped block is there, as bytes or as a clear bit for zeros, unless the file was cut.
      else if (block.mapped.pagesAt + block.size <= this.#file.size) saved += next - at
      else for (let one = at; one < next; one++) if (this.#isInFile(one)) saved++
      at = next
    }
    return saved
  }

  /** The block of a page, and the block's first page. */
  #blockOf(page: number): [RamBlock | undefined, number] {
    for (const block of this.blocks) {
      const first = this.#firstPage.get(block) ?? 0
      if (page >= first && page < first + block.size / PAGE_SIZE) return [block, first]
    }
    return [undefined, 0]
  }

  /** A bit a page, in 64-bit words of the host's order: set when the page was written, clear when it is zeros. */
  #mappedOffset({ bitmapAt, pagesAt }: MappedBlock, page: number): number {
    const [bits = 0] = this.#file.read(bitmapAt + Math.floor(page / 8), 1, 'the bitmap')
    return (bits & (1 << (page % 8))) === 0 ? ZERO : pagesAt + page * PAGE_SIZE
  }

  #isInFile(page: number): boolean {
    try {
      const offset = this.offsetOf(page)
      return offset === ZERO || (offset !== ABSENT && offset + PAGE_SIZE <= this.#file.size)
    } catch (error) {
      if (error instanceof DumpError) return false
      throw error
    }
  }
}
