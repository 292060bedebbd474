// SPDX-License-Identifier: GPL-2.0-or-later
// A kdump's two headers, notes and VMCOREINFO, checked: where the bitmaps, descriptors and frames lie.

import { printable } from '../../bytes/printable.ts'
import { readStruct } from '../../bytes/struct.ts'
import { FormatError, UnsupportedError } from '../../errors.ts'
import {
  disk_dump_header,
  disk_dump_header_32,
  DUMP_DH_COMPRESSED,
  DUMP_DH_COMPRESSED_INCOMPLETE,
  kdump_sub_header,
  type DiskDumpHeader,
  type KdumpSubHeader,
} from './diskdump.ts'
import { type FileBytes } from '../file.ts'
import { PAGE_SIZE, type DumpFacts, type Note } from '../format.ts'
import { isSlice, MAX_NOTES_BYTES, parseNotes, vmcoreinfoOf, vmcoreinfoText } from '../notes.ts'

const NEWEST_VERSION = 6
const MAX_ERASEINFO = 1 << 20
const MAX_BLOCK_SIZE = 256 << 10
/** Frames of the 52 bits of a physical address on x86-64. */
const MAX_PFN = 2 ** 40

/** What the headers say, checked against the file's size. Offsets and sizes are bytes in the file. */
export interface KdumpHeaders {
  readonly facts: DumpFacts
  readonly notes: readonly Note[]
  readonly vmcoreinfo: string | undefined
  readonly endPfn: number
  /** The bitmap of memory that exists and that of saved pages; one and the same in very old files. */
  readonly existsAt: number
  readonly savedAt: number
  readonly bitmapBytes: number
  /** The first page descriptor. */
  readonly descAt: number
  /** The frames that this file has the descriptors of: all, or a part's of a split dump. */
  readonly part: { readonly start: number; readonly end: number } | undefined
  /** makedumpfile says that it could not write everything. */
  readonly incomplete: boolean
}

/** Reads the headers. Throws UnsupportedError for other machines and versions, FormatError for what cannot be. */
export function readHeaders(file: FileBytes): KdumpHeaders {
  const header = readMainHeader(file)
  const version = header.header_version
  const block = header.block_size
  const subBytes = file.read(block, kdump_sub_header.sizeAt(version), 'kdump_sub_header')
  const sub = readStruct(kdump_sub_header, viewOf(subBytes), 0, { version })
  const remarks = [...(file.remarks ?? [])]

  const codecNames = DUMP_DH_COMPRESSED.filter(([bit]) => (header.status & bit) !== 0).map(
    ([, name]) => name,
  )

  const frames = locateFrames(header, sub, remarks)
  const part = version >= 2 && sub.split !== 0 ? partOf(header, sub, frames.endPfn) : undefined
  const incomplete = (header.status & DUMP_DH_COMPRESSED_INCOMPLETE) !== 0
  if (incomplete) remarks.push('the dump is incomplete: makedumpfile could not write all pages')
  const eraseinfo = readEraseinfo(file, sub, remarks)
  if (header.machine === '') remarks.push('the header does not name a machine; taken for x86_64')

  const notes = readNotes(file, sub, remarks)
  if (isSlice(notes)) remarks.push('a slice of a dump: only chosen pages are in it')
  const vmcoreinfo = readVmcoreinfo(file, sub, remarks) ?? vmcoreinfoOf(notes)
  return {
    ...frames,
    facts: factsOf(header, sub, codecNames, eraseinfo, remarks),
    notes,
    vmcoreinfo,
    descAt: block * (1 + header.sub_hdr_size + header.bitmap_blocks),
    part,
    incomplete,
  }
}

