// SPDX-License-Identifier: GPL-2.0-or-later
// Writes LiME and AVML files, whole and odd, from a description.

import { writeStruct } from '../../core/bytes/struct.ts'
import { maskedCrc32c } from '../../core/codec/crc32c.ts'
import { AVML_MAGIC, lime_header, LIME_MAGIC } from '../../core/dump/lime/limeblocks.ts'
import { snappyBlock } from './lz.ts'

export interface LimeBlock {
  /** The physical address of the first byte. */
  readonly start: number
  readonly data: Uint8Array
  /** Pack it as AVML does. */
  readonly packed?: boolean
  /** Bytes in a chunk; 64 KiB when not given. */
  readonly chunkBytes?: number
}

const chunkHeader = (type: number, size: number) => [
  type,
  size & 0xff,
  (size >> 8) & 0xff,
  size >> 16,
]
const little = (value: number) => [0, 8, 16, 24].map((shift) => (value >>> shift) & 0xff)

/** A Snappy frame stream, with a chunk to be skipped in it; chunks that do not get smaller are plain. */
export function snappyFrames(data: Uint8Array, chunkBytes = 65_536): Uint8Array {
  const parts: Uint8Array[] = [Uint8Array.from([...chunkHeader(0xff, 6), ...Buffer.from('sNaPpY')])]
  parts.push(Uint8Array.from([...chunkHeader(0xfe, 3), 1, 2, 3]))
  for (let at = 0; at < data.length; at += chunkBytes) {
    const bytes = data.subarray(at, at + chunkBytes)
    const block = snappyBlock(bytes)
    const [type, body] = block.length < bytes.length ? [0, block] : [1, bytes]
    const head = [...chunkHeader(type, body.length + 4), ...little(maskedCrc32c(bytes))]
    parts.push(Uint8Array.from(head), body)
  }
  return Buffer.concat(parts)
}

/** The bytes of a LiME file, or of an AVML file where blocks are packed. */
export function buildLime(blocks: readonly LimeBlock[]): Uint8Array {
  const parts: Uint8Array[] = []
  for (const { start, data, packed = false, chunkBytes } of blocks) {
    const header = new Uint8Array(lime_header.size)
    writeStruct(lime_header, new DataView(header.buffer), 0, {
      magic: packed ? AVML_MAGIC : LIME_MAGIC,
      version: packed ? 2 : 1,
      s_addr: BigInt(start),
      e_addr: BigInt(start + data.length - 1),
    })
    const body = packed ? snappyFrames(data, chunkBytes) : data
    parts.push(header, body)
    if (packed) parts.push(Uint8Array.from([...little(body.length), 0, 0, 0, 0]))
  }
  return Uint8Array.from(Buffer.concat(parts))
}
