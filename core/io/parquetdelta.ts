// SPDX-License-Identifier: GPL-2.0-or-later
// Parquet's encodings by differences (parquet-format, Encodings.md, "Delta Encoding" and the two behind it).

import { FormatError } from '../errors.ts'
import { bitsAt, varintAt } from './bitruns.ts'
import { MOST_PAGE } from './parquetcodecs.ts'

/** Numbers in equal steps take no bytes: so a page cannot limit how many there are, and this does. */
const MOST_VALUES = 1 << 24
const MOST_BLOCK = 1 << 20

/** Numbers of 64 bits from a place on, and where they end. */
export function deltas(
  bytes: Uint8Array,
  from: number,
  count: number,
): { values: BigInt64Array; end: number } {
  if (count > MOST_VALUES) {
    throw new FormatError(`a page would have ${count} numbers, above ${MOST_VALUES}`, 'num_values')
  }
  const block = varintAt(bytes, from)
  const parts = varintAt(bytes, block.end)
  const total = varintAt(bytes, parts.end)
  let { value, end: at } = zigzagAt(bytes, total.end)
  const each = block.value / parts.value
  // The format wants multiples of 128 and 32.
  if (block.value > MOST_BLOCK || parts.value === 0 || each === 0 || each % 32 !== 0) {
    const what = `blocks of ${block.value} in ${parts.value} parts`
    throw new FormatError(`a page has differences in ${what}`, 'page')
  }
  if (total.value < count) {
    throw new FormatError(`a page has ${total.value} of ${count} numbers`, 'page')
  }
  const values = new BigInt64Array(count)
  let done = 0
  if (count > 0) values[done++] = value
  while (done < count) {
    const least = zigzagAt(bytes, at)
    const widths = least.end
    at = widths + parts.value
    for (let part = 0; part < parts.value && done < count; part++) {
      const width = bytes[widths + part]
      if (width === undefined || width > 64) {
        throw new FormatError('a page has differences of more than 64 bits', 'page')
      }
      for (let i = 0; i < each && done < count; i++) {
        const bit = 8 * at + i * width
        const low = BigInt(bitsAt(bytes, bit, Math.min(32, width)))
        const high = width > 32 ? BigInt(bitsAt(bytes, bit + 32, width - 32)) : 0n
        value = BigInt.asIntN(64, value + least.value + (high << 32n) + low)
        values[done++] = value
      }
      at += (each * width) / 8
    }
  }
  return { values, end: at }
}

/** Where texts lie: the first byte of each, and behind its last. */
export interface Texts {
  readonly bytes: Uint8Array
  readonly starts: Uint32Array
  readonly ends: Uint32Array
}

/** Texts behind their lengths. */
export function deltaLengths(bytes: Uint8Array, from: number, count: number): Texts {
  const { values, end } = deltas(bytes, from, count)
  const starts = new Uint32Array(count)
  const ends = new Uint32Array(count)
  let at = end
  for (let i = 0; i < count; i++) {
    starts[i] = at
    at += lengthOf(values[i], bytes.length - at)
    ends[i] = at
  }
  return { bytes, starts, ends }
}

/** Texts of which each begins with some letters of the one before. */
export function deltaTexts(bytes: Uint8Array, count: number): Texts {
  const { values: prefixes, end } = deltas(bytes, 0, count)
  const rest = deltaLengths(bytes, end, count)
  const starts = new Uint32Array(count)
  const ends = new Uint32Array(count)
  let at = 0
  let last = 0
  for (let i = 0; i < count; i++) {
    const shared = lengthOf(prefixes[i], last)
    last = shared + (rest.ends[i] ?? 0) - (rest.starts[i] ?? 0)
    starts[i] = at
    at += last
    ends[i] = at
    if (at > MOST_PAGE) throw new FormatError(`the texts of a page are above ${MOST_PAGE}`, 'page')
  }
  const out = new Uint8Array(at)
  for (let i = 0; i < count; i++) {
    const start = starts[i] ?? 0
    const shared = Number(prefixes[i])
    const before = starts[i - 1] ?? 0
    if (shared > 0) out.copyWithin(start, before, before + shared)
    out.set(bytes.subarray(rest.starts[i], rest.ends[i]), start + shared)
  }
  return { bytes: out, starts, ends }
}

function lengthOf(value: bigint | undefined, most: number): number {
  const length = Number(value ?? -1n)
  if (length >= 0 && length <= most) return length
  throw new FormatError(`a text of ${length} bytes, where ${most} are left`, 'page')
}

function zigzagAt(bytes: Uint8Array, from: number): { value: bigint; end: number } {
  let value = 0n
  for (let at = from; at < bytes.length && at < from + 10; at++) {
    const byte = bytes[at] ?? 0
    value |= BigInt(byte & 0x7f) << BigInt(7 * (at - from))
    if (byte < 0x80) return { value: (value >> 1n) ^ -(value & 1n), end: at + 1 }
  }
  throw new FormatError(`a number at byte ${from} of a page does not end`, 'page')
}
