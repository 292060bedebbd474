// SPDX-License-Identifier: GPL-2.0-or-later
// The schema of Arrow IPC: what the columns are, and how many buffers lie before a column's own.
// Numbers of fields and types: Arrow, format/Schema.fbs.

import { FormatError, UnsupportedError } from '../errors.ts'
import { type FlatTable } from './flatbuffer.ts'
import { type ValueType } from './values.ts'

/** One field of the schema or of a field in it, in the order in which their buffers lie. */
export interface ArrowField {
  readonly name: string
  /** The name of its type, as Arrow has it. */
  readonly typeName: string
  /** How it is read; undefined when no address can be in it. */
  readonly type: ValueType | undefined
  /** Set when its values are in a dictionary with this number; `index` is how they are pointed at. */
  readonly dictionary: { readonly id: number; readonly index: ValueType } | undefined
  /** Buffers of its own. Types that end in `View` have more, so many as the batch says. */
  readonly buffers: number
  readonly isTop: boolean
}

const MOST_DEPTH = 64
const utf8: ValueType = { kind: 'text', offsetBytes: 4 }

/** Each type by its number: its name, its own buffers, and how it is read. */
const types: readonly (readonly [
  name: string,
  buffers: number,
  read?: (type: FlatTable | undefined) => ValueType | undefined,
])[] = [
  ['None', 0],
  ['Null', 0],
  ['Int', 2, intType],
  ['FloatingPoint', 2, floatType],
  ['Binary', 3],
  ['Utf8', 3, () => utf8],
  ['Bool', 2],
  ['Decimal', 2],
  ['Date', 2],
  ['Time', 2],
  ['Timestamp', 2],
  ['Interval', 2],
  ['List', 2],
  ['Struct', 1],
  ['Union', 1],
  ['FixedSizeBinary', 2],
  ['FixedSizeList', 1],
  ['Map', 2],
  ['Duration', 2],
  ['LargeBinary', 3],
  ['LargeUtf8', 3, () => ({ kind: 'text', offsetBytes: 8 })],
  ['LargeList', 2],
  ['RunEndEncoded', 0],
  ['BinaryView', 2],
  ['Utf8View', 2, () => ({ kind: 'view' })],
  ['ListView', 3],
  ['LargeListView', 3],
]
const UNION = 14
const DENSE = 1

/** Whether the batch says how many more buffers a field has. */
export function hasViews({ typeName, dictionary }: ArrowField): boolean {
  return dictionary === undefined && (typeName === 'Utf8View' || typeName === 'BinaryView')
}

/** All fields of a Schema table, children behind their parents. */
export function fieldsOf(schema: FlatTable): ArrowField[] {
  if ((schema.int(0, 2) ?? 0) !== 0) {
    throw new UnsupportedError('its numbers are big-endian: write it little-endian', 'big-endian')
  }
  const fields: ArrowField[] = []
  const add = (tables: readonly FlatTable[], depth: number): void => {
    if (depth > MOST_DEPTH) {
      throw new FormatError(`its columns are nested more than ${MOST_DEPTH} deep`, 'Schema.fields')
    }
    for (const table of tables) {
      if (fields.length >= MOST_FIELDS) {
        throw new FormatError(`it has more than ${MOST_FIELDS} columns`, 'Schema.fields')
      }
      const field = fieldOf(table, depth === 0)
      fields.push(field)
      // The values of a dictionary lie elsewhere, with their children.
      if (field.dictionary === undefined) add(table.tables(5, MOST_FIELDS), depth + 1)
    }
  }
  add(schema.tables(1, MOST_FIELDS), 0)
  return fields
}

/** Fields may share their children: a few bytes could be billions of them. */
const MOST_FIELDS = 100_000

function fieldOf(table: FlatTable, isTop: boolean): ArrowField {
  const number = table.int(2, 1) ?? 0
  const [typeName, own, read] = types[number] ?? []
  if (typeName === undefined || own === undefined) {
    throw new FormatError(`there is no type ${number} of columns`, 'Field.type')
  }
  const parameters = table.table(3)
  const isDense = number === UNION && parameters?.int(0, 2) === DENSE
  const encoding = table.table(4)
  const dictionary = encoding && {
    id: encoding.long(0, 'numbers of dictionaries'),
    index: encoding.table(1) ? intType(encoding.table(1)) : ({ ...int, bytes: 4 } as const),
  }
  return {
    name: table.text(0),
    typeName,
    type: read?.(parameters),
    dictionary,
    buffers: dictionary ? 2 : isDense ? own + 1 : own,
    isTop,
  }
}

const int = { kind: 'int', signed: true } as const

function intType(type: FlatTable | undefined): ValueType {
  const bits = type?.int(0, 4) ?? 0
  const bytes = bits / 8
  if (bytes === 1 || bytes === 2 || bytes === 4 || bytes === 8) {
    return { kind: 'int', bytes, signed: (type?.int(1, 1) ?? 0) !== 0 }
  }
  throw new FormatError(`there are no numbers of ${bits} bits`, 'Int.bitWidth')
}

function floatType(type: FlatTable | undefined): ValueType | undefined {
  const precision = type?.int(0, 2) ?? 0
  // A half has 11 bits: no address.
  if (precision === 0) return undefined
  return { kind: 'float', bytes: precision === 1 ? 4 : 8 }
}
