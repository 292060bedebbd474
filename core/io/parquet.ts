// SPDX-License-Identifier: GPL-2.0-or-later
// Apache Parquet, row group by row group, so that memory does not grow with the rows.

import { gzipSync } from 'node:zlib'
import type { DecodedArray, SchemaElement } from 'hyparquet'
import { wordsOf } from '../bytes/words.ts'
import { stateNames } from '../bulk/states.ts'
import { type ColumnFormat, type RowWriter, type ValueOptions } from './format.ts'
import { readParquet } from './parquetread.ts'
import { columnNames, type Rows } from './rows.ts'
import { type Sink } from './sink.ts'

/** Rows of a row group: a reader has this much in memory, and skips this much at once. */
const GROUP_ROWS = 262_144

/** Parquet with row groups of 262,144 rows, gzip: zlib is Node's own, and the files have half the size of Snappy's. */
export const parquet: ColumnFormat = {
  name: 'parquet',
  extensions: ['.parquet', '.pq'],
  isIt: (head) => new TextDecoder().decode(head.subarray(0, 4)) === 'PAR1',
  writer: writerOf,
  read: readParquet,
}

/** Columns that mostly grow: differences are a tenth of the numbers. */
const growing = new Set<string>(['gpa', 'hva'])

async function writerOf(sink: Sink, { int64 = false }: ValueOptions): Promise<RowWriter> {
  const { ByteWriter, ParquetWriter } = await import('hyparquet-writer')
  const bytes = new ByteWriter()
  const flush = async (): Promise<void> => {
    const written = bytes.getBytes().slice()
    bytes.index = 0
    await sink.write(written)
  }
  const writer = new ParquetWriter({
    writer: bytes,
    schema: [
      { name: 'root', num_children: columnNames.length },
      ...columnNames.map((name) => elementOf(name, int64)),
    ],
    codec: 'GZIP',
    compressors: { GZIP: (bytes) => gzipSync(bytes, { level: 1 }) },
    createdBy: 'qemu-vtop',
  })
  let held: Rows[] = []
  let count = 0
  const writeGroup = async (): Promise<void> => {
    const columnData = columnNames.map((name) => ({
      name,
      data: valuesOf(held, name, int64),
      offsetIndex: false,
      ...(growing.has(name) ? { encoding: 'DELTA_BINARY_PACKED' as const } : {}),
    }))
    held = []
    const rowGroupSize = count
    count = 0
    await writer.write({ columnData, rowGroupSize })
    await flush()
  }
  return {
    async write(rows) {
      if (rows.length === 0) return
      held.push(rows)
      count += rows.length
      if (count >= GROUP_ROWS) await writeGroup()
    },
    async end() {
      if (count > 0) await writeGroup()
      await writer.finish()
      await flush()
    },
  }
}

type ColumnName = (typeof columnNames)[number]

function elementOf(name: ColumnName, int64: boolean): SchemaElement {
  switch (name) {
    case 'gpa':
    case 'hva':
    case 'hpa':
    case 'swap_offset':
      return {
        name,
        type: 'INT64',
        repetition_type: 'OPTIONAL',
        ...(int64 ? {} : { converted_type: 'UINT_64' as const }),
      }
    case 'state':
      return { name, type: 'BYTE_ARRAY', converted_type: 'UTF8', repetition_type: 'REQUIRED' }
    case 'page_size':
    case 'slot':
    case 'swap_type':
      return { name, type: 'INT32', repetition_type: 'OPTIONAL' }
  }
}

/** A column of some batches as the package takes it: with null where there is none. */
function valuesOf(batches: readonly Rows[], name: ColumnName, int64: boolean): DecodedArray {
  switch (name) {
    case 'gpa':
    case 'hva':
    case 'hpa':
      return addresses(
        batches.map((rows) => rows[name]),
        int64,
      )
    case 'swap_offset':
      return addresses(
        batches.map((rows) => rows.swapOffset),
        int64,
      )
    case 'state':
      return mapped(
        batches.map(({ state }) => state),
        (code) => stateNames[code] ?? 'invalid',
      )
    case 'page_size':
      return mapped(
        batches.map(({ pageShift }) => pageShift),
        (shift) => (shift === 0 ? null : 2 ** shift),
      )
    case 'slot':
      return mapped(
        batches.map(({ slot }) => slot),
        orNull,
      )
    case 'swap_type':
      return mapped(
        batches.map(({ swapType }) => swapType),
        orNull,
      )
  }
}

/** Lists of the right length from the start: this is most of the work. */
function mapped<T>(
  columns: readonly (Uint8Array | Int8Array | Int16Array)[],
  value: (number: number) => T,
): T[] {
  const values = new Array<T>(lengthOf(columns))
  let at = 0
  for (const column of columns) for (const number of column) values[at++] = value(number)
  return values
}

function addresses(columns: readonly BigUint64Array[], int64: boolean): (bigint | null)[] {
  const values = new Array<bigint | null>(lengthOf(columns))
  const highEnd = int64 ? 2 ** 31 : 2 ** 32
  let at = 0
  for (const column of columns) {
    const halves = wordsOf(column)
    for (let i = 0; i < column.length; i++) {
      const low = halves[2 * i] ?? 0
      const high = halves[2 * i + 1] ?? 0
      const isThere = high < highEnd && (high !== 0xffffffff || low !== 0xffffffff)
      values[at++] = isThere ? (column[i] ?? null) : null
    }
  }
  return values
}

function lengthOf(columns: readonly ArrayLike<unknown>[]): number {
  return columns.reduce((sum, { length }) => sum + length, 0)
}

function orNull(value: number): number | null {
  return value < 0 ? null : value
}