// No field says which layout a file has. The one of x86-64 is tried first, then the others, to name them.
function readMainHeader(file: FileBytes): DiskDumpHeader {
  const view = viewOf(file.read(0, disk_dump_header.size, 'disk_dump_header'))
  const header = readStruct(disk_dump_header, view, 0)
  const misfit = findMisfit(file, header)
  if (misfit) {
    const narrow = readStruct(disk_dump_header_32, view, 0)
    if (!findMisfit(file, narrow)) throw otherMachine(file, '32-bit', narrow.machine)
    const big = readStruct(disk_dump_header, view, 0, { little: false })
    const bigNarrow = readStruct(disk_dump_header_32, view, 0, { little: false })
    for (const other of [big, bigNarrow]) {
      if (!findMisfit(file, other)) throw otherMachine(file, 'big-endian', other.machine)
    }
    throw misfit
  }
  const { header_version, machine, block_size } = header
  if (machine !== 'x86_64' && machine !== '') throw otherMachine(file, '64-bit', machine)
  if (block_size !== PAGE_SIZE) throw otherMachine(file, `${block_size}-byte page`, machine)
  if (header_version < 0 || header_version > NEWEST_VERSION) {
    throw new UnsupportedError(
      `${file.name}: header version ${header_version} of kdump-compressed is not known; 0 to ${NEWEST_VERSION} are`,
      `kdump header version ${header_version}`,
    )
  }
  return header
}

function otherMachine(file: FileBytes, kind: string, machine: string): UnsupportedError {
  return new UnsupportedError(
    `${file.name}: ${kind} kdump-compressed (machine '${printable(machine)}') is not supported; x86_64 is`,
    `${kind} kdump`,
  )
}

type Geometry = Pick<
  DiskDumpHeader,
  'block_size' | 'sub_hdr_size' | 'bitmap_blocks' | 'max_mapnr' | 'header_version'
>

// Why these fields cannot be a header of this file, if they cannot.
function findMisfit(file: FileBytes, header: Geometry): FormatError | undefined {
  const { block_size, sub_hdr_size, bitmap_blocks, max_mapnr } = header
  const wrong = (field: string, problem: string) =>
    new FormatError(
      `${file.name}: disk_dump_header.${field} ${problem}`,
      `disk_dump_header.${field}`,
      0,
    )
  if (
    block_size < PAGE_SIZE ||
    block_size > MAX_BLOCK_SIZE ||
    (block_size & (block_size - 1)) !== 0
  ) {
    return wrong('block_size', `is ${block_size}, which is no page size`)
  }
  if (sub_hdr_size < 1)
    return wrong('sub_hdr_size', `is ${sub_hdr_size}, but one block is the least`)
  const bits = 8 * block_size * bitmap_blocks
  if (bits < max_mapnr) {
    return wrong('max_mapnr', `is ${max_mapnr}, but the bitmaps have ${bits} bits`)
  }
  const end = block_size * (1 + sub_hdr_size + bitmap_blocks)
  if (end > file.size) {
    const cut = `the file ends at ${file.size}: without them no page can be found; was it copied to the end?`
    return wrong('bitmap_blocks', `is ${bitmap_blocks}, so the bitmaps end at ${end}, but ${cut}`)
  }
  return undefined
}

function locateFrames(header: DiskDumpHeader, sub: KdumpSubHeader, remarks: string[]) {
  const { block_size, bitmap_blocks } = header
  const stated = header.header_version >= 6 ? Number(sub.max_mapnr_64) : header.max_mapnr
  // crash's rule: there are two bitmaps when each half has a bit for every frame.
  const halfBits = (8 * block_size * bitmap_blocks) / 2
  const two = stated <= halfBits || stated > 2 * halfBits
  const bitmapBytes = Math.floor((block_size * bitmap_blocks) / (two ? 2 : 1))
  const endPfn = Math.min(stated, bitmapBytes * 8, MAX_PFN)
  if (endPfn < stated) {
    remarks.push(
      `max_mapnr is ${stated}, but the bitmaps end at frame ${endPfn}: frames above are not seen`,
    )
  }
  const existsAt = block_size * (1 + header.sub_hdr_size)
  return { endPfn, existsAt, savedAt: existsAt + (two ? bitmapBytes : 0), bitmapBytes }
}

