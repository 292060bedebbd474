// SPDX-License-Identifier: GPL-2.0-or-later
// LZ4 raw blocks, written from the format's description (lz4, doc/lz4_Block_format.md).

import { type Codec } from './codec.ts'
import { copyBack, copyIn } from './copy.ts'

// A nibble of 15 is followed by bytes that add to it, up to one that is not 255.
const MORE = 15
const LEAST_MATCH = 4

/** The LZ4 codec, of zram's pages: a raw block, which does not tell its length. No dump format has it. */
export const lz4: Codec = {
  name: 'lz4',
  decode(data, size) {
    const out = new Uint8Array(size)
    const end = data.length
    let at = 0
    let done = 0
    // A sequence is a token, literals, and a copy; the last one ends behind its literals.
    for (;;) {
      const start = at
      if (at >= end) throw cutOff(end)
      const token = data[at++] ?? 0
      let literals = token >> 4
      if (literals === MORE) {
        const from = at
        while (data[at] === 255) at++
        literals += 255 * (at - from) + (data[at++] ?? 0)
      }
      if (at + literals > end) throw cutOff(end)
      if (literals > size - done) throw tooMuch(start, size)
      copyIn(data, at, out, done, literals)
      at += literals
      done += literals
      if (at === end) return done === size ? out : out.slice(0, done)

      if (at + 2 > end) throw cutOff(end)
      const distance = (data[at] ?? 0) | ((data[at + 1] ?? 0) << 8)
      at += 2
      let length = token & 15
      if (length === MORE) {
        const from = at
        while (data[at] === 255) at++
        length += 255 * (at - from) + (data[at++] ?? 0)
      }
      length += LEAST_MATCH
      if (distance === 0 || distance > done) {
        const there = `but ${done} are there`
        throw new Error(`the copy of byte ${start} begins ${distance} bytes back, ${there}`)
      }
      if (length > size - done) throw tooMuch(start, size)
      copyBack(out, done, distance, length)
      done += length
    }
  },
}

function cutOff(end: number): Error {
  return new Error(`the block is cut off at byte ${end}`)
}

function tooMuch(at: number, size: number): Error {
  return new Error(`the sequence at byte ${at} goes beyond ${size} bytes of output`)
}
