// SPDX-License-Identifier: GPL-2.0-or-later
// Addresses out of Apache Arrow IPC, file or stream, batch by batch as they come.
// Read here and not by the package that writes: that one believes every count, and damage makes it take all memory.

import { FormatError, UsageError } from '../errors.ts'
import { ArrowColumn } from './arrowcolumn.ts'
import { type ArrowMessage, fileMessages, streamMessages } from './arrowmessages.ts'
import { fieldsOf } from './arrowschema.ts'
import { ByteQueue } from './bytequeue.ts'
import { columnIn } from './columns.ts'
import { type AddressBatch, AddressFiller } from './filler.ts'
import { type AddressOptions } from './format.ts'
import { damaged } from './damaged.ts'
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
  const queue = new ByteQueue(source.pieces)
  const file = form === 'file' ? await source.whole() : undefined
  const filler = new AddressFiller('row', radix)
  let chosen: ArrowColumn | undefined
  let row = 1
  try {
    for await (const message of file ? fileMessages(file) : streamMessages(queue)) {
      if (message.kind === 'schema') chosen = columnOf(message, column, source.name)
      if (message.kind === 'dictionary') await chosen?.learn(message)
      if (message.kind !== 'batch') continue
      if (chosen === undefined) throw new FormatError('it has no schema', 'Schema', message.at)
      const values = await chosen.values(message)
      const bytesRead = message.at + message.bodyLength
      for (let i = 0; i < values.length;) {
        if (values.numbers === undefined) values.put(filler, i++, row++)
        else {
          const taken = filler.numbers(values.numbers, i, row)
          i += taken
          row += taken
        }
        if (filler.isFull && i < values.length) yield filler.take(bytesRead)
      }
      yield filler.take(bytesRead)
    }
    if (chosen === undefined) throw new FormatError('it has no schema', 'Schema', queue.taken)
  } catch (error) {
    throw damaged(error, source.name, 'Arrow')
  } finally {
    file?.close()
  }
}

function columnOf({ header }: ArrowMessage, wanted: string | undefined, file: string): ArrowColumn {
  const fields = fieldsOf(header)
  const top = fields.filter(({ isTop }) => isTop)
  const names = top.map(({ name }) => name)
  const field = top[columnIn(names, wanted, file)]
  if (field?.type !== undefined) return new ArrowColumn(fields, field, field.type)
  const what = `the column '${field?.name ?? ''}' of ${file} has the type ${field?.typeName ?? ''}`
  throw new UsageError(
    `${what}, which holds no addresses: make it unsigned 64-bit numbers, or text`,
  )
}
