// SPDX-License-Identifier: GPL-2.0-or-later
// The bytes of a slice: headers, notes, bitmaps, descriptors and page data, in the places of a kdump of version 6.

import { ftruncateSync, writeSync } from 'node:fs'
import { deflateSync } from 'node:zlib'
import { writeStruct } from '../bytes/struct.ts'
import { disk_dump_header, kdump_sub_header, KDUMP_SIGNATURE, page_desc } from './kdump/diskdump.ts'
import { PAGE_SIZE, type FrameRange, type Note, type PageSource } from './format.ts'
import { isSlice, sliceNote, writeNotes } from './notes.ts'
import { isZero } from './pagecache.ts'
import { memoryOf } from './recording.ts'

const VERSION = 6
const ZLIB = 0x1
const NT_PRSTATUS = 1
const BUFFER_BYTES = 256 << 10
const CHUNK_BITS = BUFFER_BYTES * 8
/** The dump level of a slice of a dump that does not tell its own: any kind of page may be missing. */
const ANY_LEVEL = 31

/** What a slice holds. */
export interface SliceResult {
  /** Pages written. */
  readonly pages: number
  /** Frames that were asked for but are not in the source. */
  readonly missing: number
  /** The file's size in bytes. */
  readonly bytes: number
}

/** Writes a slice into an open, empty file. */
export function writeSliceFile(
  descriptor: number,
  source: PageSource,
  pfns: Iterable<number>,
): SliceResult {
  const wanted = [...new Set(pfns)].sort((a, b) => a - b)
  const notes = sliceNotes(source)
  const block = writeNotes(notes)
  const noteAt = PAGE_SIZE + kdump_sub_header.size
  const subBlocks = Math.ceil((kdump_sub_header.size + block.bytes.length) / PAGE_SIZE)
  const bitmapBlocks = Math.max(1, Math.ceil(source.endPfn / 8 / PAGE_SIZE))
  const bitmapAt = PAGE_SIZE * (1 + subBlocks)
  const descAt = bitmapAt + 2 * bitmapBlocks * PAGE_SIZE

  const dataAt = descAt + page_desc.size * wanted.length
  const { saved, end: pagesEnd } = writePages(descriptor, source, wanted, descAt, dataAt)
  writeBitmap(descriptor, bitmapAt, memoryOf(source))
  writeBitmap(descriptor, bitmapAt + bitmapBlocks * PAGE_SIZE, saved.map(frame))
  const eraseinfo = new TextEncoder().encode(source.facts.eraseinfo ?? '')
  writeAll(descriptor, eraseinfo, pagesEnd)
  const end = pagesEnd + eraseinfo.length

  const vmcoreinfo = notes.findIndex(({ name }) => name === 'VMCOREINFO')
  const head = new Uint8Array(noteAt + block.bytes.length)
  const view = new DataView(head.buffer)
  const { facts, endPfn } = source
  writeStruct(disk_dump_header, view, 0, {
    signature: KDUMP_SIGNATURE,
    header_version: VERSION,
    sysname: facts.sysname ?? '',
    nodename: facts.nodename ?? '',
    release: facts.release ?? '',
    version: facts.build ?? '',
    machine: facts.machine ?? '',
    domainname: facts.domainname ?? '',
    tv_sec: BigInt(facts.timestamp ?? 0),
    status: ZLIB,
    block_size: PAGE_SIZE,
    sub_hdr_size: subBlocks,
    bitmap_blocks: 2 * bitmapBlocks,
    max_mapnr: Math.min(endPfn, 0xffffffff),
    nr_cpus:
      facts.cpus ??
      notes.filter(({ name, type }) => name === 'CORE' && type === NT_PRSTATUS).length,
  })
  writeStruct(kdump_sub_header, view, PAGE_SIZE, {
    phys_base: BigInt.asUintN(64, facts.physBase ?? physBaseOf(source.vmcoreinfo)),
    dump_level: facts.dumpLevel ?? ANY_LEVEL,
    offset_vmcoreinfo: vmcoreinfo < 0 ? 0n : BigInt(noteAt + (block.descAt[vmcoreinfo] ?? 0)),
    size_vmcoreinfo: BigInt(notes[vmcoreinfo]?.desc.length ?? 0),
    offset_note: BigInt(noteAt),
    size_note: BigInt(block.bytes.length),
    offset_eraseinfo: eraseinfo.length > 0 ? BigInt(pagesEnd) : 0n,
    size_eraseinfo: BigInt(eraseinfo.length),
    max_mapnr_64: BigInt(endPfn),
  })
  head.set(block.bytes, noteAt)
  const headers = new Stream(descriptor, 0)
  headers.put(head)
  headers.flush()
  ftruncateSync(descriptor, end)
  return { pages: saved.length, missing: wanted.length - saved.length, bytes: end }
}

