// SPDX-License-Identifier: GPL-2.0-or-later
// One column out of batches of Arrow IPC: its own buffers and no others (Arrow columnar format, "Physical memory layout").

import { FormatError, UnsupportedError } from '../errors.ts'
import { type ArrowMessage } from './arrowmessages.ts'
import { type ArrowField, hasViews } from './arrowschema.ts'
import { type FlatTable } from './flatbuffer.ts'
import { type AddressFiller } from './filler.ts'
import { numberAt, numberValues, putText, type Values, type ValueType } from './values.ts'

/** The most of one buffer that is held: 128 million addresses. */
const MOST_BUFFER = 1 << 30
/** Dictionaries grow by parts, which are looked through one after the other. */
const MOST_PARTS = 1000
const VIEW_BYTES = 16
const INLINE_BYTES = 12

type Part = (places: readonly number[] | undefined, most?: number) => Promise<Uint8Array>

/** The column that is read. */
export class ArrowColumn {
  readonly #fields: readonly ArrowField[]
  readonly #field: ArrowField
  readonly #type: ValueType
  #dictionary: Values[] = []

  constructor(fields: readonly ArrowField[], field: ArrowField, type: ValueType) {
    this.#fields = fields
    this.#field = field
    this.#type = type
  }

  /** Takes the values of a dictionary, when it is this column's. */
  async learn(message: ArrowMessage): Promise<void> {
    const { header, at } = message
    if (header.long(0, 'numbers of dictionaries') !== this.#field.dictionary?.id) return
    const batch = header.table(1)
    if (batch === undefined) throw new FormatError('a dictionary is empty', 'DictionaryBatch', at)
    const values = await read(
      message,
      batch,
      [{ ...this.#field, dictionary: undefined }],
      0,
      this.#type,
    )
    const isDelta = (header.int(2, 1) ?? 0) !== 0
    this.#dictionary = isDelta ? [...this.#dictionary, values] : [values]
    if (this.#dictionary.length > MOST_PARTS) {
      throw new FormatError(`a dictionary has more than ${MOST_PARTS} parts`, 'DictionaryBatch', at)
    }
  }

  /** The column's values in a batch. */
  async values(message: ArrowMessage): Promise<Values> {
    const { dictionary } = this.#field
    const place = this.#fields.indexOf(this.#field)
    const parts = dictionary && this.#dictionary
    const type = dictionary?.index ?? this.#type
    return await read(message, message.header, this.#fields, place, type, parts)
  }
}

async function read(
  message: ArrowMessage,
  batch: FlatTable,
  fields: readonly ArrowField[],
  place: number,
  type: ValueType,
  dictionary?: readonly Values[],
): Promise<Values> {
  const { at, bodyLength } = message
  const compression = batch.table(3)
  if (compression !== undefined) {
    const name = (compression.int(0, 1) ?? 0) === 0 ? 'LZ4' : 'Zstandard'
    const how = "pyarrow: feather.write_feather(…, compression='uncompressed')"
    throw new UnsupportedError(
      `its batches are compressed by ${name}: write it without compression (${how}), or as Parquet`,
      'compressed Arrow',
    )
  }
  const rows = batch.long(0, 'numbers of rows')
  const [length = 0, nulls = 0] = batch.longs(1, 16, [0, 8], 'nodes').row(place)
  if (length !== rows || nulls > length) {
    const what = `the column has ${length} rows, ${nulls} of them null`
    throw new FormatError(`${what}, and the batch has ${rows}`, 'FieldNode.length', at)
  }
  const buffers = batch.longs(2, 16, [0, 8], 'buffers')
  const { first, views } = before(batch, fields, place)
  let taken = 0
  const part: Part = async (range, most = Infinity) => {
    const [offset = 0, size = 0] = range ?? []
    if (offset + size > bodyLength) {
      const what = `a buffer goes from byte ${offset} to ${offset + size}`
      throw new FormatError(`${what} of a body of ${bodyLength}`, 'Buffer.offset', at)
    }
    const wanted = Math.min(size, most)
    taken += wanted
    if (taken > bodyLength) {
      throw new FormatError('its buffers lie one upon the other', 'Buffer.offset', at)
    }
    if (wanted > MOST_BUFFER) {
      throw new UnsupportedError(`a batch has ${rows} rows: write smaller batches`, 'large batches')
    }
    return wanted === 0 ? new Uint8Array(0) : await message.part(offset, wanted)
  }
  const valid = await part(buffers.row(first), Math.ceil(length / 8))
  if (nulls > 0 && 8 * valid.length < length) {
    throw new FormatError(`${length} rows have bits for ${8 * valid.length}`, 'validity', at)
  }
  const next = (i: number, most?: number): Promise<Uint8Array> => part(buffers.row(first + i), most)
  const values = await inBuffers(type, length, next, views)
  const present = dictionary ? inDictionary(type, values, dictionary) : values.values
  return nulls === 0 ? present : withNulls(present, valid)
}

interface Read {
  readonly values: Values
  readonly bytes: Uint8Array
}

async function inBuffers(
  type: ValueType,
  length: number,
  next: (i: number, most?: number) => Promise<Uint8Array>,
  views: number,
): Promise<Read> {
  if (type.kind === 'int' || type.kind === 'float') {
    const bytes = await next(1, length * type.bytes)
    return { bytes, values: numberValues(type, bytes, length) }
  }
  if (type.kind === 'text') {
    const wide = type.offsetBytes
    const bytes = await next(1, (length + 1) * wide)
    if (length > 0) numberValues({ kind: 'int', bytes: wide, signed: true }, bytes, length + 1)
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    const offset = numberAt({ kind: 'int', bytes: wide, signed: true }, view)
    const text = await next(2)
    const put = (filler: AddressFiller, i: number, row: number): void => {
      putText(filler, text, Number(offset(i)), Number(offset(i + 1)), row)
    }
    return { bytes, values: { length, put } }
  }
  const bytes = await next(1, length * VIEW_BYTES)
  if (bytes.length < length * VIEW_BYTES) {
    throw new FormatError(`${length} rows have ${bytes.length} bytes of views`, 'Buffer.length')
  }
  const texts: Uint8Array[] = []
  for (let i = 0; i < views; i++) texts.push(await next(2 + i))
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const put = (filler: AddressFiller, i: number, row: number): void => {
    const at = VIEW_BYTES * i
    const size = view.getInt32(at, true)
    // Short texts stand in the view itself, others in one of the buffers behind.
    const isInline = size <= INLINE_BYTES
    const text = isInline ? bytes : (texts[view.getInt32(at + 8, true)] ?? new Uint8Array(0))
    const from = isInline ? at + 4 : view.getInt32(at + 12, true)
    putText(filler, text, from, from + size, row)
  }
  return { bytes, values: { length, put } }
}

function inDictionary(type: ValueType, { values, bytes }: Read, parts: readonly Values[]): Values {
  if (type.kind !== 'int') return values
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const at = numberAt(type, view)
  const put = (filler: AddressFiller, i: number, row: number): void => {
    const wanted = Number(at(i))
    let place = wanted
    for (const part of parts) {
      if (place >= 0 && place < part.length) {
        part.put(filler, place, row)
        return
      }
      place -= part.length
    }
    throw new FormatError(`row ${row} has the value ${wanted} of a dictionary without it`, 'index')
  }
  return { length: values.length, put }
}

function withNulls(values: Values, valid: Uint8Array): Values {
  return {
    length: values.length,
    put: (filler, i, row) => {
      const isThere = (((valid[i >> 3] ?? 0) >> (i & 7)) & 1) === 1
      if (isThere) values.put(filler, i, row)
      else filler.value(null, row)
    },
  }
}

/** Where the column's buffers begin, and how many buffers its views point into. */
function before(
  batch: FlatTable,
  fields: readonly ArrowField[],
  place: number,
): { first: number; views: number } {
  const counts = batch.longs(4, 8, [0], 'counts of buffers')
  let seen = 0
  let first = 0
  let views = 0
  for (const [i, field] of fields.entries()) {
    if (i > place) break
    const more = hasViews(field) ? (counts.row(seen++)[0] ?? 0) : 0
    if (i === place) views = more
    else first += field.buffers + more
  }
  return { first, views }
}
