// SPDX-License-Identifier: GPL-2.0-or-later
// The blocks of LiME and AVML files: a header and the bytes of a range of memory, again and again.

import { hex } from '../../bytes/hex.ts'
import { readStruct, struct, u32, u64 } from '../../bytes/struct.ts'
import { DumpError, FormatError } from '../../errors.ts'
import { type FileBytes } from '../file.ts'
import { MAX_ADDRESS } from '../rangepages.ts'
import { walkFrames } from './snappyframes.ts'

/** Before each range: LiME's lime_mem_range_header, which AVML 2 has with another magic number. */
export const lime_header = struct('lime_header', {
  magic: u32,
  version: u32,
  s_addr: u64,
  /** The last address of the range, not the one behind it. */
  e_addr: u64,
  reserved: u64,
})

/** "LiME", and "AVML", as little-endian numbers. */
export const LIME_MAGIC = 0x4c694d45
export const AVML_MAGIC = 0x4c4d5641
const LIME_VERSION = 1
const AVML_VERSION = 2
// Behind the frames of an AVML block: how many bytes they take.
const TRAILER_BYTES = 8
// 256 TiB in AVML's blocks; LiME has one for each range of /proc/iomem.
const MAX_BLOCKS = 1 << 24

/** A range of memory: addresses from `start` to below `end`, its bytes or frames at `offset` of the file. */
export interface Block {
  readonly start: number
  readonly end: number
  readonly offset: number
  /** The bytes are a stream of Snappy frames. */
  readonly packed: boolean
}

/** The blocks of a file, in its order, and what ended the walk before the file's end, if something did. */
export interface Blocks {
  readonly list: readonly Block[]
  readonly stopped: string | undefined
}

/**
 * Finds all blocks. Those of AVML are found from the file's end, where each says how long it is: from the start, every
 * frame of 64 KiB would have to be visited. That is done only when the end is not there.
 */
export function readBlocks(file: FileBytes): Blocks {
  const magic = new DataView(file.read(0, 4, 'lime_header').slice().buffer).getUint32(0, true)
  return (magic === AVML_MAGIC ? fromEnd(file) : undefined) ?? fromStart(file)
}

function fromStart(file: FileBytes): Blocks {
  const list: Block[] = []
  let at = 0
  while (at < file.size) {
    try {
      const block = blockAt(file, at)
      list.push(block)
      checkCount(file, list, at)
      at = endOf(file, block)
    } catch (error) {
      // Not even one: then the file is none of these.
      if (!(error instanceof DumpError) || list.length === 0) throw error
      return { list, stopped: error.message }
    }
  }
  return { list, stopped: undefined }
}

function endOf(file: FileBytes, block: Block): number {
  const length = block.end - block.start
  if (!block.packed) return block.offset + length
  const { end, problem } = walkFrames(file, block.offset, length)
  if (problem !== undefined) throw problem
  return end + TRAILER_BYTES
}

function checkCount(file: FileBytes, list: readonly Block[], at: number): void {
  if (list.length <= MAX_BLOCKS) return
  throw new FormatError(`${file.name}: more than ${MAX_BLOCKS} ranges`, 'lime_header', at)
}

// Undefined when some block does not join the one behind it.
function fromEnd(file: FileBytes): Blocks | undefined {
  const list: Block[] = []
  for (let end = file.size; end > 0;) {
    const trailer = end - TRAILER_BYTES
    if (trailer < lime_header.size) return undefined
    const view = viewOf(file.read(trailer, TRAILER_BYTES, 'the length of an AVML block'))
    const at = trailer - Number(view.getBigUint64(0, true)) - lime_header.size
    if (at < 0 || at >= end) return undefined
    try {
      const block = blockAt(file, at)
      if (!block.packed) return undefined
      list.push(block)
      checkCount(file, list, at)
    } catch (error) {
      // It was found by a length alone, so what stands there may be anything: then the walk from the start tells more.
      if (!(error instanceof DumpError)) throw error
      return undefined
    }
    end = at
  }
  return { list: list.reverse(), stopped: undefined }
}

function blockAt(file: FileBytes, at: number): Block {
  const header = readStruct(lime_header, viewOf(file.read(at, lime_header.size, 'lime_header')), 0)
  const wrong = (field: keyof typeof lime_header.offsets, problem: string) =>
    new FormatError(
      `${file.name}: lime_header.${field} at ${at} ${problem}`,
      `lime_header.${field}`,
      at + lime_header.offsets[field],
    )
  const packed = header.magic === AVML_MAGIC
  if (!packed && header.magic !== LIME_MAGIC) {
    throw wrong('magic', `is ${hex(header.magic)}; wanted ${hex(LIME_MAGIC)} or ${hex(AVML_MAGIC)}`)
  }
  const version = packed ? AVML_VERSION : LIME_VERSION
  if (header.version !== version) throw wrong('version', `is ${header.version}; wanted ${version}`)
  const start = Number(header.s_addr)
  const end = Number(header.e_addr) + 1
  if (end <= start || end > MAX_ADDRESS) {
    throw wrong('e_addr', `is ${hex(header.e_addr)}, the range begins at ${hex(header.s_addr)}`)
  }
  return { start, end, offset: at + lime_header.size, packed }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
}
