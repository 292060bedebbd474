// SPDX-License-Identifier: GPL-2.0-or-later
// ELF vmcores: copies of /proc/vmcore, makedumpfile -E, QEMU's dump-guest-memory; and /proc/kcore.

import { DumpError, UnsupportedError } from '../../errors.ts'
import { CHUNK_BYTES, ChunkedFile } from '../chunks.ts'
import { DUMP_ELF_INCOMPLETE, ELFCLASS32, type ElfHeader, EM_X86_64 } from './elfheaders.ts'
import { refuseOthers } from './elfothers.ts'
import { readElfHeader, readSegments, type Segments } from './elfsegments.ts'
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
import { MAX_NOTES_BYTES, otherNotes, parseNotes, vmcoreinfoOf } from '../notes.ts'
import { PageCache } from '../pagecache.ts'
import { type Range } from '../ranges.ts'

// Chunks that are kept, 1 MiB: neighbours are read together, pages are kept by the page cache.
const CHUNKS = (1 << 20) / CHUNK_BYTES

/** Frames of the 52 bits of a physical address on x86-64. */
const MAX_PFN = 2 ** 40
const NO_SEGMENT = 'no segment has memory there'

/** The format of core files of x86-64, /proc/kcore among them. */
export const elf: DumpFormat = {
  name: 'ELF',
  looksFor: '7f 45 4c 46 at offset 0',
  probe: (head) => head[0] === 0x7f && head[1] === 0x45 && head[2] === 0x4c && head[3] === 0x46,
  open: (file) => new ElfPages(file),
}

class ElfPages implements PageSource {
  readonly facts: DumpFacts
  readonly endPfn: number
  readonly notes: readonly Note[]
  readonly vmcoreinfo: string | undefined
  readonly #file: FileBytes
  readonly #chunks: ChunkedFile
  readonly #segments: Segments
  readonly #incomplete: boolean
  readonly #cache = new PageCache()

  constructor(file: FileBytes) {
    const header = readElfHeader(file)
    refuseOthers(file, header)
    const remarks = [...(file.remarks ?? [])]
    this.#file = file
    this.#chunks = new ChunkedFile(file, CHUNKS)
    this.#segments = readSegments(this.#chunks, header, remarks)
    const told = (header.e_flags & DUMP_ELF_INCOMPLETE) !== 0
    this.#incomplete = told || this.#segments.unwritten > 0
    if (told) remarks.push('the dump is incomplete: makedumpfile could not write all pages')
    this.endPfn = Math.ceil(this.#segments.memory.end / PAGE_SIZE)
    this.notes = readNotes(file, this.#segments.notes, remarks)
    this.vmcoreinfo = vmcoreinfoOf(this.notes)
    checkMachine(file, header, this.vmcoreinfo)
    if (header.class === ELFCLASS32)
      remarks.push('a 32-bit ELF file of a 64-bit kernel: memory above 4 GiB cannot be in it')
    if (this.#segments.live) {
      remarks.push(
        'the memory of a running system (/proc/kcore): it changes while it is read, so answers may contradict each other; a page that was read is kept as it was',
      )
    }
    const others = otherNotes(this.notes)
    if (others.length > 0) remarks.push(`other notes: ${others.join(', ')}`)
    this.facts = { format: 'ELF', machine: 'x86_64', remarks }
  }

  page(pfn: number): Uint8Array | Missing {
    const start = pfn * PAGE_SIZE
    if (!isPfn(pfn)) return { why: 'hole', detail: NO_SEGMENT }
    try {
      const end = start + PAGE_SIZE
      const range = this.#segments.data.endingAbove(start)
      if (range === undefined || range.start >= end) return this.#missing(start, 0, start)
      const whole = range.start <= start && range.end >= end
      return whole ? this.#whole(range.offset + (start - range.start)) : this.#inParts(start)
    } catch (error) {
      // The file has become shorter, or its disk does not give it back.
      if (error instanceof DumpError) return missingBy(error)
      throw error
    }
  }

  exists(pfn: number): boolean {
    return isPfn(pfn) && this.#segments.memory.touch(pfn * PAGE_SIZE, (pfn + 1) * PAGE_SIZE)
  }

  saved(pfn: number, count: number): number {
    return isPfn(pfn) ? this.#segments.data.pieces(pfn * PAGE_SIZE, count, PAGE_SIZE) : 0
  }

  memory(): Iterable<FrameRange> {
    return this.#segments.memory.frames()
  }

  close(): void {
    this.#file.close()
  }

  #whole(offset: number): Uint8Array {
    const kept = this.#cache.get(offset)
    if (kept !== undefined) return kept
    return this.#cache.add(offset, this.#chunks.read(offset, PAGE_SIZE, 'page data').slice())
  }

  // A page may be put together of several segments. One that is there in part only is not handed out: the rest of
  // its bytes would have to be made up.
  #inParts(start: number): Uint8Array | Missing {
    const end = start + PAGE_SIZE
    const page = new Uint8Array(PAGE_SIZE)
    let found = 0
    let gap = -1
    for (let at = start; at < end;) {
      const range = this.#segments.data.endingAbove(at)
      const from = Math.min(range?.start ?? end, end)
      if (range === undefined || from > at) {
        if (gap < 0) gap = at
        at = from
        continue
      }
      const length = Math.min(range.end, end) - at
      const bytes = this.#chunks.read(range.offset + (at - range.start), length, 'page data')
      page.set(bytes, at - start)
      found += length
      at += length
    }
    return gap < 0 ? page : this.#missing(start, found, gap)
  }

