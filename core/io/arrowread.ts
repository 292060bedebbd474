// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses out of Apache Arrow IPC, file or stream, batch by batch as they come.

import type { FileHandle } from 'node:fs/promises'
import type { Data, RecordBatch } from 'apache-arrow'
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
  const file = form === 'file' ? await source.whole() : undefined
  const handle = file && handleOf(file, (end) => (bytesRead = Math.max(bytesRead, end)))
  const failed = (error: unknown): Error => {
    if (error instanceof DumpError && !(error instanceof FormatError)) return error
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
        ? await RecordBatchReader.from(asked(source, (bytes) => (bytesRead += bytes)))
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

/**
 * A source as the package takes one. It says how many bytes it wants, and would wait for another piece before it gives
 * out what it has exactly (apache-arrow 21, `fromAsyncIterable`): so it never gets more than it asked for, and at once.
 */
function asked(
  { pieces }: ByteSource,
  taken: (bytes: number) => void,
): AsyncIterableIterator<Uint8Array> {
  const iterator = pieces[Symbol.asyncIterator]()
  let rest = new Uint8Array(0) as Uint8Array
  return {
    [Symbol.asyncIterator]() {
      return this
    },
    async next(wanted?: unknown) {
      const size = typeof wanted === 'number' && wanted >= 0 ? wanted : Infinity
      while (rest.length === 0 && size > 0) {
        const piece: IteratorResult<Uint8Array, unknown> = await iterator.next()
        if (piece.done === true) return { done: true, value: undefined }
        rest = piece.value
      }
      const value = rest.subarray(0, size)
      rest = rest.subarray(value.length)
      taken(value.length)
      return { done: false, value }
    },
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
  for (const data of vector.data) checkRoom(data as Data)
  const [data, more] = vector.data
  if (vector.nullCount === 0 && more === undefined) {
    const numbers: unknown = data?.values
    if (numbers instanceof BigUint64Array) return numbers.subarray(0, vector.length)
  }
  return { length: vector.length, at: (i) => vector.get(i) as unknown }
}

/** The package believes how many rows a batch says it has: that many, if they are not there, would never end. */
function checkRoom(data: Data): void {
  const offsets = data.valueOffsets as ArrayLike<unknown> | undefined
  const values = data.values as ArrayLike<unknown> | undefined
  const room = Math.max(values?.length ?? 0, (offsets?.length ?? 1) - 1)
  if (data.length <= room) return
  throw new FormatError(
    `the column has ${data.length} rows but values for ${room}`,
    'RecordBatch.length',
  )
}

function fill(filler: AddressFiller, values: Values, from: number, row: number): number {
  let taken = 0
  for (; from + taken < values.length && !filler.isFull; taken++) {
    filler.value(values.at(from + taken), row + taken)
  }
  return taken
}
