// SPDX-License-Identifier: GPL-2.0-or-later
// Messages of Arrow IPC, out of a stream as it comes or out of a file by its footer.
// Numbers of fields: Arrow, format/Message.fbs and format/File.fbs.

import { type FileBytes } from '../dump/file.ts'
import { FormatError } from '../errors.ts'
import { type ByteQueue } from './bytequeue.ts'
import { FlatTable } from './flatbuffer.ts'

/** A message: what it is, and a body of which parts can be had. */
export interface ArrowMessage {
  readonly kind: 'schema' | 'dictionary' | 'batch' | 'other'
  readonly header: FlatTable
  /** Offset of the metadata in the file. */
  readonly at: number
  readonly bodyLength: number
  /** A part of the body. Of a stream the parts must be asked for in their order, and before the next message. */
  readonly part: (offset: number, length: number) => Promise<Uint8Array>
}

const kinds = ['other', 'schema', 'dictionary', 'batch'] as const
/** The largest metadata that are read: a hundred thousand columns have less. */
const MOST_METADATA = 64 << 20
const CONTINUATION = 0xffffffff
const MAGIC_BYTES = 8
const BLOCK_BYTES = 24
/** At the end of a file: the length of the footer, and ARROW1. */
const TAIL_BYTES = 10

/** All messages of a stream, up to its end. */
export async function* streamMessages(queue: ByteQueue): AsyncGenerator<ArrowMessage> {
  for (;;) {
    const at = queue.taken
    const first = await queue.upTo(4)
    if (first.length === 0) return
    // Before Arrow 0.15 the length came without a mark in front.
    const hasMark = first.length === 4 && u32(first) === CONTINUATION
    const length = u32(hasMark ? await queue.exactly(4, 'the length of a message') : first)
    if (length === 0) return
    checkMetadata(length, at)
    const metadata = await queue.exactly(length, 'the metadata of a message')
    const message = readMessage(metadata, queue.taken - length)
    const bodyAt = queue.taken
    yield {
      ...message,
      part: async (offset, size) => {
        const ahead = bodyAt + offset - queue.taken
        if (ahead < 0) {
          throw new FormatError('its buffers are not in their order', 'Buffer.offset', message.at)
        }
        await queue.skip(ahead)
        return await queue.exactly(size, 'a buffer of a batch')
      },
    }
    await queue.skip(bodyAt + message.bodyLength - queue.taken)
  }
}

/** The schema, the dictionaries and the batches of a file. */
export function* fileMessages(file: FileBytes): Generator<ArrowMessage> {
  const tail = file.read(Math.max(0, file.size - TAIL_BYTES), TAIL_BYTES, 'the end of the file')
  if (new TextDecoder().decode(tail.subarray(4)) !== 'ARROW1') {
    throw new FormatError('it does not end with ARROW1: it is cut off', 'magic', file.size)
  }
  const length = u32(tail)
  const at = file.size - TAIL_BYTES - length
  if (at < MAGIC_BYTES) {
    throw new FormatError(`its footer would have ${length} bytes`, 'footer', file.size - TAIL_BYTES)
  }
  checkMetadata(length, at)
  const footer = FlatTable.root(file.read(at, length, 'the footer'), at)
  const header = footer.table(1)
  if (header === undefined) throw new FormatError('its footer has no schema', 'Footer.schema', at)
  const none = (): Promise<Uint8Array> => Promise.resolve(new Uint8Array(0))
  yield { kind: 'schema', header, at, bodyLength: 0, part: none }
  let total = 0
  for (const field of [2, 3]) {
    const blocks = footer.longs(field, BLOCK_BYTES, [0, 16], 'places of batches')
    for (let i = 0; i < blocks.length; i++) {
      const [offset = 0, bodyLength = 0] = blocks.row(i)
      const metadataLength = footer.intIn(field, BLOCK_BYTES, i, 8)
      total += metadataLength + bodyLength
      // Else a few bytes could stand for the same batch a million times.
      if (metadataLength < MAGIC_BYTES || total > file.size) {
        throw new FormatError(`its batches have ${total} of ${file.size} bytes`, 'Footer', at)
      }
      yield blockMessage(file, offset, metadataLength, bodyLength)
    }
  }
}

function blockMessage(
  file: FileBytes,
  offset: number,
  metadataLength: number,
  bodyLength: number,
): ArrowMessage {
  checkMetadata(metadataLength, offset)
  const bytes = file.read(offset, metadataLength, 'the metadata of a batch')
  const skipped = u32(bytes) === CONTINUATION ? 8 : 4
  const message = readMessage(bytes.subarray(skipped), offset + skipped)
  if (message.bodyLength !== bodyLength) {
    const both = `${bodyLength} bytes in the footer, ${message.bodyLength} in its message`
    throw new FormatError(`a batch has ${both}`, 'Block.bodyLength', offset)
  }
  const bodyAt = offset + metadataLength
  const part = (from: number, size: number): Promise<Uint8Array> =>
    Promise.resolve(file.read(bodyAt + from, size, 'a buffer of a batch'))
  return { ...message, part }
}

function readMessage(metadata: Uint8Array, at: number): Omit<ArrowMessage, 'part'> {
  const message = FlatTable.root(metadata, at)
  const header = message.table(2)
  if (header === undefined) throw new FormatError('a message is empty', 'Message.header', at)
  const kind = kinds[message.int(1, 1) ?? 0] ?? 'other'
  return { kind, header, at, bodyLength: message.long(3, 'lengths of bodies') }
}

function checkMetadata(length: number, at: number): void {
  if (length <= MOST_METADATA) return
  const limit = `more than the ${MOST_METADATA} that are read`
  throw new FormatError(`the metadata there would have ${length} bytes, ${limit}`, 'length', at)
}

function u32(bytes: Uint8Array): number {
  if (bytes.length < 4) throw new FormatError('it ends inside a length', 'length')
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(0, true)
}