function partOf(header: DiskDumpHeader, sub: KdumpSubHeader, endPfn: number) {
  const wide = header.header_version >= 6
  const start = Number(wide ? sub.start_pfn_64 : sub.start_pfn)
  const end = Number(wide ? sub.end_pfn_64 : sub.end_pfn)
  if (start <= end && end <= endPfn) return { start, end }
  throw new FormatError(
    `kdump_sub_header: this part of a split dump has frames ${start} to ${end} of ${endPfn}, which cannot be`,
    'kdump_sub_header.start_pfn',
    header.block_size,
  )
}

// Broken notes do not make pages unreadable: what can be read is kept, the rest is remarked.
function readNotes(file: FileBytes, sub: KdumpSubHeader, remarks: string[]): readonly Note[] {
  const bytes = pointedAt(file, sub.offset_note, sub.size_note, MAX_NOTES_BYTES, 'notes', remarks)
  if (bytes === undefined) return []
  const { notes, problem } = parseNotes(bytes)
  if (problem !== undefined) remarks.push(problem)
  return notes
}

function readVmcoreinfo(file: FileBytes, sub: KdumpSubHeader, remarks: string[]) {
  const { offset_vmcoreinfo: offset, size_vmcoreinfo: size } = sub
  const bytes = pointedAt(file, offset, size, MAX_NOTES_BYTES, 'VMCOREINFO', remarks)
  return bytes && vmcoreinfoText(bytes)
}

// What makedumpfile's configuration told it to erase: lines such as `erase jprobe.data size 128`.
function readEraseinfo(file: FileBytes, sub: KdumpSubHeader, remarks: string[]) {
  const { offset_eraseinfo: offset, size_eraseinfo: size } = sub
  if (size === 0n) return undefined
  const bytes = pointedAt(file, offset, size, MAX_ERASEINFO, 'eraseinfo', remarks)
  const text = new TextDecoder().decode(bytes ?? new Uint8Array()).replace(/\0[^]*$/, '')
  const lines = printable(text.trim().replaceAll('\n', '; '), 200)
  remarks.push(`makedumpfile erased data in it${lines === '' ? '' : `: ${lines}`}`)
  return text === '' ? undefined : text
}

function pointedAt(
  file: FileBytes,
  offset: bigint,
  size: bigint,
  most: number,
  what: string,
  remarks: string[],
): Uint8Array | undefined {
  if (size === 0n || offset === 0n) return undefined
  const [from, length] = [Number(offset), Number(size)]
  if (from > 0 && length <= most && from + length <= file.size) return file.read(from, length, what)
  remarks.push(`the ${what} should be ${length} bytes at ${from}, which is not in the file`)
  return undefined
}

function factsOf(
  header: DiskDumpHeader,
  sub: KdumpSubHeader,
  codecNames: readonly string[],
  eraseinfo: string | undefined,
  remarks: readonly string[],
): DumpFacts {
  const texts = {
    release: header.release,
    machine: header.machine,
    nodename: header.nodename,
    sysname: header.sysname,
    build: header.version,
    domainname: header.domainname,
  }
  const given = Object.entries(texts).filter(([, text]) => text !== '')
  return {
    format: 'kdump-compressed',
    version: header.header_version,
    codecs: codecNames,
    ...(header.header_version >= 1 ? { dumpLevel: sub.dump_level } : {}),
    ...Object.fromEntries(given.map(([name, text]) => [name, printable(text)])),
    ...(header.tv_sec > 0n ? { timestamp: Number(header.tv_sec) } : {}),
    ...(header.nr_cpus > 0 ? { cpus: header.nr_cpus } : {}),
    physBase: BigInt.asIntN(64, sub.phys_base),
    ...(eraseinfo === undefined ? {} : { eraseinfo }),
    remarks,
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
