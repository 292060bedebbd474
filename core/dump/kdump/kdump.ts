// SPDX-License-Identifier: GPL-2.0-or-later
// kdump-compressed: what makedumpfile writes, header versions 0 to 6.

import { Ahead, type PackedBlock } from '../../codec/ahead.ts'
import { codecs, decode } from '../../codec/index.ts'
import { hex } from '../../bytes/hex.ts'
import { DumpError, UnsupportedError } from '../../errors.ts'
import { CHUNK_BYTES, ChunkedFile } from '../chunks.ts'
import {
  DISKDUMP_SIGNATURE,
  DUMP_DH_COMPRESSED,
  flagsProblem,
  KDUMP_SIGNATURE,
  page_desc,
} from './diskdump.ts'
import { type FileBytes } from '../file.ts'
import {
  missingBy,
  PAGE_SIZE,
  type DumpFacts,
  type DumpFormat,
  type FrameRange,
  type Missing,
  type Note,
  type PageSource,
} from '../format.ts'
import { leftOut } from '../level.ts'
import { isSlice } from '../notes.ts'
import { PageCache } from '../pagecache.ts'
import { Bitmap } from './rank.ts'
import { inOtherPart, type KdumpPart, partOf, remarksOn, sortParts } from '../split.ts'

// Chunks that are kept: 16 MiB of bitmaps and descriptors, 1 MiB of page data, since pages are kept decoded.
const INDEX_CHUNKS = (16 << 20) / CHUNK_BYTES
const DATA_CHUNKS = (1 << 20) / CHUNK_BYTES

/** The format of makedumpfile's and QEMU's kdump-compressed files. */
export const kdump: DumpFormat = {
  name: 'kdump-compressed',
  looksFor: `'${KDUMP_SIGNATURE}' at offset 0`,
  probe: (head) => signature(head) === KDUMP_SIGNATURE,
  open: (file) => openKdump([file]),
}

/**
 * Opens a kdump-compressed dump: one file, or those parts of a split one that are there, in any order.
 * Throws UsageError for parts that do not belong together.
 */
export function openKdump(files: readonly FileBytes[]): PageSource {
  return new KdumpPages(sortParts(files))
}

/** The format before it, of kernels up to 2.6.18: known so that it can be refused by name. */
export const diskdump: DumpFormat = {
  name: 'diskdump',
  looksFor: `'${DISKDUMP_SIGNATURE}' at offset 0`,
  probe: (head) => signature(head) === DISKDUMP_SIGNATURE,
  open(file) {
    const what = 'a diskdump file (kernels up to 2.6.18)'
    throw new UnsupportedError(`${file.name} is ${what}, which is not supported`, what)
  },
}

function signature(head: Uint8Array): string {
  return new TextDecoder('latin1').decode(head.subarray(0, 8))
}

const codecNames = new Map(DUMP_DH_COMPRESSED)

/** A part with what is kept of it. */
interface OpenPart extends KdumpPart {
  readonly index: ChunkedFile
  readonly data: ChunkedFile
  /** Where its first byte would be if the parts lay one behind the other: what its pages are kept by. */
  readonly offset: number
  /** Pages saved below its first frame, once they are counted. */
  savedBefore: number | undefined
}

/** Where the data of a page lie, as its descriptor says. */
interface Stored {
  readonly part: OpenPart
  readonly offset: number
  readonly size: number
  readonly flags: number
  /** Where the descriptor is. */
  readonly at: number
}

class KdumpPages implements PageSource {
  readonly facts: DumpFacts
  readonly endPfn: number
  readonly notes: readonly Note[]
  readonly vmcoreinfo: string | undefined
  readonly #remarks: string[]
  readonly #parts: readonly [OpenPart, ...OpenPart[]]
  readonly #index: ChunkedFile
  readonly #exists: Bitmap
  readonly #saved: Bitmap
  readonly #cache = new PageCache()
  readonly #ahead = new Ahead([...codecNames.values()], PAGE_SIZE)
  #odd = false