function sliceNotes(source: PageSource): Note[] {
  const notes = source.notes.filter((note) => !isSlice([note]))
  if (source.vmcoreinfo !== undefined && !notes.some(({ name }) => name === 'VMCOREINFO')) {
    const desc = new TextEncoder().encode(source.vmcoreinfo)
    notes.push({ name: 'VMCOREINFO', type: 0, desc })
  }
  return [...notes, sliceNote()]
}

// Decimal and signed, since Linux 4.10 (arch/x86/kernel/machine_kexec_64.c, arch_crash_save_vmcoreinfo).
function physBaseOf(vmcoreinfo = ''): bigint {
  return BigInt(/^NUMBER\(phys_base\)=(-?\d{1,19})$/m.exec(vmcoreinfo)?.[1] ?? 0)
}

function writePages(
  descriptor: number,
  source: PageSource,
  wanted: readonly number[],
  descAt: number,
  dataAt: number,
): { saved: number[]; end: number } {
  const saved: number[] = []
  const descriptors = new Stream(descriptor, descAt)
  const data = new Stream(descriptor, dataAt)
  let zeroAt: number | undefined
  for (const pfn of wanted) {
    const page = source.page(pfn)
    if (!(page instanceof Uint8Array)) continue
    saved.push(pfn)
    let bytes = page
    let at = data.position
    const zero = isZero(page)
    if (zero) {
      // All pages of zeros are one page in the file, as makedumpfile writes them.
      if (zeroAt === undefined) data.put(page)
      at = zeroAt ??= at
    } else {
      const packed = deflateSync(page, { level: 9 })
      if (packed.length < PAGE_SIZE) bytes = packed
      data.put(bytes)
    }
    const desc = new Uint8Array(page_desc.size)
    writeStruct(page_desc, new DataView(desc.buffer), 0, {
      offset: BigInt(at),
      size: bytes.length,
      flags: bytes.length < PAGE_SIZE ? ZLIB : 0,
    })
    descriptors.put(desc)
  }
  descriptors.flush()
  data.flush()
  return { saved, end: data.position }
}

function frame(pfn: number): FrameRange {
  return [pfn, pfn + 1]
}

// Sets the bits of ascending runs. Stretches without any are not written: the file reads as zeros there.
function writeBitmap(descriptor: number, at: number, runs: Iterable<FrameRange>): void {
  let index = -1
  let chunk = new Uint8Array(BUFFER_BYTES)
  const flush = () => {
    if (index < 0) return
    // Only up to the last byte that is set: the last chunk must not reach into what lies behind the bitmap.
    const used = chunk.findLastIndex((byte) => byte !== 0) + 1
    writeAll(descriptor, chunk.subarray(0, used), at + index * BUFFER_BYTES)
  }
  for (const [start, end] of runs) {
    for (let pfn = start; pfn < end;) {
      if (Math.floor(pfn / CHUNK_BITS) !== index) {
        flush()
        index = Math.floor(pfn / CHUNK_BITS)
        chunk = new Uint8Array(BUFFER_BYTES)
      }
      const first = pfn - index * CHUNK_BITS
      const last = Math.min(end - index * CHUNK_BITS, CHUNK_BITS)
      setBits(chunk, first, last)
      pfn += last - first
    }
  }
  flush()
}

// Whole bytes at once: a large host's memory is a few runs of millions of frames.
function setBits(bits: Uint8Array, from: number, to: number): void {
  const firstWhole = Math.min(Math.ceil(from / 8) * 8, to)
  const lastWhole = Math.max(Math.floor(to / 8) * 8, firstWhole)
  const set = (bit: number) => {
    bits[bit >> 3] = (bits[bit >> 3] ?? 0) | (1 << (bit & 7))
  }
  for (let bit = from; bit < firstWhole; bit++) set(bit)
  bits.fill(0xff, firstWhole >> 3, lastWhole >> 3)
  for (let bit = lastWhole; bit < to; bit++) set(bit)
}

/** Bytes written one after the other from a position of a file, in large pieces. */
class Stream {
  /** Where the next byte goes. */
  position: number
  readonly #descriptor: number
  #parts: Uint8Array[] = []
  #held = 0

  constructor(descriptor: number, position: number) {
    this.#descriptor = descriptor
    this.position = position
  }

  put(bytes: Uint8Array): void {
    this.#parts.push(bytes)
    this.#held += bytes.length
    this.position += bytes.length
    if (this.#held >= BUFFER_BYTES) this.flush()
  }

  flush(): void {
    writeAll(this.#descriptor, Buffer.concat(this.#parts), this.position - this.#held)
    this.#parts = []
    this.#held = 0
  }
}

function writeAll(descriptor: number, bytes: Uint8Array, at: number): void {
  for (let done = 0; done < bytes.length;) {
    done += writeSync(descriptor, bytes, done, bytes.length - done, at + done)
  }
}
