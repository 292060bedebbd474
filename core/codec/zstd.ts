// SPDX-License-Identifier: GPL-2.0-or-later
// Zstandard frames (RFC 8878), by Node where it has them, else by fzstd, behind a check of what the frame declares.

import { Decompress } from 'fzstd'
import nodeZlib, { type ZlibOptions } from 'node:zlib'
import { type Codec } from './codec.ts'
import { checkWeights } from './zstdweights.ts'

const MAGIC = 0xfd2fb528
const MAX_WINDOW = 8 << 20

// Since Node 22.15 and 23.8; the types that this is built with are of Node 20.
const native = (
  nodeZlib as { zstdDecompressSync?: (data: Uint8Array, options: ZlibOptions) => Uint8Array }
).zstdDecompressSync

/** The Zstandard codec: `makedumpfile -z`. One block of data is one frame that declares its content's size. */
export const zstd: Codec = {
  name: 'zstd',
  decode(data, size) {
    const end = checkFrame(data, size)
    if (end < data.length) throw new Error(`${data.length - end} bytes are left behind the frame`)
    return native === undefined ? decodeFrame(data, size) : decodeNative(native, data, size)
  },
}

function decodeNative(decoder: NonNullable<typeof native>, data: Uint8Array, size: number) {
  const out = decoder(data, { maxOutputLength: size })
  // Small results lie in a pool or in a larger chunk, which one cached page would keep alive.
  return Uint8Array.from(out)
}

function decodeFrame(data: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size)
  let length = 0
  const frame = new Decompress((part) => {
    out.set(part, length)
    length += part.length
  })
  frame.push(data, true)
  return length === size ? out : out.slice(0, length)
}

/**
 * Walks the frame's headers (RFC 8878, 3.1.1) without decoding. Throws when they declare another size than `size`,
 * or more output: fzstd does what sequences say without looking at the room left, so a page-sized block of hostile
 * sequences would keep it busy for minutes. Gives the offset behind the last block.
 */
function checkFrame(data: Uint8Array, size: number): number {
  if (little(data, 0, 4) !== MAGIC) throw new Error('no Zstandard frame begins here')
  const descriptor = little(data, 4, 1)
  const single = (descriptor & 0x20) !== 0
  if ((descriptor & 0x3) !== 0) throw new Error('the frame needs a dictionary')
  // No writer of dumps adds one, and fzstd would not check it.
  if ((descriptor & 0x4) !== 0) throw new Error('the frame has a checksum, which is not supported')
  let at = 5
  if (!single) {
    const window = little(data, at++, 1)
    const base = 2 ** (10 + (window >> 3))
    if (base + (base / 8) * (window & 7) > MAX_WINDOW) throw new Error('the window is above 8 MiB')
  }
  // Frame_Content_Size has 0, 1, 2, 4 or 8 bytes; two bytes count from 256.
  const flag = descriptor >> 6
  const sizeBytes = flag === 0 ? (single ? 1 : 0) : 2 ** flag
  if (sizeBytes === 0) throw new Error('the frame does not declare its size')
  const declared = little(data, at, sizeBytes) + (sizeBytes === 2 ? 256 : 0)
  if (declared !== size) throw new Error(`the frame declares ${declared} bytes, not ${size}`)
  at += sizeBytes

  let least = 0
  for (let last = false; !last;) {
    const header = little(data, at, 3)
    last = (header & 1) === 1
    const type = (header >> 1) & 3
    const blockSize = header >> 3
    at += 3
    if (type === 3) throw new Error('a block has the reserved type')
    least += type === 2 ? leastOutput(data, at) : blockSize
    if (least > size) throw new Error(`the blocks hold more than ${size} bytes`)
    at += type === 1 ? 1 : blockSize
    if (at > data.length) throw new Error('the frame is cut off')
  }
  return at
}

/**
 * The least that a compressed block puts out: every literal is a byte, and every sequence copies three bytes or more
 * (RFC 8878, 3.1.1.3).
 */
function leastOutput(data: Uint8Array, at: number): number {
  const first = little(data, at, 1)
  const type = first & 3
  const format = (first >> 2) & 3
  let literals: number
  let sequences: number
  if (type < 2) {
    // Raw and RLE literals: the size in 5, 12 or 20 bits; RLE has one byte of them.
    const bytes = (format & 1) === 0 ? 1 : format === 1 ? 2 : 3
    literals = little(data, at, bytes) >> (bytes === 1 ? 3 : 4)
    sequences = at + bytes + (type === 0 ? literals : 1)
  } else {
    // Compressed literals: the size and the compressed size in 10, 14 or 18 bits each.
    const bits = format < 2 ? 10 : format === 2 ? 14 : 18
    const bytes = (4 + 2 * bits) / 8
    const sizes = Math.floor(little(data, at, bytes) / 16)
    literals = sizes % 2 ** bits
    const packed = Math.floor(sizes / 2 ** bits)
    if (type === 2) checkWeights(data.subarray(at + bytes, at + bytes + packed))
    sequences = at + bytes + packed
  }
  // Number_of_Sequences: one byte below 128, two below 0x7f00, else three.
  let count = little(data, sequences, 1)
  if (count === 255) count = little(data, sequences + 1, 2) + 0x7f00
  else if (count > 127) count = ((count - 128) << 8) + little(data, sequences + 1, 1)
  return literals + 3 * count
}

function little(data: Uint8Array, at: number, bytes: number): number {
  if (at + bytes > data.length) throw new Error('the frame is cut off')
  let value = 0
  for (let i = bytes - 1; i >= 0; i--) value = value * 256 + (data[at + i] ?? 0)
  return value
}
