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
      this.#narrowData(sizesOf(rows.pageShift)),
      this.#narrowData(new Int32Array(rows.slot)),
      this.#narrowData(new Int32Array(rows.swapType)),
      this.#wideData(rows.swapOffset),
    ]
    const type = new Struct(this.schema.fields)
    return new RecordBatch(this.schema, makeData({ type, length, nullCount: 0, children }))
  }

  /** Under a null nothing is to be found, not even by who does not look at the bitmap. */
  #wideData(column: BigUint64Array): Data {
    const { length } = column
    // The table's own column may be shared memory, and is not to be changed.
    const data = column.slice()
    const halves = wordsOf(data)
    const bitmap = newBitmap(length)
    // NO_ADDRESS alone has no unsigned value; from the highest bit on there is no signed one.
    const signBit = this.#int64 ? 0x80000000 : 0
    let nullCount = 0
    for (let i = 0; i < length; i++) {
      const low = halves[2 * i] ?? 0
      const high = halves[2 * i + 1] ?? 0
      if ((high & signBit) === 0 && (high & low) !== -1) {
        bitmap[i >> 3] = (bitmap[i >> 3] ?? 0) | (1 << (i & 7))
      } else {
        halves[2 * i] = halves[2 * i + 1] = 0
        nullCount++
      }
    }
    const values = this.#int64 ? new BigInt64Array(data.buffer) : data
    return this.#data(this.#wide, values, bitmap, nullCount)
  }

  /** A value below 0 is none. */
  #narrowData(data: Int32Array): Data {
    const { length } = data
    const bitmap = newBitmap(length)
    let nullCount = 0
    for (let i = 0; i < length; i++) {
      if ((data[i] ?? -1) >= 0) bitmap[i >> 3] = (bitmap[i >> 3] ?? 0) | (1 << (i & 7))
      else {
        data[i] = 0
        nullCount++
      }
    }
    return this.#data(this.#narrow, data, bitmap, nullCount)
  }

  #data(type: Int, data: Int['TArray'], bitmap: Uint8Array, nullCount: number): Data {
    const nullBitmap = nullCount === 0 ? null : bitmap
    return this.#arrow.makeData({ type, length: data.length, nullCount, nullBitmap, data })
  }
}

/** One bit for each row, all clear. */
function newBitmap(length: number): Uint8Array {
  return new Uint8Array(Math.ceil(length / 64) * 8)
}

/** Page sizes in bytes, -1 for none. */
function sizesOf(shifts: Uint8Array): Int32Array {
  const sizes = new Int32Array(shifts.length)
  for (let i = 0; i < sizes.length; i++) {
    const shift = shifts[i] ?? 0
    sizes[i] = shift === 0 ? -1 : 1 << shift
  }
  return sizes
}
