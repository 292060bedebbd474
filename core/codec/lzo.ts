// SPDX-License-Identifier: GPL-2.0-or-later
// LZO1X blocks, written from the stream format (Linux, Documentation/staging/lzo.rst) and what the kernel's decoder does.

import { type Codec } from './codec.ts'
import { copyBack, copyIn } from './copy.ts'

/** The LZO codec of dumps: `makedumpfile -l`. Bitstream version 0, as liblzo2's lzo1x_1 writes it. */
export const lzo: Codec = { name: 'lzo', decode: (data, size) => decodeLzo(data, size, 0) }

/** The LZO codec of zram since Linux 5.1: bitstream version 1 has runs of zeros. Reads version 0 too, as the kernel. */
export const lzoRle: Codec = { name: 'lzo-rle', decode: (data, size) => decodeLzo(data, size, 1) }

// A first byte of 17 in a block that is longer than an empty one is followed by the version of the bitstream.
const VERSION_MARK = 17
const LEAST_WITH_VERSION = 5
// "Four literals or more" as the state after an instruction; 0 to 3 are counted.
const MANY = 4
// The distance of the end mark 11 00 00: a copy from here never is nearer than one byte more.
const FAR = 0x4000
const LEAST_ZEROS = 4

/**
 * One instruction a turn: a run of literals, or a copy of earlier output with up to three literals behind it. `state`
 * is the number of literals of the instruction before, which decides what bytes below 16 mean.
 */
function decodeLzo(data: Uint8Array, size: number, newest: 0 | 1): Uint8Array {
  const out = new Uint8Array(size)
  const end = data.length
  let at = 0
  let done = 0
  let state = 0
  let version = 0

  if (data[0] === VERSION_MARK && end >= LEAST_WITH_VERSION) {
    version = data[1] ?? 0
    if (version > newest) throw new Error(`bitstream version ${version} at byte 1 is not known`)
    at = 2
  }
  const first = data[at] ?? 0
  if (first > VERSION_MARK) {
    const count = first - VERSION_MARK
    at++
    if (at + count > end) throw cutOff(end)
    if (count > size) throw tooMuch(at, size)
    copyIn(data, at, out, 0, count)
    at += count
    done = count
    state = Math.min(count, MANY)
  }

  for (;;) {
    const start = at
    if (at + 2 > end) throw cutOff(end)
    const code = data[at++] ?? 0
    let length: number
    let distance: number
    if (code >= 0x40) {
      // 1LLDDDSS and 01LDDDSS, then HHHHHHHH
      length = (code >> 5) + 1
      distance = ((data[at++] ?? 0) << 3) + ((code >> 2) & 7) + 1
      state = code & 3
    } else if (code < 0x10 && state !== 0) {
      // 0000DDSS, then HHHHHHHH
      length = state === MANY ? 3 : 2
      distance = ((data[at++] ?? 0) << 2) + (code >> 2) + (state === MANY ? 2049 : 1)
      state = code & 3
    } else {
      // 001LLLLL, 0001HLLL and 0000LLLL: a length that may go on, then DDDDDDDD DDDDDDSS or literals
      const mask = code >= 0x20 ? 31 : code >= 0x10 ? 7 : 15
      length = code & mask
      if (version === 1 && (code & 0xf8) === 0x18 && at + 3 <= end) {
        const low = data[at] ?? 0
        if (low >= 0xfc && data[at + 1] === 0xff) {
          const zeros = (((data[at + 2] ?? 0) << 3) | length) + LEAST_ZEROS
          if (zeros > size - done) throw tooMuch(start, size)
          done += zeros
          at += 3
          state = low & 3
          if (at + state > end) throw cutOff(end)
          if (state > size - done) throw tooMuch(start, size)
          copyIn(data, at, out, done, state)
          at += state
          done += state
          continue
        }
      }
      if (length === 0) {
        const from = at
        while (data[at] === 0) at++
        length = mask + 255 * (at - from) + (data[at++] ?? 0)
      }
      if (code < 0x10) {
        length += 3
        if (at + length > end) throw cutOff(end)
        if (length > size - done) throw tooMuch(start, size)
        copyIn(data, at, out, done, length)
        at += length
        done += length
        state = MANY
        continue
      }
      if (at + 2 > end) throw cutOff(end)
      const low = data[at] ?? 0
      distance = (low >> 2) + ((data[at + 1] ?? 0) << 6)
      at += 2
      state = low & 3
      length += 2
      if (code >= 0x20) {
        distance++
      } else {
        distance += (code & 8) << 11
        if (distance === 0) return finish(data, start, at, out, done)
        distance += FAR
      }
    }
    if (distance > done) throw tooFar(start, distance, done)
    if (length + state > size - done) throw tooMuch(start, size)
    copyBack(out, done, distance, length)
    done += length
    if (at + state > end) throw cutOff(end)
    copyIn(data, at, out, done, state)
    at += state
    done += state
  }
}

// The kernel takes 11 00 00 only, and only as the last bytes; other lengths of the mark are no end.
function finish(
  data: Uint8Array,
  start: number,
  at: number,
  out: Uint8Array,
  done: number,
): Uint8Array {
  if (at - start !== 3 || data[start] !== 0x11 || data[start + 1] !== 0) {
    throw new Error(`the end mark at byte ${start} is not 11 00 00`)
  }
  if (at < data.length)
    throw new Error(`${data.length - at} bytes are left behind the end at ${at}`)
  return done === out.length ? out : out.slice(0, done)
}

function cutOff(end: number): Error {
  return new Error(`the block is cut off at byte ${end}, before its end mark`)
}

function tooMuch(at: number, size: number): Error {
  return new Error(`the instruction at byte ${at} goes beyond ${size} bytes of output`)
}

function tooFar(at: number, distance: number, done: number): Error {
  return new Error(
    `the copy at byte ${at} begins ${distance} bytes back, but only ${done} are there`,
  )
}