  #missing(start: number, found: number, gap: number): Missing {
    const { memory, cutOff } = this.#segments
    const part = found > 0 ? `only ${found} of the page's ${PAGE_SIZE} bytes are in the file: ` : ''
    const cut = cutOff.endingAbove(start)
    if (cut !== undefined && cut.start < start + PAGE_SIZE) {
      const at = cut.offset + Math.max(0, start - cut.start)
      return {
        why: 'lost',
        detail: `${part}the file ends at ${this.#file.size}, before the page's data at ${at}`,
      }
    }
    if (memory.touch(gap, gap + 1)) {
      const unknown = 'left out by makedumpfile or all zeros: an ELF file does not tell which'
      return {
        why: 'excluded',
        detail: `${part}the segment has memory there but no data, ${unknown}`,
      }
    }
    if (this.#incomplete) {
      return {
        why: 'lost',
        detail: `${part}no segment has it, and the dump is incomplete`,
      }
    }
    return { why: 'hole', detail: part + NO_SEGMENT }
  }
}

// A 64-bit kernel's symbols lie in the highest 2 GiB.
function checkMachine(file: FileBytes, { e_machine }: ElfHeader, vmcoreinfo: string | undefined) {
  if (e_machine === EM_X86_64) return
  if (/^SYMBOL\(\w+\)=ffffffff[0-9a-f]{8}$/m.test(vmcoreinfo ?? '')) return
  const what = 'an ELF dump of machine i386'
  const why =
    vmcoreinfo === undefined
      ? 'it has no VMCOREINFO to tell that its kernel is 64-bit (QEMU writes so of a guest that is in its firmware)'
      : "its VMCOREINFO is no 64-bit kernel's"
  throw new UnsupportedError(`${file.name}: ${what} is not supported: ${why}`, what)
}

// Above the last segment too: an incomplete file's segments end too early.
function isPfn(pfn: number): boolean {
  return Number.isInteger(pfn) && pfn >= 0 && pfn < MAX_PFN
}

// Broken notes do not make pages unreadable: what can be read is kept, the rest is remarked.
function readNotes(file: FileBytes, places: readonly Range[], remarks: string[]): readonly Note[] {
  const notes: Note[] = []
  let left = MAX_NOTES_BYTES
  for (const { start, end } of places) {
    const length = end - start
    if (end > file.size || length > left) {
      remarks.push(
        `notes should be ${length} bytes at ${start}, which is not in the file or too much`,
      )
      continue
    }
    left -= length
    const block = parseNotes(file.read(start, length, 'PT_NOTE'))
    if (block.problem !== undefined) remarks.push(block.problem)
    for (const note of block.notes) notes.push(note)
  }
  return notes
}
