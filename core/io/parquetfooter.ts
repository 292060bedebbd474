// SPDX-License-Identifier: GPL-2.0-or-later
// The footer of a Parquet file: its columns, and where the pages of the chosen one lie.
// Numbers of fields and types: parquet-format, src/main/thrift/parquet.thrift.

import { type FileBytes } from '../dump/file.ts'
import { FormatError, UnsupportedError } from '../errors.ts'
import { type Fields, Thrift } from './thrift.ts'

/** A column of the schema, or a group of them. */
export interface ParquetField {
  name: string
  /** The physical type's number; undefined for a group. */
  type: number | undefined
  typeLength: number
  /** 0 required, 1 optional, 2 repeated. */
  repetition: number
  children: number
  converted: number | undefined
  /** The number of the logical type. */
  logical: number | undefined
  isSigned: boolean
  /** Digits behind the point of a decimal. */
  scale: number
}

/** The pages of one column in one row group. */
export interface ParquetChunk {
  rows: number
  codec: number
  type: number
  values: number
  /** Where its pages begin and how many bytes they have. */
  at: number
  bytes: number
}

/** What the footer says. */
export interface ParquetFooter {
  readonly fields: readonly ParquetField[]
  /** The chunks of the leaf with this place among the leaves. */
  readonly chunksOf: (leaf: number) => ParquetChunk[]
}

/** A footer may be long, but one for ten thousand row groups has less. */
const MOST_FOOTER = 256 << 20
const MOST_FIELDS = 100_000
const MOST_GROUPS = 1_000_000
const TAIL_BYTES = 8

/** Reads the footer. Throws FormatError where it contradicts itself or the file. */
export function readFooter(file: FileBytes): ParquetFooter {
  const tail = file.read(Math.max(0, file.size - TAIL_BYTES), TAIL_BYTES, 'the end of the file')
  const magic = new TextDecoder().decode(tail.subarray(4))
  if (magic === 'PARE') throw new UnsupportedError('it is encrypted', 'encrypted Parquet')
  if (magic !== 'PAR1') {
    throw new FormatError('it does not end with PAR1: it is cut off', 'magic', file.size - 4)
  }
  const length = new DataView(tail.buffer, tail.byteOffset).getUint32(0, true)
  const at = file.size - TAIL_BYTES - length
  if (at < 4 || length > MOST_FOOTER) {
    throw new FormatError(`its footer would have ${length} bytes`, 'footer', file.size - TAIL_BYTES)
  }
  const bytes = file.read(at, length, 'the footer')
  const fields: ParquetField[] = []
  let total = 0
  new Thrift(bytes, at).struct({
    2: (thrift, type) => {
      thrift.structs(type, () => {
        const field = { ...blank }
        if (fields.push(field) <= MOST_FIELDS) return fieldReaders(field)
        throw new FormatError(`it has more than ${MOST_FIELDS} columns`, 'schema', at)
      })
    },
    3: (thrift, type) => (total = thrift.int(type)),
  })
  return {
    fields: fields.slice(1),
    // Once more, for one column: the places of all might take much memory.
    chunksOf: (leaf) => checked(chunksIn(new Thrift(bytes, at), leaf), total, at),
  }
}

const blank: ParquetField = {
  ...{ name: '', type: undefined, typeLength: 0, repetition: 0, children: 0, scale: 0 },
  ...{ converted: undefined, logical: undefined, isSigned: true },
}

function fieldReaders(field: ParquetField): Fields {
  const logical = (number: number, fields: Fields = {}): Fields => ({
    [number]: (thrift, type) => {
      field.logical = number
      thrift.struct(fields, type)
    },
  })
  return {
    1: (thrift, type) => (field.type = thrift.int(type)),
    2: (thrift, type) => (field.typeLength = thrift.int(type)),
    3: (thrift, type) => (field.repetition = thrift.int(type)),
    4: (thrift, type) => (field.name = thrift.text(type)),
    5: (thrift, type) => (field.children = thrift.int(type)),
    6: (thrift, type) => (field.converted = thrift.int(type)),
    7: (thrift, type) => (field.scale = thrift.int(type)),
    10: (thrift, type) => {
      thrift.struct(
        {
          ...logicalTypes.reduce((all, number) => ({ ...all, ...logical(number) }), {}),
          ...logical(5, { 1: (inner, kind) => (field.scale = inner.int(kind)) }),
          ...logical(10, { 2: (inner, kind) => (field.isSigned = inner.bool(kind)) }),
        },
        type,
      )
    },
  }
}

/** From texts to geography: each is a struct in the union of logical types. */
const logicalTypes = Array.from({ length: 18 }, (_, i) => i + 1)

function chunksIn(thrift: Thrift, leaf: number): ParquetChunk[] {
  const chunks: ParquetChunk[] = []
  thrift.struct({
    4: (groups, groupsType) => {
      groups.structs(groupsType, () => {
        const chunk: ParquetChunk = { rows: 0, codec: 0, type: -1, values: -1, at: 0, bytes: 0 }
        if (chunks.push(chunk) > MOST_GROUPS) {
          throw new FormatError(`it has more than ${MOST_GROUPS} row groups`, 'row_groups')
        }
        return {
          1: (columns, type) => {
            columns.structs(type, (i) => (i === leaf ? chunkReaders(chunk) : {}))
          },
          3: (group, type) => (chunk.rows = group.int(type)),
        }
      })
    },
  })
  return chunks
}

function chunkReaders(chunk: ParquetChunk): Fields {
  return {
    1: () => {
      throw new UnsupportedError('its columns are in other files', 'Parquet in several files')
    },
    3: (thrift, type) => {
      thrift.struct(
        {
          1: (meta, kind) => (chunk.type = meta.int(kind)),
          4: (meta, kind) => (chunk.codec = meta.int(kind)),
          5: (meta, kind) => (chunk.values = meta.int(kind)),
          7: (meta, kind) => (chunk.bytes = meta.int(kind)),
          9: (meta, kind) => (chunk.at = meta.int(kind)),
          11: (meta, kind) => {
            // The dictionary lies in front; some writers have zero for none.
            const at = meta.int(kind)
            if (at > 0 && at < chunk.at) chunk.at = at
          },
        },
        type,
      )
    },
    8: () => {
      throw new UnsupportedError('its columns are encrypted', 'encrypted Parquet')
    },
  }
}

/** Three places tell the number of rows: damage of one of them shows. */
function checked(chunks: ParquetChunk[], total: number, end: number): ParquetChunk[] {
  let rows = 0
  for (const [i, chunk] of chunks.entries()) {
    rows += chunk.rows
    const { at, bytes, values } = chunk
    if (values !== chunk.rows || values < 0) {
      const what = `row group ${i + 1} has ${chunk.rows} rows but ${values} values`
      throw new FormatError(`${what} in the column`, 'ColumnMetaData.num_values', end)
    }
    if (chunk.rows > 0 && (at < 4 || bytes < 0 || at + bytes > end)) {
      const where = `from offset ${at} to ${at + bytes}`
      throw new FormatError(
        `the column of row group ${i + 1} would lie ${where}, and the footer is at ${end}`,
        'ColumnMetaData.data_page_offset',
        end,
      )
    }
  }
  if (rows === total) return chunks
  throw new FormatError(`its row groups have ${rows} of ${total} rows`, 'num_rows', end)
}
