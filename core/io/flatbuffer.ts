// SPDX-License-Identifier: GPL-2.0-or-later
// Tables of FlatBuffers, read where they lie: every offset and count is held against the bytes that are there.

import { FormatError } from '../errors.ts'

/**
 * One table ("FlatBuffers internals", section "Tables"). Fields have the numbers of their place in the schema; a field
 * that is not there is undefined. Nothing is read before it is asked for. What leads out of the bytes is a FormatError.
 */
export class FlatTable {
  readonly #view: DataView
  readonly #base: number
  readonly #at: number
  readonly #slots: number
  readonly #slotBytes: number

  /** The table at `at`; `base` is where the bytes begin in the file, for messages. */
  private constructor(view: DataView, base: number, at: number) {
    this.#view = view
    this.#base = base
    this.#at = at
    this.#check(at, 4, 'a table')
    const slots = at - view.getInt32(at, true)
    this.#check(slots, 4, "a table's list of fields")
    this.#slots = slots
    this.#slotBytes = view.getUint16(slots, true)
    this.#check(slots, this.#slotBytes, "a table's list of fields")
  }

  /** The table that the bytes of a message begin with. */
  static root(bytes: Uint8Array, base: number): FlatTable {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
    if (bytes.length < 4) throw new FormatError('the metadata are cut off', 'metadata', base)
    return new FlatTable(view, base, view.getUint32(0, true))
  }

  /** A number of 1, 2 or 4 bytes. */
  int(field: number, bytes: 1 | 2 | 4): number | undefined {
    const at = this.#place(field, bytes)
    if (at === undefined) return undefined
    if (bytes === 1) return this.#view.getUint8(at)
    return bytes === 2 ? this.#view.getInt16(at, true) : this.#view.getInt32(at, true)
  }

  /** A count or offset of 8 bytes, from zero to 2^53; `what` is for messages. */
  long(field: number, what: string): number {
    const at = this.#place(field, 8)
    return at === undefined ? 0 : this.#count(at, what)
  }

  text(field: number): string {
    const vector = this.#vector(field, 1)
    if (vector === undefined) return ''
    const { at, length } = vector
    return new TextDecoder().decode(
      new Uint8Array(this.#view.buffer, this.#view.byteOffset + at, length),
    )
  }

  table(field: number): FlatTable | undefined {
    const at = this.#place(field, 4)
    return at === undefined ? undefined : this.#follow(at)
  }

  /** Tables of a list; more than `most` are refused, since many may be the same few bytes. */
  tables(field: number, most: number): FlatTable[] {
    const { at, length } = this.#vector(field, 4) ?? { at: 0, length: 0 }
    if (length > most) {
      throw new FormatError(`a list has ${length} tables`, 'metadata', this.#base + at)
    }
    return Array.from({ length }, (_, i) => this.#follow(at + 4 * i))
  }

  /** Rows of a vector of structs that have counts of 8 bytes at these places. */
  longs(field: number, size: number, places: readonly number[], what: string): Longs {
    const { at, length } = this.#vector(field, size) ?? { at: 0, length: 0 }
    return {
      length,
      row: (i) => {
        if (i < length) return places.map((place) => this.#count(at + size * i + place, what))
        throw new FormatError(`there are ${length} ${what}, no ${i + 1}th`, what, this.#base + at)
      },
    }
  }

  /** A number of 4 bytes in a row of a vector of structs, which `longs` has shown to be there. */
  intIn(field: number, size: number, i: number, place: number): number {
    const { at, length } = this.#vector(field, size) ?? { at: 0, length: 0 }
    return i < length ? this.#view.getInt32(at + size * i + place, true) : 0
  }

  #place(field: number, bytes: number): number | undefined {
    const slot = 4 + 2 * field
    if (slot + 2 > this.#slotBytes) return undefined
    const offset = this.#view.getUint16(this.#slots + slot, true)
    if (offset === 0) return undefined
    this.#check(this.#at + offset, bytes, 'a field')
    return this.#at + offset
  }

  #follow(at: number): FlatTable {
    return new FlatTable(this.#view, this.#base, at + this.#view.getUint32(at, true))
  }

  #vector(field: number, size: number): { at: number; length: number } | undefined {
    const place = this.#place(field, 4)
    if (place === undefined) return undefined
    const at = place + this.#view.getUint32(place, true)
    this.#check(at, 4, 'a list')
    const length = this.#view.getUint32(at, true)
    this.#check(at + 4, length * size, `a list of ${length}`)
    return { at: at + 4, length }
  }

  #count(at: number, what: string): number {
    const value = this.#view.getBigInt64(at, true)
    if (value >= 0n && value <= BigInt(Number.MAX_SAFE_INTEGER)) return Number(value)
    throw new FormatError(`${value} cannot be one of the ${what}`, what, this.#base + at)
  }

  #check(at: number, bytes: number, what: string): void {
    const size = this.#view.byteLength
    if (at >= 0 && at + bytes <= size) return
    throw new FormatError(
      `${what} at byte ${at} goes beyond the ${size} bytes of metadata at offset ${this.#base}`,
      'metadata',
      this.#base + at,
    )
  }
}

/** A vector of structs, of which only numbers are wanted. */
export interface Longs {
  readonly length: number
  /** The numbers of one row. Throws FormatError when it is not there. */
  readonly row: (i: number) => number[]
}
