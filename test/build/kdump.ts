// SPDX-License-Identifier: GPL-2.0-or-later
// Writes kdump-compressed files of every header version, whole and broken, from a description.

import { deflateSync } from 'node:zlib'
import { writeStruct } from '../../core/bytes/struct.ts'
import {
  disk_dump_header,
  disk_dump_header_32,
  DUMP_DH_COMPRESSED,
  DUMP_DH_COMPRESSED_INCOMPLETE,
  kdump_sub_header,
  page_desc,
  type DiskDumpHeader,
  type KdumpSubHeader,
} from '../../core/dump/kdump/diskdump.ts'
import { PAGE_SIZE, type Note } from '../../core/dump/format.ts'
import { writeNotes } from '../../core/dump/notes.ts'
import { lzoBlock, snappyBlock } from './lz.ts'

export type KdumpCodec = 'none' | 'zlib' | 'lzo' | 'snappy' | 'zstd'

const packers: Readonly<Record<KdumpCodec, (page: Uint8Array) => Uint8Array>> = {
  none: (page) => page,
  zlib: deflateSync,
  lzo: lzoBlock,
  snappy: snappyBlock,
  zstd: zstdFrame,
}

export interface KdumpDescription {
  /** Header version; 6 when not given. */
  readonly version?: number
  /** How pages are stored when that makes them smaller; `none` when not given. */
  readonly codec?: KdumpCodec
  /** The pages in the file, by frame. */
  readonly pages: ReadonlyMap<number, Uint8Array>
  /** Ranges of frames that exist, ends exclusive, beside those of the pages. */
  readonly memory?: readonly (readonly [from: number, to: number])[]
  /** max_mapnr; one above the last frame that exists when not given. */
  readonly endPfn?: number
  readonly notes?: readonly Note[]
  readonly vmcoreinfo?: string
  readonly dumpLevel?: number
  /** The number of descriptors after which makedumpfile stopped. */
  readonly stopsAfter?: number
  /** One bitmap for both questions, as very old files have. */
  readonly oneBitmap?: boolean
  /** Members of the headers that shall have other values. */
  readonly header?: Partial<DiskDumpHeader>
  readonly sub?: Partial<KdumpSubHeader>
  /** The layout of the main header; 64-bit and little-endian when not given. */
  readonly narrow?: boolean
  readonly bigEndian?: boolean
}

/** Where things lie in a file that `buildKdump` made: for tests that break them. */
export interface BuiltKdump {
  readonly bytes: Uint8Array
  readonly descAt: number
  readonly dataAt: number
}

/** The bytes of a kdump-compressed file. */
export function buildKdump(description: KdumpDescription): BuiltKdump {
  const { version = 6, codec = 'none', pages, memory = [], vmcoreinfo } = description
  const pfns = [...pages.keys()].sort((a, b) => a - b)
  const last = Math.max(0, ...pfns.map((pfn) => pfn + 1), ...memory.map(([, to]) => to))
  const endPfn = description.endPfn ?? last

  const block = noteBlock(version, description)
  const noteAt = PAGE_SIZE + kdump_sub_header.size
  const subBlocks = Math.ceil((kdump_sub_header.size + block.bytes.length) / PAGE_SIZE)
  const bitmapBytes = Math.max(1, Math.ceil(endPfn / 8 / PAGE_SIZE)) * PAGE_SIZE
  const bitmapAt = PAGE_SIZE * (1 + subBlocks)
  const savedAt = bitmapAt + (description.oneBitmap ? 0 : bitmapBytes)
  const descAt = savedAt + bitmapBytes
  const dataAt = descAt + page_desc.size * pfns.length

  const stored = storePages(pfns, pages, codec, dataAt)
  const bytes = new Uint8Array(stored.end)
  const view = new DataView(bytes.buffer)
  const setBit = (at: number, pfn: number) => {
    bytes[at + (pfn >> 3)] = (bytes[at + (pfn >> 3)] ?? 0) | (1 << (pfn & 7))
  }
  for (const [from, to] of memory) for (let pfn = from; pfn < to; pfn++) setBit(bitmapAt, pfn)
  for (const [i, pfn] of pfns.entries()) {
    setBit(bitmapAt, pfn)
    setBit(savedAt, pfn)
    const desc = stored.descriptors[i]
    if (desc === undefined || i >= (description.stopsAfter ?? Infinity)) continue
    writeStruct(page_desc, view, descAt + page_desc.size * i, desc)
    bytes.set(desc.data, Number(desc.offset))
  }

  const codecBit = DUMP_DH_COMPRESSED.find(([, name]) => name === codec)?.[0] ?? 0
  const incompleteBit = description.stopsAfter === undefined ? 0 : DUMP_DH_COMPRESSED_INCOMPLETE
  const header = {
    signature: 'KDUMP   ',
    header_version: version,
    sysname: 'Linux',
    nodename: 'host1',
    release: '6.12.0-test',
    version: '#1 SMP test',
    machine: 'x86_64',
    domainname: '(none)',
    status: codecBit | incompleteBit,
    block_size: PAGE_SIZE,
    sub_hdr_size: subBlocks,
    bitmap_blocks: ((description.oneBitmap ? 1 : 2) * bitmapBytes) / PAGE_SIZE,
    max_mapnr: Math.min(endPfn, 0xffffffff),
    nr_cpus: 2,
  }
  const little = description.bigEndian !== true
  const { tv_sec = 1_700_000_000n, tv_usec = 0n, ...given } = description.header ?? {}
  if (description.narrow) {
    const time = { tv_sec: Number(tv_sec), tv_usec: Number(tv_usec) }
    writeStruct(disk_dump_header_32, view, 0, { ...header, ...time, ...given }, { little })
  } else {
    writeStruct(disk_dump_header, view, 0, { ...header, tv_sec, tv_usec, ...given }, { little })
  }
  const textAt = block.vmcoreinfoAt
  const sub = {
    phys_base: 0x1000000n,
    dump_level: description.dumpLevel ?? 31,
    offset_vmcoreinfo: textAt === undefined ? 0n : BigInt(noteAt + textAt),
    size_vmcoreinfo: BigInt(textAt === undefined ? 0 : (vmcoreinfo ?? '').length),
    offset_note: block.bytes.length > 0 ? BigInt(noteAt) : 0n,
    size_note: BigInt(block.bytes.length),
    max_mapnr_64: BigInt(endPfn),
  }
  // What lies behind the members of a version is not theirs: a reader that looks there shall stumble.
  bytes.fill(0xff, PAGE_SIZE + kdump_sub_header.sizeAt(version), noteAt)
  writeStruct(
    kdump_sub_header,
    view,
    PAGE_SIZE,
    { ...sub, ...description.sub },
    { version, little },
  )
  bytes.set(block.bytes, noteAt)
  return { bytes, descAt, dataAt }
}

