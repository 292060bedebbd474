// SPDX-License-Identifier: GPL-2.0-or-later
// Dumps of a host with 16 TB, as sparse files: headers, bitmaps and a few pages, and holes for all the rest.

import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs'
import { writeStruct } from '../../core/bytes/struct.ts'
import { disk_dump_header, kdump_sub_header, page_desc } from '../../core/dump/kdump/diskdump.ts'
import { buildElf } from '../build/elf.ts'

const PAGE = 4096
/** 16 TB. Two frames are asked for: the first one with a page, and the last one. */
const FRAMES = Math.floor(16e12 / PAGE)
export const LARGE_FRAMES: readonly [first: number, last: number] = [256, FRAMES - 1]
/** Each byte of a scattered bitmap: one frame in four. The bit of the last frame, the highest, is not in it. */
const SCATTERED = 0b00100001
const page = new Uint8Array(PAGE).fill(7)

/** An ELF file of 16 TB with a page at both frames. */
export function writeLargeElf(path: string): void {
  const size = BigInt(FRAMES * PAGE)
  // Memory has its data at the same offset in the file, one page on: the headers are there.
  const header = { p_offset: BigInt(PAGE), p_filesz: size, p_memsz: size }
  const head = buildElf({ segments: [{ paddr: 0, header }] })
  write(path, (put, end) => {
    put(head, 0)
    for (const pfn of LARGE_FRAMES) put(page, PAGE + pfn * PAGE)
    end(PAGE + FRAMES * PAGE)
  })
}

/**
 * A kdump-compressed file with bitmaps for 16 TB, in which both frames are saved and, where `scattered`, a quarter of all
 * others, so that every word of the bitmap must be counted.
 */
export function writeLargeKdump(path: string, scattered: boolean): void {
  const bitmapBytes = Math.ceil(FRAMES / 8 / PAGE) * PAGE
  const existsAt = 2 * PAGE
  const savedAt = existsAt + bitmapBytes
  const descAt = savedAt + bitmapBytes
  const piece = Buffer.alloc(1 << 20, SCATTERED)
  const countBelow = (pfn: number) => {
    const inByte = SCATTERED & ((1 << (pfn & 7)) - 1)
    return 2 * Math.floor(pfn / 8) + inByte.toString(2).replaceAll('0', '').length
  }
  const count = scattered ? countBelow(FRAMES) + 1 : 2
  const dataAt = descAt + page_desc.size * count
  write(path, (put, end) => {
    const head = new Uint8Array(2 * PAGE)
    const view = new DataView(head.buffer)
    writeStruct(disk_dump_header, view, 0, {
      signature: 'KDUMP   ',
      header_version: 6,
      machine: 'x86_64',
      block_size: PAGE,
      sub_hdr_size: 1,
      bitmap_blocks: (2 * bitmapBytes) / PAGE,
      max_mapnr: Math.min(FRAMES, 0xffffffff),
    })
    writeStruct(kdump_sub_header, view, PAGE, { dump_level: 31, max_mapnr_64: BigInt(FRAMES) })
    put(head, 0)
    for (let at = 0; scattered && at < bitmapBytes; at += piece.length) {
      put(piece.subarray(0, Math.min(piece.length, bitmapBytes - at)), savedAt + at)
    }
    for (const [i, pfn] of LARGE_FRAMES.entries()) {
      const byte = (scattered ? SCATTERED : 0) | (1 << (pfn & 7))
      put(Uint8Array.of(byte), savedAt + Math.floor(pfn / 8))
      put(Uint8Array.of(1 << (pfn & 7)), existsAt + Math.floor(pfn / 8))
      const desc = new Uint8Array(page_desc.size)
      writeStruct(page_desc, new DataView(desc.buffer), 0, { offset: BigInt(dataAt), size: PAGE })
      put(desc, descAt + page_desc.size * (scattered ? countBelow(pfn) : i))
    }
    put(page, dataAt)
    end(dataAt + PAGE)
  })
}

type Put = (bytes: Uint8Array, at: number) => void

function write(path: string, fill: (put: Put, end: (size: number) => void) => void): void {
  const file = openSync(path, 'wx')
  try {
    fill(
      (bytes, at) => {
        writeSync(file, bytes, 0, bytes.length, at)
      },
      (size) => {
        ftruncateSync(file, size)
      },
    )
  } finally {
    closeSync(file)
  }
}
