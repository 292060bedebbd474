// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses out of files and pipes, whatever the format: all at once, or batch by batch.

import { UsageError } from '../errors.ts'
import { begin } from '../progress.ts'
import { type AddressBatch } from './filler.ts'
import { type AddressOptions } from './format.ts'
import { type ByteSource } from './source.ts'

/** How a file of addresses is read. */
export interface ReadOptions extends AddressOptions {
  /** An error for the first line that is no guest physical address; without it such a line keeps its row. */
  readonly strict?: boolean
}

/**
 * The column of guest physical addresses of a file, for `qemuVtop(task, await readAddresses('trace.csv'))`: Arrow IPC
 * (file or stream, uncompressed), Parquet, CSV, JSON lines, or a text of one address a line; the content tells which. The column is
 * `gpa`, or the only one, or the one that `{column}` names. In a text of addresses digits are hex; in CSV and JSON lines
 * they are decimal unless they begin with `0x`; `{radix: 16}` says otherwise.
 *
 * A line that is no address keeps its row, which becomes `invalid`, unless `{strict: true}` makes it an error. Throws
 * DumpError when the file cannot be read, MissingError or UsageError when its column cannot be told.
 */
export async function readAddresses(
  path: string,
  options: ReadOptions = {},
): Promise<BigUint64Array> {
  const source = await opened(path)
  const total = source.size === undefined ? {} : { total: source.size }
  const work = begin({ label: `reading ${path}`, unit: 'bytes', ...total })
  const columns: BigUint64Array[] = []
  let length = 0
  let told = 0
  try {
    for await (const { gpas, bad, bytesRead } of batchesOf(source, options)) {
      const [first] = bad
      if (options.strict === true && first !== undefined) {
        throw new UsageError(`${path}, ${first.where}: ${first.why}`)
      }
      columns.push(gpas)
      length += gpas.length
      work.advance(bytesRead - told)
      told = bytesRead
    }
    work.finish()
  } catch (error) {
    work.stop()
    throw error
  }
  const all = new BigUint64Array(length)
  let at = 0
  for (const column of columns) {
    all.set(column, at)
    at += column.length
  }
  return all
}

/**
 * The same in batches of at most 131,072 addresses, as they come: from a path, or from pieces of bytes such as
 * `process.stdin`, which `name` is for in messages. Each batch tells what in it is no address.
 */
export async function* addressBatches(
  input: string | AsyncIterable<Uint8Array>,
  options: AddressOptions & { readonly name?: string } = {},
): AsyncGenerator<AddressBatch> {
  yield* batchesOf(await opened(input, options.name), options)
}

/** What reads files is loaded with the first one: who only translates does not wait for it. */
async function opened(
  input: string | AsyncIterable<Uint8Array>,
  name?: string,
): Promise<ByteSource> {
  const { openSource } = await import('./source.ts')
  return await openSource(input, name)
}

async function* batchesOf(
  source: ByteSource,
  options: AddressOptions,
): AsyncGenerator<AddressBatch> {
  try {
    const { formatOf } = await import('./formats.ts')
    yield* formatOf(source.head).read(source, options)
  } finally {
    await source.close()
  }
}
