// SPDX-License-Identifier: GPL-2.0-or-later
// Small encoders of LZO1X, Snappy and LZ4 blocks: greedy, and with no more kinds of instructions than each needs.

interface Step {
  readonly literals: Uint8Array
  /** The copy behind the literals; its length is 0 in the last step. */
  readonly distance: number
  readonly length: number
}

const LEAST = 4

// The nearest earlier place with the same four bytes, extended as far as it goes, even over its own copy.
function* steps(bytes: Uint8Array): Generator<Step> {
  const seen = new Map<string, number>()
  let from = 0
  for (let at = 0; at + LEAST <= bytes.length;) {
    const key = bytes.subarray(at, at + LEAST).join()
    const before = seen.get(key)
    seen.set(key, at)
    if (before === undefined) {
      at++
      continue
    }
    let length = LEAST
    while (at + length < bytes.length && bytes[before + length] === bytes[at + length]) length++
    yield { literals: bytes.subarray(from, at), distance: at - before, length }
    at += length
    from = at
  }
  yield { literals: bytes.subarray(from), distance: 0, length: 0 }
}

/** LZO1X, bitstream version 0, for blocks up to 16 KiB: runs of literals, and copies of the kind 001LLLLL. */
export function lzoBlock(bytes: Uint8Array): Uint8Array {
  const out: number[] = []
  let stateAt = -1
  const extend = (length: number, mask: number, code: number) => {
    if (length <= mask) {
      out.push(code | length)
      return
    }
    out.push(code)
    let rest = length - mask
    for (; rest > 255; rest -= 255) out.push(0)
    out.push(rest)
  }
  for (const { literals, distance, length } of steps(bytes)) {
    const count = literals.length
    if (count > 3) extend(count - 3, 15, 0)
    else if (stateAt >= 0) out[stateAt] = (out[stateAt] ?? 0) | count
    else if (count > 0) out.push(17 + count)
    out.push(...literals)
    if (length === 0) break
    extend(length - 2, 31, 0x20)
    stateAt = out.length
    out.push(((distance - 1) << 2) & 0xff, (distance - 1) >> 6)
  }
  return Uint8Array.from([...out, 0x11, 0, 0])
}

/** A Snappy raw block: literals, and copies with a 16-bit distance. */
export function snappyBlock(bytes: Uint8Array): Uint8Array {
  const out: number[] = []
  let size = bytes.length
  for (; size > 127; size >>>= 7) out.push((size & 127) | 128)
  out.push(size)
  for (const { literals, distance, length } of steps(bytes)) {
    const count = literals.length - 1
    if (count >= 256) out.push(61 << 2, count & 0xff, count >> 8)
    else if (count >= 60) out.push(60 << 2, count)
    else if (count >= 0) out.push(count << 2)
    out.push(...literals)
    for (let left = length; left > 0; left -= 64) {
      out.push(((Math.min(left, 64) - 1) << 2) | 2, distance & 0xff, distance >> 8)
    }
  }
  return Uint8Array.from(out)
}

/** An LZ4 raw block. */
export function lz4Block(bytes: Uint8Array): Uint8Array {
  const out: number[] = []
  const more = (length: number) => {
    let rest = length - 15
    if (rest < 0) return
    for (; rest >= 255; rest -= 255) out.push(255)
    out.push(rest)
  }
  for (const { literals, distance, length } of steps(bytes)) {
    const copy = Math.max(0, length - LEAST)
    out.push((Math.min(literals.length, 15) << 4) | Math.min(copy, 15))
    more(literals.length)
    out.push(...literals)
    if (length === 0) break
    out.push(distance & 0xff, distance >> 8)
    more(copy)
  }
  return Uint8Array.from(out)
}
