// SPDX-License-Identifier: GPL-2.0-or-later
// Values of a Parquet page in each encoding (parquet-format, Encodings.md), by their places.

import { FormatError, UsageError } from '../errors.ts'
import { type AddressFiller } from './filler.ts'
import { deltaLengths, deltas, deltaTexts, type Texts } from './parquetdelta.ts'
import { type ParquetField } from './parquetfooter.ts'
import { numberValues, putText, type Values, type ValueType } from './values.ts'

type NumberType = Extract<ValueType, { kind: 'int' | 'float' }>
/** Puts a value that lies in bytes. */
type Put = (filler: AddressFiller, bytes: Uint8Array, from: number, to: number, row: number) => void

/** How the values of a column are read: numbers, or bytes, which have a fixed length or say theirs. */
export type LeafType =
  | { readonly number: NumberType }
  | { readonly number: undefined; readonly length: number | undefined; readonly put: Put }

const INT32 = 1
const INT64 = 2
const FLOAT = 4
const DOUBLE = 5
const BYTE_ARRAY = 6
const FIXED = 7
const UTF8 = 0
const DECIMAL = 5
const UNSIGNED = [11, 12, 13, 14]
const SIGNED = [15, 16, 17, 18]
const LOGICAL_INTEGER = 10
const LOGICAL_TEXT = 1
const MOST_DECIMAL = 16

/** How a column is read. Throws UsageError when no addresses can be in it. */
export function leafTypeOf(field: ParquetField, file: string): LeafType {
  const { type, converted, logical, scale, typeLength } = field
  const isDecimal = (converted === DECIMAL || logical === DECIMAL) && scale === 0
  const isPlain = converted === undefined && logical === undefined
  const isWhole =
    isPlain ||
    isDecimal ||
    logical === LOGICAL_INTEGER ||
    [...UNSIGNED, ...SIGNED].includes(converted ?? -1)
  const isSigned = field.isSigned && !UNSIGNED.includes(converted ?? -1)
  if (isWhole && (type === INT32 || type === INT64)) {
    return { number: { kind: 'int', bytes: type === INT32 ? 4 : 8, signed: isSigned } }
  }
  if (isPlain && type === FLOAT) return { number: { kind: 'float', bytes: 4 } }
  if (isPlain && type === DOUBLE) return { number: { kind: 'float', bytes: 8 } }
  const length = type === FIXED ? typeLength : undefined
  if (isDecimal && (type === BYTE_ARRAY || (type === FIXED && typeLength > 0))) {
    return { number: undefined, length, put: putDecimal }
  }
  if (type === BYTE_ARRAY && (isPlain || converted === UTF8 || logical === LOGICAL_TEXT)) {
    return { number: undefined, length, put: putText }
  }
  throw new UsageError(
    `the column '${field.name}' of ${file} holds no addresses: make it unsigned 64-bit numbers, or text`,
  )
}

/** A whole decimal number: big-endian, with a sign. */
function putDecimal(
  filler: AddressFiller,
  bytes: Uint8Array,
  from: number,
  to: number,
  row: number,
): void {
  if (to - from > MOST_DECIMAL) {
    throw new FormatError(`row ${row} has a decimal number of ${to - from} bytes`, 'page')
  }
  let value = 0n
  for (let at = from; at < to; at++) value = (value << 8n) | BigInt(bytes[at] ?? 0)
  filler.value(BigInt.asIntN(8 * (to - from), value), row)
}

/** `count` values, which go on to the end of `bytes` or end before. */
export function valuesIn(
  encoding: number,
  bytes: Uint8Array,
  count: number,
  leaf: LeafType,
): Values {
  switch (encoding) {
    case 0:
      return plain(bytes, count, leaf)
    case 5:
      if (leaf.number?.kind === 'int') return deltaNumbers(bytes, count, leaf.number)
      break
    case 6:
      if (leaf.number === undefined) return texts(deltaLengths(bytes, 0, count), leaf.put)
      break
    case 7:
      if (leaf.number === undefined) return texts(deltaTexts(bytes, count), leaf.put)
      break
    case 9: {
      const width = leaf.number === undefined ? leaf.length : leaf.number.bytes
      if (width !== undefined) return plain(joined(bytes, count, width), count, leaf)
    }
  }
  throw new FormatError(`a page has the encoding ${encoding}, not of its type`, 'encoding')
}

function plain(bytes: Uint8Array, count: number, leaf: LeafType): Values {
  if (leaf.number !== undefined) return numberValues(leaf.number, bytes, count)
  const { length, put } = leaf
  if (length !== undefined) {
    if (count * length > bytes.length) throw tooFew(count, bytes.length)
    return {
      length: count,
      put: (filler, i, row) => {
        put(filler, bytes, i * length, (i + 1) * length, row)
      },
    }
  }
  // Each has four bytes of length.
  if (4 * count > bytes.length) throw tooFew(count, bytes.length)
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const starts = new Uint32Array(count)
  const ends = new Uint32Array(count)
  let at = 0
  for (let i = 0; i < count; i++) {
    const start = at + 4
    at = start <= bytes.length ? start + view.getUint32(at, true) : start
    if (at > bytes.length) throw tooFew(count, bytes.length)
    starts[i] = start
    ends[i] = at
  }
  return texts({ bytes, starts, ends }, put)
}

function texts({ bytes, starts, ends }: Texts, put: Put): Values {
  return {
    length: starts.length,
    put: (filler, i, row) => {
      put(filler, bytes, starts[i] ?? 0, ends[i] ?? 0, row)
    },
  }
}

function deltaNumbers(bytes: Uint8Array, count: number, type: NumberType): Values {
  const { values } = deltas(bytes, 0, count)
  const numbers =
    type.bytes === 8 ? values : Int32Array.from(values, (value) => Number(BigInt.asIntN(32, value)))
  return numberValues(type, new Uint8Array(numbers.buffer), count)
}

/** All first bytes, then all second ones, and so on: put together again. */
function joined(bytes: Uint8Array, count: number, width: number): Uint8Array {
  if (count * width > bytes.length) throw tooFew(count, bytes.length)
  const out = new Uint8Array(count * width)
  for (let i = 0; i < out.length; i++) {
    out[i] = bytes[(i % width) * count + Math.floor(i / width)] ?? 0
  }
  return out
}

function tooFew(count: number, bytes: number): FormatError {
  return new FormatError(`a page has ${count} values in ${bytes} bytes, which are too few`, 'page')
}
