// SPDX-License-Identifier: GPL-2.0-or-later
// The section `ram` of a migration stream: the list of blocks, then pages, each with its offset in a block.

import { FormatError, UnsupportedError } from '../../errors.ts'
import { type FileCursor } from '../filepart.ts'
import { PAGE_SIZE } from '../format.ts'

/** Flags of an entry, in the low bits of its offset (migration/ram.c, RAM_SAVE_FLAG_*). */
const flag = {
  ZERO: 0x02,
  MEM_SIZE: 0x04,
  PAGE: 0x08,
  EOS: 0x10,
  CONTINUE: 0x20,
  XBZRLE: 0x40,
  HOOK: 0x80,
  COMPRESS_PAGE: 0x100,
  MULTIFD_FLUSH: 0x200,
} as const

/** What makes a stream one whose pages cannot be read, by flag. */
const refused: readonly (readonly [number, string])[] = [
  [0x01, 'the page format of QEMU before 0.14'],
  [flag.XBZRLE, 'XBZRLE (differences to pages sent before)'],
  [flag.HOOK, 'RDMA (pages that went another way)'],
  [flag.COMPRESS_PAGE, 'compressed pages (the capability compress, removed in QEMU 9.1)'],
  [flag.MULTIFD_FLUSH, 'multifd (pages in other connections)'],
]

/** A block of memory of the machine: RAM, a ROM, video memory. */
export interface RamBlock {
  readonly name: string
  readonly size: number
  /** Where mapped-ram keeps it, as offsets in the stream's file. */
  readonly mapped?: MappedBlock
}

/** A block that lies in the file as it lay in memory (capability mapped-ram, QEMU 9.0 and later). */
export interface MappedBlock {
  readonly bitmapAt: number
  readonly pagesAt: number
}

/** What a page was sent as. `offset` is that of its bytes in the file. */
export interface RamVisitor {
  page(block: RamBlock, page: number, offset: number): void
  zero(block: RamBlock, page: number): void
}

/** More blocks than any machine has; each has a name and a size. */
const MAX_BLOCKS = 4096
/** 2^52 bytes, the end of x86-64's physical addresses. */
const MAX_BYTES = 2 ** 52

/** Reads the bodies of a stream's sections of `ram`. */
export class RamSections {
  readonly blocks: RamBlock[] = []
  readonly #cursor: FileCursor
  readonly #capabilities: readonly string[]
  readonly #shift: number
  readonly #byName = new Map<string, RamBlock>()
  #last: RamBlock | undefined

  /** `capabilities` are those that the stream's configuration names. Offsets of mapped-ram count from `-shift`. */
  constructor(cursor: FileCursor, capabilities: readonly string[], shift: number) {
    this.#cursor = cursor
    this.#capabilities = capabilities
    this.#shift = shift
  }

  /** Reads a body up to its end. Throws FormatError, and UnsupportedError by name of what cannot be read. */
  read(visitor: RamVisitor | undefined, onBlocks: (blocks: readonly RamBlock[]) => RamVisitor) {
    const cursor = this.#cursor
    let to = visitor
    for (;;) {
      const at = cursor.at
      const entry = cursor.u64('an entry of ram')
      const flags = entry % PAGE_SIZE
      const offset = entry - flags
      const kind = flags & ~flag.CONTINUE
      if (kind === flag.EOS) return to
      if (kind === flag.MEM_SIZE) {
        this.#readBlocks(offset)
        to = onBlocks(this.blocks)
        continue
      }
      if (kind === flag.MULTIFD_FLUSH && this.#capabilities.includes('mapped-ram')) continue
      if (kind !== flag.PAGE && kind !== flag.ZERO) this.#refuse(kind, at)
      const block = (flags & flag.CONTINUE) !== 0 ? this.#last : this.#named(at)
      if (block === undefined || to === undefined || offset >= block.size) {
        const where = block === undefined ? 'no block' : `${block.name} of ${block.size} bytes`
        throw this.#bad(at, `a page at ${offset} of ${where}`)
      }
      this.#last = block
      if (kind === flag.PAGE) {
        const data = cursor.at
        cursor.skip(PAGE_SIZE, 'a page')
        to.page(block, offset / PAGE_SIZE, data)
      } else {
        const fill = cursor.u8('the byte of a page')
        if (fill !== 0) throw this.#bad(at, `a page filled with ${fill}`)
        to.zero(block, offset / PAGE_SIZE)
      }
    }
  }

  #named(at: number): RamBlock {
    const name = this.#cursor.name("a block's name")
    const block = this.#byName.get(name)
    if (block === undefined) throw this.#bad(at, `a page of block '${name}', which was not listed`)
    return block
  }

  #readBlocks(total: number): void {
    if (this.blocks.length > 0) throw this.#bad(this.#cursor.at, 'a second list of blocks')
    if (total > MAX_BYTES) throw this.#bad(this.#cursor.at, `${total} bytes of memory`)
    for (let left = total; left > 0;) {
      const at = this.#cursor.at
      const name = this.#cursor.name("a block's name")
      const size = this.#cursor.u64("a block's size")
      const isListed = this.#byName.has(name) || this.blocks.length === MAX_BLOCKS
      if (size === 0 || size > left || size % PAGE_SIZE !== 0 || isListed) {
        throw this.#bad(at, `block '${name}' of ${size} bytes, with ${left} left`)
      }
      if (this.#capabilities.includes('x-ignore-shared')) this.#cursor.u64("a block's address")
      const isMapped = this.#capabilities.includes('mapped-ram')
      const block = isMapped ? { name, size, mapped: this.#readMapped(size) } : { name, size }
      this.blocks.push(block)
      this.#byName.set(name, block)
      left -= size
    }
  }

  /** The header of a mapped block (migration/ram.c, MappedRamHeader), which is behind its bitmap and its pages. */
  #readMapped(size: number): MappedBlock {
    const at = this.#cursor.at
    const version = this.#cursor.u32('mapped-ram version')
    const pageSize = this.#cursor.u64('mapped-ram page size')
    const bitmapAt = this.#cursor.u64('mapped-ram bitmap offset') - this.#shift
    const pagesAt = this.#cursor.u64('mapped-ram pages offset') - this.#shift
    const bitmapEnd = bitmapAt + Math.ceil(size / PAGE_SIZE / 64) * 8
    if (version !== 1 || pageSize !== PAGE_SIZE || bitmapAt < at || pagesAt < bitmapEnd) {
      const places = `bitmap at ${bitmapAt}, pages at ${pagesAt}`
      throw this.#bad(at, `mapped-ram version ${version}, pages of ${pageSize}, ${places}`)
    }
    this.#cursor.at = pagesAt + size
    return { bitmapAt, pagesAt }
  }

  #refuse(kind: number, at: number): never {
    const [, name] = refused.find(([bit]) => (kind & bit) !== 0) ?? []
    if (name === undefined) throw this.#bad(at, `an entry with flags 0x${kind.toString(16)}`)
    throw new UnsupportedError(
      `${this.#cursor.file.name}: the migration stream has ${name} at ${at}, which is not read here. ${dumpInstead}`,
      name,
    )
  }

  #bad(at: number, problem: string): FormatError {
    return new FormatError(
      `${this.#cursor.file.name}: section ram has ${problem} at ${at}`,
      'ram',
      at,
    )
  }
}

/** What to do with a stream that cannot be read. */
export const dumpInstead =
  'Dump the machine by `virsh dump --memory-only --format kdump-zlib DOMAIN FILE`, or in the QEMU monitor by `dump-guest-memory -z FILE`'
