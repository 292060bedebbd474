// SPDX-License-Identifier: GPL-2.0-or-later
// Snappy raw blocks, written from the format's description (google/snappy, format_description.txt).

import { type Codec } from './codec.ts'
import { copyBack, copyIn } from './copy.ts'

// The declared length has 32 bits, seven in a byte.
const MAX_LENGTH_BYTES = 5

/** The Snappy codec: `makedumpfile -p`. A raw block, without the framing of Snappy files. */
export const snappy: Codec = {
  name: 'snappy',
  decode(data, size) {
    const declared = snappyLength(data)
    if (declared !== size) throw new Error(`the block declares ${declared} bytes, not ${size}`)
    return decodeElements(data, size)
  },
}

/** The length that a raw block declares for what it holds. Throws Error when the block does not begin with one. */
export function snappyLength(data: Uint8Array): number {
  let value = 0
  for (let i = 0; i < MAX_LENGTH_BYTES; i++) {
    const byte = data[i]
    if (byte === undefined) throw cutOff(data.length)
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return value
  }
  throw new Error('the declared length does not end')
}

function decodeElements(data: Uint8Array, size: number): Uint8Array {
  const out = new Uint8Array(size)
  const end = data.length
  let at = 0
  while ((data[at++] ?? 0) >= 0x80);
  let done = 0
  while (at < end) {
    const start = at
    const tag = data[at++] ?? 0
    const kind = tag & 3
    let length = (tag >> 2) + 1
    if (kind === 0) {
      if (length > 60) {
        // 60 to 63 stand for one to four bytes that hold the length minus one.
        const bytes = length - 60
        if (at + bytes > end) throw cutOff(end)
        length = 1
        for (let i = 0; i < bytes; i++) length += (data[at++] ?? 0) * 2 ** (8 * i)
      }
      if (length > size - done) throw tooMuch(start, size)
      if (at + length > end) throw cutOff(end)
      copyIn(data, at, out, done, length)
      at += length
    } else {
      let distance: number
      const bytes = kind === 3 ? 4 : kind
      if (at + bytes > end) throw cutOff(end)
      if (kind === 1) {
        length = ((tag >> 2) & 7) + 4
        distance = ((tag >> 5) << 8) | (data[at] ?? 0)
      } else {
        distance = (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8)
        if (kind === 3) distance += (data[at + 2] ?? 0) * 0x10000 + (data[at + 3] ?? 0) * 0x1000000
      }
      at += bytes
      if (distance === 0 || distance > done) {
        const there = `but ${done} are there`
        throw new Error(`the copy at byte ${start} begins ${distance} bytes back, ${there}`)
      }
      if (length > size - done) throw tooMuch(start, size)
      copyBack(out, done, distance, length)
    }
    done += length
  }
  return done === size ? out : out.slice(0, done)
}

function cutOff(end: number): Error {
  return new Error(`the block is cut off at byte ${end}`)
}

function tooMuch(at: number, size: number): Error {
  return new Error(`the element at byte ${at} goes beyond ${size} bytes of output`)
}
