// SPDX-License-Identifier: GPL-2.0-or-later
// Apache Arrow IPC: the file format, and the stream that programs hand to each other through pipes.

import type { RecordBatchWriter, Schema } from 'apache-arrow'
import { type ArrowPackage, BatchMaker } from './arrowtypes.ts'
import { readArrow } from './arrowread.ts'
import { type ColumnFormat, type RowWriter, type ValueOptions } from './format.ts'
import { type Sink } from './sink.ts'

/** A file begins with this, and ends with it (Arrow columnar format, "IPC File Format"). */
const MAGIC = 'ARROW1'
/** A message begins with this, since Arrow 0.15 ("Encapsulated message format"). */
const CONTINUATION = 0xff

/** The file format, with the place of each batch at its end. */
export const arrow: ColumnFormat = {
  name: 'arrow',
  extensions: ['.arrow', '.feather', '.ipc'],
  isIt: (head) => new TextDecoder().decode(head.subarray(0, MAGIC.length)) === MAGIC,
  writer: (sink, options) => writerOf(sink, options, 'file'),
  read: (source, options) => readArrow(source, options, 'file'),
}

/** The stream: batch after batch, each readable as soon as it is there. */
export const arrowStream: ColumnFormat = {
  name: 'arrow-stream',
  extensions: ['.arrows'],
  isIt: (head) => head.length >= 4 && head.subarray(0, 4).every((byte) => byte === CONTINUATION),
  writer: (sink, options) => writerOf(sink, options, 'stream'),
  read: (source, options) => readArrow(source, options, 'stream'),
}

async function writerOf(
  sink: Sink,
  { int64 = false }: ValueOptions,
  form: 'file' | 'stream',
): Promise<RowWriter> {
  const package_ = await import('apache-arrow')
  const maker = new BatchMaker(package_, int64)
  const pieces: Uint8Array[] = []
  const writer = collecting(package_, form, pieces)
  // Now, not with the first batch: without any row there are columns, too.
  writer.reset(undefined, maker.schema)
  const flush = async (): Promise<void> => {
    for (const piece of joined(pieces.splice(0))) await sink.write(piece)
  }
  // A reader at the other end of a pipe knows the columns before it sends anything.
  await flush()
  return {
    async write(rows) {
      writer.write(maker.batch(rows))
      await flush()
    },
    async end() {
      writer.close()
      await flush()
    },
  }
}

/** So small a piece is cheaper to copy than to write. */
const SMALL = 1 << 14

/** The same bytes, small pieces put together. */
function joined(pieces: readonly Uint8Array[]): Uint8Array[] {
  const larger: Uint8Array[] = []
  let small: Uint8Array[] = []
  const join = (): void => {
    if (small.length > 0) larger.push(Buffer.concat(small))
    small = []
  }
  for (const piece of pieces) {
    if (piece.length < SMALL) {
      small.push(piece)
      continue
    }
    join()
    larger.push(piece)
  }
  join()
  return larger
}

/** A writer of the package that puts what it writes into a list; its own queue has no limit and cannot be emptied. */
function collecting(
  { Message, RecordBatchFileWriter, RecordBatchStreamWriter }: ArrowPackage,
  form: 'file' | 'stream',
  pieces: Uint8Array[],
): RecordBatchWriter {
  const sink = {
    put: (chunk: unknown): number => {
      if (!ArrayBuffer.isView(chunk)) return 0
      pieces.push(new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength))
      return chunk.byteLength
    },
  }
  class FileWriter extends RecordBatchFileWriter {
    protected override _write(chunk: unknown): this {
      if (this._started) this._position += sink.put(chunk)
      return this
    }
    // A whole stream lies in a file, with the schema at its start; the package has it at the end alone.
    protected override _writeSchema(schema: Schema): this {
      return super._writeSchema(schema)._writeMessage(Message.from(schema))
    }
  }
  class StreamWriter extends RecordBatchStreamWriter {
    protected override _write(chunk: unknown): this {
      if (this._started) this._position += sink.put(chunk)
      return this
    }
  }
  return form === 'file' ? new FileWriter() : new StreamWriter()
}
