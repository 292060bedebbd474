// SPDX-License-Identifier: GPL-2.0-or-later
// Values of a column as they lie in a file, each put in a filler when it is asked for.

import { FormatError } from '../errors.ts'
import { type AddressFiller } from './filler.ts'

/** How values lie: numbers, texts with offsets, or texts of which each says where it is. */
export type ValueType =
  | { readonly kind: 'int'; readonly bytes: 1 | 2 | 4 | 8; readonly signed: boolean }
  | { readonly kind: 'float'; readonly bytes: 4 | 8 }
  | { readonly kind: 'text'; readonly offsetBytes: 4 | 8 }
  | { readonly kind: 'view' }

/** Values by their place. */
export interface Values {
  readonly length: number
  /** Puts the value at a place below `length` in the filler; `row` is for messages. */
  readonly put: (filler: AddressFiller, i: number, row: number) => void
  /** All of them, where they are unsigned numbers of 64 bits. */
  readonly numbers?: BigUint64Array
}

/** Longer texts are no addresses, whatever they are: of these only the start is looked at, for the message. */
const MOST_TEXT = 256

/** Puts one text, which must lie in `bytes`. */
export function putText(
  filler: AddressFiller,
  bytes: Uint8Array,
  from: number,
  to: number,
  row: number,
): void {
  if (!(from >= 0 && from <= to && to <= bytes.length)) {
    const where = `from byte ${from} to ${to}`
    throw new FormatError(
      `the text in row ${row} would lie ${where} of ${bytes.length}`,
      'text',
      from,
    )
  }
  if (to - from <= MOST_TEXT) {
    filler.text(bytes, from, to, row)
    return
  }
  filler.value(`${new TextDecoder().decode(bytes.subarray(from, from + MOST_TEXT))}…`, row)
}

/** Numbers, one behind the other, of which `length` must be there. */
export function numberValues(
  type: Extract<ValueType, { kind: 'int' | 'float' }>,
  bytes: Uint8Array,
  length: number,
): Values {
  if (bytes.length < length * type.bytes) {
    throw new FormatError(
      `the column has ${length} rows but values for ${Math.floor(bytes.length / type.bytes)}`,
      'length',
    )
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const at = numberAt(type, view)
  const values: Values = {
    length,
    put: (filler, i, row) => {
      filler.value(at(i), row)
    },
  }
  if (type.kind === 'float' || type.bytes < 8 || type.signed) return values
  const aligned = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice(0, 8 * length)
  return { ...values, numbers: new BigUint64Array(aligned.buffer, aligned.byteOffset, length) }
}

/** A number by its place. */
export function numberAt(
  type: Extract<ValueType, { kind: 'int' | 'float' }>,
  view: DataView,
): (i: number) => number | bigint {
  if (type.kind === 'float') {
    return type.bytes === 4
      ? (i) => view.getFloat32(4 * i, true)
      : (i) => view.getFloat64(8 * i, true)
  }
  const { bytes, signed } = type
  switch (bytes) {
    case 1:
      return signed ? (i) => view.getInt8(i) : (i) => view.getUint8(i)
    case 2:
      return signed ? (i) => view.getInt16(2 * i, true) : (i) => view.getUint16(2 * i, true)
    case 4:
      return signed ? (i) => view.getInt32(4 * i, true) : (i) => view.getUint32(4 * i, true)
    case 8:
      return signed ? (i) => view.getBigInt64(8 * i, true) : (i) => view.getBigUint64(8 * i, true)
  }
}
