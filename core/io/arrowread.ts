// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses out of Apache Arrow IPC, file or stream, batch by batch as they come.

import type { FileHandle } from 'node:fs/promises'
import type { RecordBatch } from 'apache-arrow'
import { type FileBytes } from '../dump/file.ts'
import { DumpError, FormatError, UnsupportedError } from '../errors.ts'
import { columnIn } from './columns.ts'
import { type AddressBatch, AddressFiller } from './filler.ts'
import { type AddressOptions } from './format.ts'
import { type ByteSource } from './source.ts'

/**
 * Reads a column. Each batch of a stream gives at least one of ours, so that who waits for an answer before sending more
 * gets it. A file has its index at the end: out of a pipe it is kept in a temporary file first.
 */
export async function* readArrow(
  source: ByteSource,
  { column, radix = 10 }: AddressOptions,
  form: 'file' | 'stream',
): AsyncGenerator<AddressBatch> {
  const { RecordBatchReader } = await import('apache-arrow')
  let bytesRead = 0
  async function* pieces(): AsyncGenerator<Uint8Array> {
    for await (const piece of source.pieces) {
      bytesRead += piece.length
      yield piece
    }
  }
  const file = form === 'file' ? await source.whole() : undefined
  const handle = file && handleOf(file, (end) => (bytesRead = Math.max(bytesRead, end)))
  const failed = (error: unknown): Error => {
    if (error instanceof DumpError) return error
    const reason = error instanceof Error ? error.message : String(error)
    if (reason.includes('compressed')) {
      const what = `${source.name} is Arrow with compressed batches`
      return new UnsupportedError(
        `${what}, which cannot be read: write it without compression, or as Parquet`,
        'compressed Arrow',
      )
    }
    return new FormatError(`${source.name} is no sound Arrow: ${reason}`, 'message', bytesRead)
  }
  const filler = new AddressFiller('row', radix)
  let row = 1
  try {
    const reader =
      handle === undefined
        ? await RecordBatchReader.from(pieces())
        : await RecordBatchReader.from(handle)
    await reader.open()
    const names = reader.schema.fields.map(({ name }) => name)
    const place = columnIn(names, column, source.name)
    for await (const batch of reader) {
      const values = valuesOf(batch, place)
      for (let from = 0; from < values.length;) {
        const taken =
          values instanceof BigUint64Array
            ? filler.numbers(values, from, row)
            : fill(filler, values, from, row)
        from += taken
        row += taken
        if (filler.isFull && from < values.length) yield filler.take(bytesRead)
      }
      yield filler.take(bytesRead)
    }
  } catch (error) {
    throw failed(error)
  } finally {
    file?.close()
  }
}

/** A file as the package takes one: of node's own handles it uses this much (apache-arrow 21, `AsyncRandomAccessFile`). */
function handleOf(file: FileBytes, reached: (end: number) => void): FileHandle {
  const handle = {
    fd: -1,
    stat: () => Promise.resolve({ size: file.size }),
    read: (buffer: Uint8Array, offset: number, length: number, position: number) => {
      buffer.set(file.read(position, length, 'a part of the Arrow file'), offset)
      reached(position + length)
      return Promise.resolve({ bytesRead: length, buffer })
    },
    close: () => Promise.resolve(),
  }
  return handle as unknown as FileHandle
}

interface Values {
  readonly length: number
  at(i: number): unknown
}

/** The column's numbers as they lie there where that is possible, else something to ask for each. */
function valuesOf(batch: RecordBatch, place: number): BigUint64Array | Values {
  const vector = batch.getChildAt(place)
  if (vector === null) return new BigUint64Array(0)
  const [data, more] = vector.data
  if (vector.nullCount === 0 && more === undefined) {
    const numbers: unknown = data?.values
    if (numbers instanceof BigUint64Array) return numbers.subarray(0, vector.length)
  }
  return { length: vector.length, at: (i) => vector.get(i) as unknown }
}

function fill(filler: AddressFiller, values: Values, from: number, row: number): number {
  let taken = 0
  for (; from + taken < values.length && !filler.isFull; taken++) {
    filler.value(values.at(from + taken), row + taken)
  }
  return taken
}
