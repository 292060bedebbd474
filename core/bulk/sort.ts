// SPDX-License-Identifier: GPL-2.0-or-later
// The order of the rows of a column, without a comparison: digit by digit, each in one pass.

/** A column of numbers that are not negative, or of slot numbers, where -1 comes last. */
export type Column = BigUint64Array | Uint8Array | Int16Array

const DIGIT = 16
const VALUES = 1 << DIGIT

/**
 * The row numbers in the order of the column's values. Rows of the same value keep their order, also when `descending`.
 * Uint64 is exact: the halves of a value are taken apart, never made a double.
 */
export function orderOf(column: Column, descending = false): Uint32Array {
  let order: Uint32Array<ArrayBuffer> = new Uint32Array(column.length)
  for (let i = 0; i < order.length; i++) order[i] = i
  let other: Uint32Array<ArrayBuffer> = new Uint32Array(column.length)
  const digits = digitsOf(column)
  for (let digit = 0; digit < digits.perValue; digit++) {
    const starts = startsOf(digits, digit, descending)
    // All values have the same digit here.
    if (starts === undefined) continue
    for (const row of order) {
      const value = digits.all[row * digits.perValue + digit] ?? 0
      const at = starts[value] ?? 0
      starts[value] = at + 1
      other[at] = row
    }
    ;[order, other] = [other, order]
  }
  return order
}

interface Digits {
  readonly all: Uint16Array | Uint8Array
  readonly perValue: number
}

/** As digits of 16 bits, the lowest first; -1 is the largest. */
function digitsOf(column: Column): Digits {
  if (column instanceof Uint8Array) return { all: column, perValue: 1 }
  const perValue = column.BYTES_PER_ELEMENT / 2
  const all = new Uint16Array(column.buffer, column.byteOffset, column.length * perValue)
  return { all, perValue }
}

/** Where the rows of each value of a digit begin. */
function startsOf(
  { all, perValue }: Digits,
  digit: number,
  descending: boolean,
): Uint32Array | undefined {
  const counts = new Uint32Array(VALUES)
  for (let at = digit; at < all.length; at += perValue) {
    const value = all[at] ?? 0
    counts[value] = (counts[value] ?? 0) + 1
  }
  const rows = all.length / perValue
  if (rows === 0 || counts[all[digit] ?? 0] === rows) return undefined
  let sum = 0
  for (let i = 0; i < VALUES; i++) {
    const value = descending ? VALUES - 1 - i : i
    const count = counts[value] ?? 0
    counts[value] = sum
    sum += count
  }
  return counts
}