// Version 3 has the text of VMCOREINFO only, later ones have it as a note among notes, earlier ones nothing.
function noteBlock(version: number, { notes = [], vmcoreinfo }: KdumpDescription) {
  const text = new TextEncoder().encode(vmcoreinfo ?? '')
  if (version < 3) return { bytes: new Uint8Array(), vmcoreinfoAt: undefined }
  if (version === 3) {
    return { bytes: text, vmcoreinfoAt: vmcoreinfo === undefined ? undefined : 0 }
  }
  const own = vmcoreinfo === undefined ? [] : [{ name: 'VMCOREINFO', type: 0, desc: text }]
  const block = writeNotes([...notes, ...own])
  return { bytes: block.bytes, vmcoreinfoAt: own.length > 0 ? block.descAt.at(-1) : undefined }
}

function storePages(
  pfns: readonly number[],
  pages: ReadonlyMap<number, Uint8Array>,
  codec: KdumpCodec,
  dataAt: number,
) {
  const flag = DUMP_DH_COMPRESSED.find(([, name]) => name === codec)?.[0] ?? 0
  let end = dataAt
  let zeroAt: number | undefined
  const descriptors = pfns.map((pfn) => {
    const page = pages.get(pfn) ?? new Uint8Array(PAGE_SIZE)
    const packed = packers[codec](page)
    const isZero = page.every((byte) => byte === 0)
    const data = packed.length < PAGE_SIZE && !isZero ? packed : page
    const at = (isZero ? zeroAt : undefined) ?? end
    if (isZero) zeroAt ??= at
    if (at === end) end += data.length
    return { offset: BigInt(at), size: data.length, flags: data === page ? 0 : flag, data }
  })
  return { descriptors, end }
}

/** A page as a Zstandard frame without entropy coding: a raw block, and its last bytes, all equal, as an RLE block. */
export function zstdFrame(page: Uint8Array): Uint8Array {
  const tail = page.at(-1) ?? 0
  const head = page.findLastIndex((byte) => byte !== tail) + 1
  const size = page.length - 256
  const blockHeader = (last: boolean, type: number, length: number) => {
    const word = (length << 3) | (type << 1) | (last ? 1 : 0)
    return [word & 0xff, (word >> 8) & 0xff, word >> 16]
  }
  return Uint8Array.from([
    ...[0x28, 0xb5, 0x2f, 0xfd, 0x60, size & 0xff, size >> 8],
    ...blockHeader(false, 0, head),
    ...page.subarray(0, head),
    ...blockHeader(true, 1, page.length - head),
    tail,
  ])
}
