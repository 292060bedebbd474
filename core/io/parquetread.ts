// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses out of Parquet, page by page.
// Read here and not by a package: those believe every count, and damage makes them take all memory.

import { FormatError, UsageError } from '../errors.ts'
import { columnIn } from './columns.ts'
import { damaged } from './damaged.ts'
import { type AddressBatch, AddressFiller } from './filler.ts'
import { type AddressOptions } from './format.ts'
import { type ParquetField, readFooter } from './parquetfooter.ts'
import { pagesOf } from './parquetpages.ts'
import { leafTypeOf } from './parquetvalues.ts'
import { type ByteSource } from './source.ts'

const OPTIONAL = 1
const REPEATED = 2

/** Reads one column. Parquet has its index at the end: out of a pipe it is kept in a temporary file first. */
export async function* readParquet(
  source: ByteSource,
  { column, radix = 10 }: AddressOptions,
): AsyncGenerator<AddressBatch> {
  const file = await source.whole()
  const filler = new AddressFiller('row', radix)
  try {
    const { fields, chunksOf } = readFooter(file)
    const top = topOf(fields)
    const names = top.map(({ field }) => field.name)
    const { field, leaf } = top[columnIn(names, column, source.name)] ?? {}
    if (field === undefined || leaf === undefined) throw new FormatError('no columns', 'schema')
    if (field.children > 0 || field.repetition === REPEATED) {
      const what = `the column '${field.name}' of ${source.name} holds lists or groups`
      throw new UsageError(`${what}: make it a column of unsigned 64-bit numbers, or text`)
    }
    const type = leafTypeOf(field, source.name)
    let row = 1
    for (const chunk of chunksOf(leaf)) {
      if (chunk.rows > 0 && chunk.type !== field.type) {
        const what = `the column has the type ${field.type ?? -1}, and ${chunk.type} in a row group`
        throw new FormatError(what, 'ColumnMetaData.type')
      }
      for (const page of pagesOf(file, chunk, type, field.repetition === OPTIONAL)) {
        const numbers = page.plain?.numbers
        for (let i = 0; i < page.rows;) {
          let taken = 1
          if (numbers !== undefined) taken = filler.numbers(numbers, i, row)
          else {
            const place = page.next()
            if (place === undefined) filler.value(null, row)
            else page.values.put(filler, place, row)
          }
          i += taken
          row += taken
          if (filler.isFull) yield filler.take(page.end)
        }
      }
    }
    if (filler.count > 0) yield filler.take(file.size)
  } catch (error) {
    throw damaged(error, source.name, 'Parquet')
  } finally {
    file.close()
  }
}

/** The columns under the root, and the place of the first leaf of each. */
function topOf(fields: readonly ParquetField[]): { field: ParquetField; leaf: number }[] {
  const top: { field: ParquetField; leaf: number }[] = []
  let leaf = 0
  // Children that are still to come: of the column, and below it.
  let inside = 0
  for (const field of fields) {
    if (inside === 0) top.push({ field, leaf })
    else inside--
    const { children, type } = field
    if (children < 0 || children > fields.length || children > 0 === (type !== undefined)) {
      const what = `the column '${field.name}' has ${children} columns in it`
      throw new FormatError(what, 'SchemaElement.num_children')
    }
    if (type !== undefined) leaf++
    inside += children
  }
  return top
}
