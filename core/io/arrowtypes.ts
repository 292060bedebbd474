// SPDX-License-Identifier: GPL-2.0-or-later
// Rows as record batches of Apache Arrow: 64-bit columns with a bitmap of what is there, states as a dictionary.

import type * as Arrow from 'apache-arrow'
import type { Data, Dictionary, Int, RecordBatch, Schema, Utf8, Vector } from 'apache-arrow'
import { wordsOf } from '../bytes/words.ts'
import { stateNames } from '../bulk/states.ts'
import { columnNames, type Rows } from './rows.ts'

/** The package, as it is once loaded. */
export type ArrowPackage = typeof Arrow

/** Makes record batches of rows. */
export class BatchMaker {
  readonly schema: Schema
  readonly #arrow: ArrowPackage
  readonly #int64: boolean
  readonly #wide: Int
  readonly #narrow: Int
  readonly #stateType: Dictionary<Utf8>
  readonly #states: Vector<Utf8>

  constructor(arrow: ArrowPackage, int64: boolean) {
    this.#arrow = arrow
    this.#int64 = int64
    const { Dictionary, Field, Int32, Int64, Schema, Uint64, Uint8, Utf8 } = arrow
    this.#wide = int64 ? new Int64() : new Uint64()
    this.#narrow = new Int32()
    this.#stateType = new Dictionary(new Utf8(), new Uint8(), 0, false)
    // One for all batches: the writer writes a dictionary again only when it is another.
    this.#states = arrow.vectorFromArray([...stateNames], new Utf8())
    const types = {
      gpa: this.#wide,
      hva: this.#wide,
      hpa: this.#wide,
      state: this.#stateType,
      page_size: this.#narrow,
      slot: this.#narrow,
      swap_type: this.#narrow,
      swap_offset: this.#wide,
    }
    this.schema = new Schema(
      columnNames.map((name) => new Field(name, types[name], name !== 'state')),
    )
  }

  batch(rows: Rows): RecordBatch {
    const { makeData, RecordBatch, Struct } = this.#arrow
    const { length } = rows
    const children: Data[] = [
      this.#wideData(rows.gpa),
      this.#wideData(rows.hva),
      this.#wideData(rows.hpa),
      makeData({
        type: this.#stateType,
        length,
        nullCount: 0,
        data: rows.state.slice(),
        dictionary: this.#states,
      }),
      this.#narrowData(Int32Array.from(rows.pageShift, (shift) => (shift === 0 ? -1 : 1 << shift))),
      this.#narrowData(Int32Array.from(rows.slot)),
      this.#narrowData(Int32Array.from(rows.swapType)),
      this.#wideData(rows.swapOffset),
    ]
    const type = new Struct(this.schema.fields)
    return new RecordBatch(this.schema, makeData({ type, length, nullCount: 0, children }))
  }

  #wideData(column: BigUint64Array): Data {
    const { length } = column
    // The table's own column may be shared memory, and is not to be changed.
    const data = column.slice()
    const halves = wordsOf(data)
    const { bitmap, nullCount } = bitmapOf(length, (i) => {
      const high = halves[2 * i + 1] ?? 0
      const isThere = this.#int64
        ? high < 2 ** 31
        : high !== 0xffffffff || halves[2 * i] !== 0xffffffff
      // Under a null nothing is to be found, not even by who does not look at the bitmap.
      if (!isThere) halves[2 * i] = halves[2 * i + 1] = 0
      return isThere
    })
    const values = this.#int64 ? new BigInt64Array(data.buffer) : data
    return this.#arrow.makeData({
      type: this.#wide,
      length,
      nullCount,
      nullBitmap: bitmap,
      data: values,
    })
  }

  #narrowData(data: Int32Array): Data {
    const { bitmap, nullCount } = bitmapOf(data.length, (i) => {
      const isThere = (data[i] ?? -1) >= 0
      if (!isThere) data[i] = 0
      return isThere
    })
    const type = this.#narrow
    return this.#arrow.makeData({ type, length: data.length, nullCount, nullBitmap: bitmap, data })
  }
}

/** One bit for each row that has a value; nothing when all have. */
function bitmapOf(
  length: number,
  isThere: (i: number) => boolean,
): { bitmap: Uint8Array | null; nullCount: number } {
  const bitmap = new Uint8Array(Math.ceil(length / 64) * 8)
  let nullCount = 0
  for (let i = 0; i < length; i++) {
    if (isThere(i)) bitmap[i >> 3] = (bitmap[i >> 3] ?? 0) | (1 << (i & 7))
    else nullCount++
  }
  return { bitmap: nullCount === 0 ? null : bitmap, nullCount }
}
