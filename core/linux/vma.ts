// SPDX-License-Identifier: GPL-2.0-or-later
// Virtual memory areas: what a process has mapped where.

import { address, layout, pointer, u64, uint } from '../types/layout.ts'
import { type Files } from './file.ts'
import { type Host } from './host.ts'
import { MapleTrees } from './mapletree.ts'
import { RbTrees } from './rbtree.ts'
import { vmaFlagNames } from './vmaflags.ts'

/** One virtual memory area (`struct vm_area_struct`). */
export interface Vma {
  /** The address of the struct. */
  readonly address: bigint
  /** The first byte. */
  readonly start: bigint
  /** The byte behind the last. */
  readonly end: bigint
  /** `vm_flags` as the kernel keeps them. */
  readonly flagBits: bigint
  /** The flags by name, such as `READ`, `HUGEPAGE`, `UFFD_WP`. */
  readonly flags: readonly string[]
  /** As in /proc/PID/maps: `rw-p`. */
  readonly protection: string
  /** The offset in the file, in 4 KiB pages (`vm_pgoff`). */
  readonly pageOffset: bigint
  /** The path of the mapped file as the kernel would print it, or null for anonymous memory. */
  readonly file: string | null
  /** `[heap]` or `[stack]`, else null. */
  readonly name: string | null
}

/** How the VMAs of a process are kept. A new way is one more entry in the list of `Vmas`. */
interface Store {
  /** The struct of the VMA that holds `at`, or of the first one above it, or 0n. */
  find(mm: bigint, at: bigint): bigint
  all(mm: bigint): Iterable<bigint>
}

/** The virtual memory areas of one host's processes. */
export class Vmas {
  readonly #host: Host
  readonly #files: Files
  readonly #store: Store
  readonly #flagNames: (bits: bigint) => string[]
  readonly #vma
  readonly #mm

  constructor(host: Host, files: Files) {
    this.#host = host
    this.#files = files
    this.#vma = layout(host.types, 'vm_area_struct', {
      start: u64('vm_start'),
      end: u64('vm_end'),
      flags: u64('vm_flags'),
      pageOffset: u64('vm_pgoff'),
      file: pointer('vm_file'),
    })
    this.#mm = layout(host.types, 'mm_struct', {
      heapStart: u64('start_brk'),
      heapEnd: u64('brk'),
      stack: u64('start_stack'),
      count: uint('map_count'),
    })
    this.#flagNames = vmaFlagNames(host)
    // Newest first: the maple tree came with 6.1, before it an rb-tree served searches.
    const isMaple = host.types.struct('mm_struct')?.member('mm_mt.ma_root') !== undefined
    this.#store = isMaple ? this.#maple() : this.#rbTree()
  }

  /** The VMA that holds an address, or undefined. */
  find(mm: bigint, at: bigint): Vma | undefined {
    const found = this.#store.find(mm, at)
    if (found === 0n) return undefined
    const vma = this.#read(mm, found)
    return vma.start <= at && at < vma.end ? vma : undefined
  }

  /** All VMAs of a process in the order of their addresses. */
  *all(mm: bigint): Generator<Vma> {
    for (const found of this.#store.all(mm)) yield this.#read(mm, found)
  }

  #read(mm: bigint, at: bigint): Vma {
    const { space } = this.#host
    const record = this.#vma.at(space, at)
    const { start, end, flags, file } = record
    const letters = [flags & 1n ? 'r' : '-', flags & 2n ? 'w' : '-', flags & 4n ? 'x' : '-']
    return {
      address: at,
      start,
      end,
      flagBits: flags,
      flags: this.#flagNames(flags),
      protection: letters.join('') + (flags & 8n ? 's' : 'p'),
      pageOffset: record.pageOffset,
      file: file === 0n ? null : this.#files.path(file),
      name: file === 0n ? this.#nameOf(mm, start, end) : null,
    }
  }

  /** vma_is_initial_heap and vma_is_initial_stack of include/linux/mm.h. */
  #nameOf(mm: bigint, start: bigint, end: bigint): string | null {
    const { heapStart, heapEnd, stack } = this.#mm.at(this.#host.space, mm)
    if (start < heapEnd && end > heapStart) return '[heap]'
    return start <= stack && stack <= end ? '[stack]' : null
  }

  /** map_count is what the kernel counted; a torn tree can hold a few more while one is split. */
  #limit(mm: bigint): number {
    return this.#mm.at(this.#host.space, mm).count + 64
  }

  #maple(): Store {
    const { space, types } = this.#host
    const trees = new MapleTrees(space, types)
    const fields = layout(types, 'mm_struct', { root: address('mm_mt.ma_root') })
    const root = BigInt(fields.offset('root'))
    return {
      find: (mm, at) => trees.load(mm + root, at),
      all: (mm) => trees.entries(mm + root, this.#limit(mm)),
    }
  }

  #rbTree(): Store {
    const { space, types } = this.#host
    const trees = new RbTrees(space, types)
    const root = layout(types, 'mm_struct', { top: pointer('mm_rb.rb_node') })
    const node = BigInt(layout(types, 'vm_area_struct', { node: address('vm_rb') }).offset('node'))
    const topOf = (mm: bigint) => root.at(space, mm).top
    return {
      find: (mm, at) => {
        const found = trees.search(topOf(mm), 'mm_struct.mm_rb', (candidate) => {
          const { start, end } = this.#vma.at(space, candidate - node)
          return end <= at ? 1 : start > at ? -1 : 0
        })
        return found === undefined ? 0n : found - node
      },
      all: function* (this: Vmas, mm: bigint) {
        for (const found of trees.nodes(topOf(mm), 'mm_struct.mm_rb', this.#limit(mm))) {
          yield found - node
        }
      }.bind(this),
    }
  }
}
