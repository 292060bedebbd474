// SPDX-License-Identifier: GPL-2.0-or-later
// The columns of a bulk translation: made, seen as halves, cut, and picked from.

import { wordsOf } from '../bytes/words.ts'

/** The columns of a result; all have the same length. */
export interface ResultColumns {
  readonly gpa: BigUint64Array
  readonly hva: BigUint64Array
  readonly hpa: BigUint64Array
  readonly state: Uint8Array
  readonly pageShift: Uint8Array
  readonly slot: Int16Array
}

/** The same for loops: addresses as halves, low before high. */
export interface Columns extends Omit<ResultColumns, 'gpa' | 'hva' | 'hpa'> {
  readonly gpa: Uint32Array
  readonly hva: Uint32Array
  readonly hpa: Uint32Array
}

/** Columns with room for the answers to `gpa`. When they are to be shared with other threads, `gpa` is copied. */
export function columnsFor(gpa: BigUint64Array, areShared: boolean): ResultColumns {
  const { length } = gpa
  const room = (bytes: number) =>
    areShared ? new SharedArrayBuffer(bytes * length) : new ArrayBuffer(bytes * length)
  let column = gpa
  if (areShared && !(gpa.buffer instanceof SharedArrayBuffer)) {
    column = new BigUint64Array(room(8))
    column.set(gpa)
  }
  return {
    gpa: column,
    hva: new BigUint64Array(room(8)),
    hpa: new BigUint64Array(room(8)),
    state: new Uint8Array(room(1)),
    pageShift: new Uint8Array(room(1)),
    slot: new Int16Array(room(2)),
  }
}

/** The address columns as halves. */
export function halvesOf({ gpa, hva, hpa, state, pageShift, slot }: ResultColumns): Columns {
  return { gpa: wordsOf(gpa), hva: wordsOf(hva), hpa: wordsOf(hpa), state, pageShift, slot }
}

/** The rows from `from` to below `to`, as Array.slice counts. Nothing is copied. */
export function partOf(columns: ResultColumns, from?: number, to?: number): ResultColumns {
  return {
    gpa: columns.gpa.subarray(from, to),
    hva: columns.hva.subarray(from, to),
    hpa: columns.hpa.subarray(from, to),
    state: columns.state.subarray(from, to),
    pageShift: columns.pageShift.subarray(from, to),
    slot: columns.slot.subarray(from, to),
  }
}

/** The rows with these numbers, in this order. */
export function rowsOf(columns: ResultColumns, rows: Uint32Array): ResultColumns {
  const { length } = rows
  return {
    gpa: picked64(columns.gpa, rows),
    hva: picked64(columns.hva, rows),
    hpa: picked64(columns.hpa, rows),
    state: picked(columns.state, rows, new Uint8Array(length)),
    pageShift: picked(columns.pageShift, rows, new Uint8Array(length)),
    slot: picked(columns.slot, rows, new Int16Array(length)),
  }
}

/** The values of a column with these numbers, put into `to`. */
export function picked<A extends Uint8Array | Int16Array | Int32Array | Uint32Array>(
  from: A,
  rows: Uint32Array,
  to: A,
): A {
  for (let i = 0; i < rows.length; i++) to[i] = from[rows[i] ?? 0] ?? 0
  return to
}

/** The same of a column of addresses. As halves: no bigint is made. */
export function picked64(from: BigUint64Array, rows: Uint32Array): BigUint64Array {
  const to = new BigUint64Array(rows.length)
  const source = wordsOf(from)
  const target = wordsOf(to)
  for (let i = 0; i < rows.length; i++) {
    const row = rows[i] ?? 0
    target[2 * i] = source[2 * row] ?? 0
    target[2 * i + 1] = source[2 * row + 1] ?? 0
  }
  return to
}
