// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses as users have them, as one column of 64-bit numbers; what is no address becomes NO_ADDRESS.

import { UsageError } from '../errors.ts'

/** Many addresses: numbers, bigints, or hex texts with or without `0x`. */
export type Addresses =
  BigUint64Array | Float64Array | (Iterable<number | bigint | string | null | undefined> & object)

const NONE = 0xffffffff

/** The column. A BigUint64Array is taken as it is, not copied: it must not change while the result is in use. */
export function addressColumn(values: Addresses, call: string): BigUint64Array {
  if (values instanceof BigUint64Array) return values
  if (values instanceof Float64Array) return fromDoubles(values)
  const given: unknown = values
  if (typeof given !== 'object' || given === null || !(Symbol.iterator in given)) {
    throw new UsageError(
      `${call} takes an address, or many: a BigUint64Array, a Float64Array, or any list of numbers, bigints and hex texts`,
    )
  }
  return fromList(Array.isArray(values) ? (values as readonly unknown[]) : Array.from(values))
}

function fromDoubles(values: Float64Array): BigUint64Array {
  const column = new BigUint64Array(values.length)
  const halves = new Uint32Array(column.buffer)
  for (let i = 0; i < values.length; i++) putNumber(halves, i, values[i] ?? NaN)
  return column
}

/** Plain loops: what BigUint64Array has for this is six times slower. */
function fromList(values: readonly unknown[]): BigUint64Array {
  const column = new BigUint64Array(values.length)
  const halves = new Uint32Array(column.buffer)
  for (let i = 0; i < values.length; i++) {
    const value = values[i]
    if (typeof value === 'number') putNumber(halves, i, value)
    else if (typeof value === 'string') putHex(halves, i, value)
    else if (typeof value === 'bigint' && value >= 0n && value < 1n << 64n) column[i] = value
    else put(halves, i, NONE, NONE)
  }
  return column
}

function putNumber(halves: Uint32Array, i: number, value: number): void {
  // Above 2^53 a number has lost bits already.
  if (Number.isSafeInteger(value) && value >= 0) put(halves, i, value >>> 0, value / 2 ** 32)
  else put(halves, i, NONE, NONE)
}

/** Hex digits, at most 16, perhaps behind `0x`. */
function putHex(halves: Uint32Array, i: number, text: string): void {
  let at = text.startsWith('0x') || text.startsWith('0X') ? 2 : 0
  const digits = text.length - at
  let low = 0
  let high = 0
  let isHex = digits > 0 && digits <= 16
  for (; isHex && at < text.length; at++) {
    const digit = digitOf(text.charCodeAt(at))
    if (digit < 0) isHex = false
    high = (high << 4) | (low >>> 28)
    low = (low << 4) | digit
  }
  if (isHex) put(halves, i, low, high)
  else put(halves, i, NONE, NONE)
}

function digitOf(code: number): number {
  if (code >= 0x30 && code <= 0x39) return code - 0x30
  const letter = code | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}

function put(halves: Uint32Array, i: number, low: number, high: number): void {
  halves[2 * i] = low
  halves[2 * i + 1] = high
}
