// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses out of Parquet, row group by row group.

import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import type { DecodedArray } from 'hyparquet'
import { codecs, decode } from '../codec/index.ts'
import { DumpError, FormatError } from '../errors.ts'
import { columnIn } from './columns.ts'
import { type AddressBatch, AddressFiller } from './filler.ts'
import { type AddressOptions } from './format.ts'
import { type ByteSource } from './source.ts'

/** Reads one column. Parquet has its index at the end: out of a pipe it is kept in a temporary file first. */
export async function* readParquet(
  source: ByteSource,
  { column, radix = 10 }: AddressOptions,
): AsyncGenerator<AddressBatch> {
  const { parquetMetadataAsync, parquetRead, parquetSchema } = await import('hyparquet')
  const bytes = await source.whole()
  const failed = (error: unknown): Error => {
    if (error instanceof DumpError) return error
    const reason = error instanceof Error ? error.message : String(error)
    return new FormatError(`${source.name} is no sound Parquet: ${reason}`, 'Parquet')
  }
  const file = {
    byteLength: bytes.size,
    slice: (start: number, end = bytes.size) =>
      bytes.read(start, end - start, 'a part of the Parquet file').slice().buffer,
  }
  const filler = new AddressFiller('row', radix)
  try {
    const metadata = await parquetMetadataAsync(file)
    const names = parquetSchema(metadata).children.map(({ element }) => element.name)
    const name = names[columnIn(names, column, source.name)] ?? ''
    let rowStart = 0
    for (const { num_rows, columns } of metadata.row_groups) {
      const rowEnd = rowStart + Number(num_rows)
      const values: DecodedArray[] = []
      await parquetRead({
        ...{ file, metadata, columns: [name], rowStart, rowEnd, compressors },
        onChunk: ({ columnData }) => values.push(columnData),
      })
      const bytesRead = Number(columns.at(-1)?.meta_data?.data_page_offset ?? 0n)
      let row = rowStart + 1
      for (const part of values) {
        for (let from = 0; from < part.length;) {
          const taken = fill(filler, part, from, row)
          from += taken
          row += taken
          if (filler.isFull) yield filler.take(bytesRead)
        }
      }
      rowStart = rowEnd
    }
    if (filler.count > 0) yield filler.take(bytes.size)
  } catch (error) {
    throw failed(error)
  } finally {
    bytes.close()
  }
}

function fill(filler: AddressFiller, values: DecodedArray, from: number, row: number): number {
  if (values instanceof BigUint64Array) return filler.numbers(values, from, row)
  const list: ArrayLike<unknown> = values
  let taken = 0
  for (; from + taken < list.length && !filler.isFull; taken++) {
    filler.value(list[from + taken], row + taken)
  }
  return taken
}

/** Beside Snappy, which the package has. */
const compressors = {
  GZIP: (data: Uint8Array, size: number) => gunzipSync(data, { maxOutputLength: size }),
  BROTLI: (data: Uint8Array, size: number) => brotliDecompressSync(data, { maxOutputLength: size }),
  ZSTD: (data: Uint8Array, size: number) => decoded('zstd', data, size),
  LZ4_RAW: (data: Uint8Array, size: number) => decoded('lz4', data, size),
}

function decoded(name: string, data: Uint8Array, size: number): Uint8Array {
  const codec = codecs.get(name)
  if (codec === undefined) throw new Error(`no codec ${name}`)
  return decode(codec, data, size)
}