  constructor(parts: readonly [KdumpPart, ...KdumpPart[]]) {
    // Every part has all headers, notes and bitmaps.
    const [{ file, headers }] = parts
    this.#remarks = [...new Set(parts.flatMap((part) => part.headers.facts.remarks))]
    this.#remarks.push(...remarksOn(parts))
    this.facts = { ...headers.facts, remarks: this.#remarks }
    this.endPfn = headers.endPfn
    this.notes = headers.notes
    this.vmcoreinfo = headers.vmcoreinfo
    this.#index = new ChunkedFile(file, INDEX_CHUNKS)
    let end = 0
    const open = (part: KdumpPart): OpenPart => {
      const index = part.file === file ? this.#index : new ChunkedFile(part.file, INDEX_CHUNKS)
      const data = new ChunkedFile(part.file, DATA_CHUNKS)
      const offset = end
      end += part.file.size
      return { ...part, index, data, offset, savedBefore: undefined }
    }
    const [first, ...rest] = parts
    this.#parts = [open(first), ...rest.map(open)]
    const { existsAt, savedAt, bitmapBytes } = headers
    this.#saved = new Bitmap(this.#index, savedAt, bitmapBytes, 'the bitmap of saved pages')
    this.#exists =
      existsAt === savedAt
        ? this.#saved
        : new Bitmap(this.#index, existsAt, bitmapBytes, 'the bitmap of memory')
  }

  page(pfn: number): Uint8Array | Missing {
    try {
      if (!this.#isIn(pfn) || !this.#saved.has(pfn)) return this.#notSaved(pfn)
      const stored = this.#stored(pfn)
      if ('why' in stored) return stored
      return this.#cache.get(stored.part.offset + stored.offset) ?? this.#decode(stored)
    } catch (error) {
      // The file has become shorter, or its disk does not give it back.
      if (error instanceof DumpError) return missingBy(error)
      throw error
    }
  }

  ahead(pfns: readonly number[]): void {
    if (!this.#ahead.isWorthIt(pfns.length)) return
    const blocks: PackedBlock[] = []
    for (const pfn of pfns) {
      const block = this.#packed(pfn)
      if (block !== undefined) blocks.push(block)
    }
    this.#ahead.begin(blocks)
  }

  exists(pfn: number): boolean {
    return this.#isIn(pfn) && (this.#exists.has(pfn) || this.#saved.has(pfn))
  }

  saved(pfn: number, count: number): number {
    try {
      if (count === 1) return this.#isHere(pfn) ? 1 : 0
      let saved = 0
      for (const { start, end } of this.#parts) {
        const from = Math.max(pfn, start)
        const to = Math.min(pfn + count, end)
        if (from < to) saved += this.#saved.rank(to) - this.#saved.rank(from)
      }
      return saved
    } catch (error) {
      // The file has become shorter, or its disk does not give it back.
      if (error instanceof DumpError) return 0
      throw error
    }
  }

  memory(): Iterable<FrameRange> {
    return this.#exists.runs(this.endPfn)
  }

  close(): void {
    this.#ahead.close()
    for (const { file } of this.#parts) file.close()
  }

  #isIn(pfn: number): boolean {
    return Number.isInteger(pfn) && pfn >= 0 && pfn < this.endPfn
  }

  #isHere(pfn: number): boolean {
    return this.#isIn(pfn) && this.#saved.has(pfn) && partOf(this.#parts, pfn) !== undefined
  }

  #notSaved(pfn: number): Missing {
    if (!this.exists(pfn)) return { why: 'hole', detail: 'the host has no memory there' }
    if (isSlice(this.notes)) {
      return {
        why: 'excluded',
        detail: 'the page is not in this slice of a dump; ask the full dump',
      }
    }
    const level = this.facts.dumpLevel
    const why = level === undefined ? '' : ` (dump level ${level} leaves out ${leftOut(level)})`
    return { why: 'excluded', detail: `makedumpfile did not save the page${why}` }
  }

  // The page descriptors are in the order of frames, one for each bit in the bitmap of saved pages.
  #stored(pfn: number): Stored | Missing {
    if (!this.#odd && !this.#exists.has(pfn)) {
      this.#odd = true
      this.#remarks.push(
        `frame ${pfn} has a page, but the bitmap of memory lacks it: the page is used`,
      )
    }
    const part = partOf(this.#parts, pfn)
    if (part === undefined) return lost(inOtherPart(this.#parts, pfn))
    const { file, index, headers } = part
    const before = (part.savedBefore ??= part.start > 0 ? this.#saved.rank(part.start) : 0)
    const at = headers.descAt + page_desc.size * (this.#saved.rank(pfn) - before)
    if (at + page_desc.size > file.size) {
      return lost(`the file ends at ${file.size}, the page's descriptor should be at ${at}`)
    }
    const bytes = index.read(at, page_desc.size, 'page_desc')
    const view = new DataView(bytes.buffer, bytes.byteOffset, page_desc.size)
    const offset =
      view.getUint32(page_desc.offsets.offset, true) +
      view.getInt32(page_desc.offsets.offset + 4, true) * 2 ** 32
    const size = view.getUint32(page_desc.offsets.size, true)
    const flags = view.getUint32(page_desc.offsets.flags, true)
    return misplaced(part, offset, size, at) ?? { part, offset, size, flags, at }
  }

  /** What other threads can unpack; undefined for pages that are here, or missing, or not packed. */
  #packed(pfn: number): PackedBlock | undefined {
    try {
      if (!this.#isIn(pfn) || !this.#saved.has(pfn)) return undefined
      const stored = this.#stored(pfn)
      if ('why' in stored) return undefined
      const { part, offset, size, flags } = stored
      const codec = codecNames.get(flags)
      const key = part.offset + offset
      if (codec === undefined || this.#cache.has(key) || this.#ahead.has(key)) return undefined
      return { key, codec, data: part.data.read(offset, size, 'page data') }
    } catch (error) {
      // Told when the page is asked for.
      if (error instanceof DumpError) return undefined
      throw error
    }
  }

  #decode({ part, offset, size, flags, at }: Stored): Uint8Array | Missing {
    const key = part.offset + offset
    const unpacked = this.#ahead.take(key)
    if (unpacked !== undefined) return this.#cache.add(key, unpacked)
    const desc = `page_desc at ${at}`
    const data = part.data.read(offset, size, 'page data')
    if (flags === 0) {
      if (size !== PAGE_SIZE) return corrupt(`${desc} says ${size} bytes without compression`)
      return this.#cache.add(key, data.slice())
    }
    const codec = codecs.get(codecNames.get(flags) ?? '')
    if (codec === undefined) {
      return corrupt(`the flags ${hex(flags)} of ${desc} ${flagsProblem(flags)}`)
    }
    try {
      return this.#cache.add(key, decode(codec, data, PAGE_SIZE))
    } catch (error) {
      if (!(error instanceof DumpError)) throw error
      return corrupt(`its ${size} bytes of data at ${offset} do not decode: ${error.message}`)
    }
  }
}

// Why a descriptor's data cannot be read, if so.
function misplaced(part: OpenPart, offset: number, size: number, at: number): Missing | undefined {
  const desc = `page_desc at ${at}`
  if (offset === 0) {
    const incomplete = part.headers.incomplete ? ', the dump is marked as incomplete' : ''
    return lost(`the page was never written (empty ${desc}${incomplete})`)
  }
  if (offset < 0 || size === 0 || size > PAGE_SIZE) {
    return corrupt(`${desc} says ${size} bytes at ${offset}, which cannot be`)
  }
  if (offset + size <= part.file.size) return undefined
  return lost(`the file ends at ${part.file.size}, the page's data are at ${offset} (${desc})`)
}

function lost(detail: string): Missing {
  return { why: 'lost', detail }
}

function corrupt(detail: string): Missing {
  return { why: 'corrupt', detail }
}
